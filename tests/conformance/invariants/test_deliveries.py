"""The ledger, on journals written by hand: each way in which a delivery can be wrong, and what is not wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
from tests.conformance.written import TIME, Written, broken, found

from dungeonlab_conformance.invariants.deliveries.attribution import HISTORY_RULES, POSITION_RULES, History, Position
from dungeonlab_conformance.record.observation import EndOfStay, Request, RequestOutcome
from dungeonlab_spec import Catalogue

ALICE, BOB, TAB, CAROL, DAVE, MALLORY = range(1, 7)


@pytest.fixture
def scene() -> Written:
    """Return a scene in which alice and bob have joined."""
    written = Written()
    written.joins(ALICE, "alice")
    written.joins(BOB, "bob")
    return written


def test_a_clean_journal_breaks_nothing(scene: Written) -> None:
    """Alice speaks, in the room or on her way out; everybody in the room hears it once."""
    scene.joins(TAB, "alice")
    stay = scene.joins(CAROL, "carol")
    first = scene.says(ALICE, "first")
    for listener in (BOB, TAB, CAROL):
        scene.hears(listener, first)
    scene.ends(stay, "left")
    scene.hears(BOB, scene.says(ALICE, "second"))
    assert broken(scene) == []


def test_an_echo_is_the_senders_matter(scene: Written) -> None:
    """The sender hears it on the connection that sent it."""
    scene.hears(ALICE, scene.says(ALICE, "hello"))
    assert broken(scene) == ["rooms/sender-hears-nothing"]


def test_the_second_delivery_is_one_too_many(scene: Written) -> None:
    """A listener hears once what was said once, and twice what was said twice."""
    request = scene.says(ALICE, "hello")
    scene.hears(BOB, request)
    scene.hears(BOB, request)
    assert broken(scene) == ["rooms/every-other-member-hears-once"]
    scene.sends(ALICE, request)
    assert broken(scene) == []


def test_a_doubling_after_joining_twice_is_attributed_to_that(scene: Written) -> None:
    """Unless others hear double too."""
    scene.joins(BOB, "bob")
    scene.joins(CAROL, "carol")
    request = scene.says(ALICE, "hello")
    scene.hears(BOB, request)
    scene.hears(BOB, request)
    assert broken(scene) == ["join/repeated-join-is-harmless"]
    scene.hears(CAROL, request)
    scene.hears(CAROL, request)
    assert broken(scene) == ["rooms/every-other-member-hears-once"] * 2


@pytest.mark.parametrize(
    ("legal", "requirement"),
    [(True, "rooms/refused-event-is-not-broadcast"), (False, "payloads/refused-not-broadcast")],
)
def test_what_was_refused_is_not_heard(scene: Written, legal: bool, requirement: str) -> None:
    """Refused for want of rights, or for its payload; it matters not who hears it, nor when."""
    scene.hears(BOB, scene.says(ALICE, "hello", outcome="refused", legal=legal))
    assert broken(scene) == [requirement]


def test_what_was_limited_is_not_heard(scene: Written) -> None:
    """A refusal for a limit has a rule of its own."""
    request = Request("chat-message", ({"sessionId": "s", "message": "hello"},), "hello", "s")
    refusal = {"success": False, "error": "not so fast", "code": "RATE_LIMITED"}
    scene.hears(BOB, scene.asks(ALICE, request, refusal))
    assert broken(scene) == ["acks/limited-has-no-effect"]


def test_of_two_alike_by_two_users_each_is_known_by_its_sender(scene: Written) -> None:
    """What bob hears in alice's name is hers, which was refused, and not what he said himself."""
    scene.joins(CAROL, "carol")
    mine = scene.says(BOB, "hello")
    hers = scene.says(ALICE, "hello", outcome="refused")
    scene.hears(BOB, hers)
    scene.hears(CAROL, mine)
    assert broken(scene) == ["rooms/refused-event-is-not-broadcast"]


def test_of_two_alike_the_accepted_one_is_heard_first(scene: Written) -> None:
    """One mark, once refused and once accepted: the first delivery is explained, the second is not."""
    scene.says(ALICE, "hello", outcome="refused")
    accepted = scene.says(ALICE, "hello")
    scene.hears(BOB, accepted)
    assert broken(scene) == []
    scene.hears(BOB, accepted)
    assert broken(scene) == ["rooms/refused-event-is-not-broadcast"]


def test_where_all_is_doubled_a_second_delivery_shows_no_refused_one(scene: Written) -> None:
    """Another message is heard twice as well, which was never refused."""
    scene.says(ALICE, "hello", outcome="refused")
    for request in (scene.says(ALICE, "hello"), scene.says(ALICE, "goodbye")):
        scene.hears(BOB, request)
        scene.hears(BOB, request)
    assert broken(scene) == ["rooms/every-other-member-hears-once"] * 2


@pytest.mark.parametrize(
    ("why", "requirement"),
    [
        ("left", "join/leave-stops-delivery"),
        ("switched", "join/second-join-leaves-the-first-room"),
        ("revoked", "authorization/removed-member-hears-nothing"),
        ("closed", "join/disconnect-leaves-the-room"),
    ],
)
def test_a_room_ends_for_connections_out_of_it(scene: Written, why: EndOfStay, requirement: str) -> None:
    """What is asked after a stay has ended is not heard, and what was asked before may still be."""
    before = scene.says(ALICE, "before")
    scene.ends(scene.rooms.stays[1], why)
    scene.hears(BOB, before)
    scene.hears(BOB, scene.says(ALICE, "after"))
    assert broken(scene) == [requirement]


def test_a_new_connection_hears_nothing_of_the_old_ones_room(scene: Written) -> None:
    """The user's earlier connection sat there until it ended."""
    scene.ends(scene.rooms.stays[1], "gone")
    scene.comes(TAB, "bob")
    scene.hears(TAB, scene.says(ALICE, "hello"))
    assert broken(scene) == ["join/disconnect-leaves-the-room"]


def test_a_connection_that_was_refused_hears_nothing(scene: Written) -> None:
    """The connection had asked to join."""
    scene.is_refused_to_join(MALLORY, "mallory")
    scene.hears(MALLORY, scene.says(ALICE, "hello"))
    assert broken(scene) == ["join/refused-join-subscribes-nothing"]


def _an_outsider(scene: Written) -> int:
    return scene.comes(MALLORY, "mallory")


def _an_absent_member(scene: Written) -> int:
    return scene.comes(CAROL, "carol")


def _somebody_elsewhere(scene: Written) -> int:
    scene.joins(DAVE, "dave", "s-other")
    return DAVE


@pytest.mark.parametrize(
    ("somebody", "requirement"),
    [
        (_an_outsider, "rooms/outsider-hears-nothing"),
        (_an_absent_member, "rooms/member-not-joined-hears-nothing"),
        (_somebody_elsewhere, "rooms/other-session-hears-nothing"),
    ],
)
def test_strangers_hear_nothing(scene: Written, somebody: Callable[[Written], int], requirement: str) -> None:
    """Listeners that have never been in the room: a member of nothing, a member outside, somebody in another room."""
    listener = somebody(scene)
    scene.hears(listener, scene.says(ALICE, "hello"))
    assert broken(scene) == [requirement]


def test_what_strangers_hear_too_is_no_fault_of_leaving(scene: Written) -> None:
    """Somebody who left hears it, as does somebody who never came: it leaks to both for the same reason."""
    scene.ends(scene.rooms.stays[1], "left")
    scene.comes(MALLORY, "mallory")
    request = scene.says(ALICE, "hello")
    scene.hears(BOB, request)
    scene.hears(MALLORY, request)
    assert broken(scene) == ["rooms/member-not-joined-hears-nothing", "rooms/outsider-hears-nothing"]


def test_a_leak_to_outsiders_is_no_excuse_for_who_left_where_other_members_hear_nothing(scene: Written) -> None:
    """Carol, a member who has not joined, hears nothing: so it is for having been in the room that bob does."""
    scene.comes(CAROL, "carol")
    scene.ends(scene.rooms.stays[1], "left")
    scene.comes(MALLORY, "mallory")
    request = scene.says(ALICE, "hello")
    scene.hears(BOB, request)
    scene.hears(MALLORY, request)
    assert broken(scene) == ["join/leave-stops-delivery", "rooms/outsider-hears-nothing"]


def test_who_hears_what_they_send_to_another_room_hears_it_as_everybody_there_does(scene: Written) -> None:
    """Dave speaks in a room that he is not in, and is heard by all in his own; by himself alone, it is an echo."""
    scene.joins(DAVE, "dave", "s-other")
    request = scene.says(DAVE, "hello")
    scene.hears(DAVE, request)
    assert broken(scene) == ["rooms/sender-hears-nothing"]
    scene.joins(TAB, "erin", "s-other")
    scene.hears(TAB, scene.says(ALICE, "goodbye"))
    assert broken(scene) == ["rooms/other-session-hears-nothing"] * 2


def test_where_somebody_may_have_been_moved_their_position_is_uncertain(scene: Written) -> None:
    """Dave's other tab was closed, or an invalid request to leave was taken: mallory plainly is an outsider."""
    other = Written("u")
    other.joins(DAVE, "dave", "u-other")
    other.sends(DAVE, Request("leave-session", ("u-other",), None, None, legal=False))
    tab = scene.joins(TAB, "erin", "s-other")
    scene.joins(CAROL, "erin", "s-other")
    scene.ends(tab, "gone")
    scene.comes(MALLORY, "mallory")
    request = scene.says(ALICE, "hello")
    scene.hears(CAROL, request)
    scene.hears(MALLORY, request)
    other.now = scene.now
    other.hears(DAVE, request)
    assert broken(scene, other) == ["rooms/outsider-hears-nothing"] * 3


def test_a_connection_that_just_came_to_another_room_is_judged_by_what_is_plain(scene: Written) -> None:
    """Dave joined elsewhere while it was under way; whether he is an outsider or not, mallory plainly is."""
    request = scene.says(ALICE, "hello")
    scene.joins(DAVE, "dave", "s-other")
    scene.hears(DAVE, request)
    scene.comes(MALLORY, "mallory")
    scene.hears(MALLORY, request)
    assert broken(scene) == ["rooms/outsider-hears-nothing"] * 2


def test_a_connection_that_is_leaving_another_room_is_judged_by_what_is_plain(scene: Written) -> None:
    """Dave had asked to leave when he heard it, and was answered later; mallory plainly is an outsider."""
    scene.joins(DAVE, "dave", "s-other")
    request = scene.says(ALICE, "hello")
    asked = scene.now
    scene.hears(DAVE, request)
    scene.rooms.left(DAVE, scene.now + 1, asked)
    scene.comes(MALLORY, "mallory")
    scene.hears(MALLORY, request)
    assert broken(scene) == ["rooms/outsider-hears-nothing"] * 2


def test_who_was_removed_elsewhere_may_be_there_still(scene: Written) -> None:
    """Dave was removed from another session: where those in other rooms plainly hear, he hears as one of them."""
    scene.ends(scene.joins(DAVE, "dave", "s-other"), "revoked")
    scene.joins(TAB, "erin", "s-third")
    request = scene.says(ALICE, "hello")
    scene.hears(TAB, request)
    scene.hears(DAVE, request)
    assert broken(scene) == ["rooms/other-session-hears-nothing"] * 2
    scene.comes(MALLORY, "mallory")
    scene.hears(MALLORY, request)
    assert broken(scene)[-1:] == ["rooms/outsider-hears-nothing"]


def test_who_was_a_member_when_it_was_sent_is_no_outsider(scene: Written) -> None:
    """Carol, who has not joined, hears it and is removed; what is sent later, she hears as an outsider."""
    scene.comes(CAROL, "carol")
    request = scene.says(ALICE, "hello")
    scene.hears(CAROL, request)
    scene.journal.write("carol", CAROL, "is removed", "")
    scene.rooms.removed("s", "carol")
    assert broken(scene) == ["rooms/member-not-joined-hears-nothing"]
    scene.now += 1
    scene.hears(CAROL, scene.says(ALICE, "goodbye"))
    assert broken(scene)[-1:] == ["rooms/outsider-hears-nothing"]


def test_a_stay_that_the_server_may_end_when_it_likes_breaks_nothing(scene: Written) -> None:
    """The user has joined elsewhere; until when this connection hears the room is up to the server."""
    scene.joins(TAB, "bob", "s-other")
    scene.hears(BOB, scene.says(ALICE, "hello"))
    assert broken(scene) == []


def test_a_leak_into_another_scene_is_blamed_on_the_one_that_caused_it(scene: Written) -> None:
    """It is heard elsewhere, and later."""
    other = Written("u")
    other.joins(DAVE, "dave", "u-other")
    request = scene.says(ALICE, "hello")
    other.now = scene.now + 0.3
    other.hears(DAVE, request)
    (breach,) = found(scene, other)
    assert breach.requirement == "rooms/other-session-hears-nothing"
    assert breach.journal is scene.journal


def test_a_request_without_a_mark_is_known_by_what_it_asks(scene: Written) -> None:
    """The one that asks just that, and not the one that asks something else."""
    scene.says(ALICE, "refused", mark=None, outcome="refused")
    request = scene.says(ALICE, "hello", mark=None)
    scene.hears(BOB, request)
    assert broken(scene) == []
    scene.hears(ALICE, request)
    assert broken(scene) == ["rooms/sender-hears-nothing"]


def test_what_is_owed_explains_what_is_garbled(scene: Written) -> None:
    """Bob has not heard what alice said, and hears something else in its place."""
    scene.hears(BOB, scene.says(ALICE, "hello"), message="goodbye")
    assert broken(scene) == ["broadcasts/says-what-was-done"]


def test_what_is_garbled_goes_back_to_who_is_named_in_it(scene: Written) -> None:
    """Carol is not answered, and alice is; bob hears alice say something else."""
    scene.joins(CAROL, "carol")
    scene.says(CAROL, "and I", outcome="unknown")
    scene.hears(BOB, scene.says(ALICE, "hello"), message="goodbye")
    assert broken(scene) == ["broadcasts/says-what-was-done"]


def test_what_was_refused_and_is_relayed_twice_is_not_what_is_owed(scene: Written) -> None:
    """Bob has not heard what alice said, and hears twice a message of carol's that was refused: it is no text."""
    scene.joins(CAROL, "carol")
    body = {"sessionId": scene.session, "message": 5}
    scene.says(ALICE, "hello")
    scene.sends(CAROL, Request("chat-message", (body,), None, scene.session, legal=False), "refused")
    for _ in range(2):
        scene.is_sent(BOB, "chat-message", {**body, "userId": "carol"})
    assert "payloads/refused-not-broadcast" in broken(scene)
    assert not {"broadcasts/says-what-was-done", "broadcasts/true-sender"} & {*broken(scene)}


def test_a_garbled_broadcast_is_not_one_too_many_of_what_asked_for_less(scene: Written) -> None:
    """Alice makes a token of two things, and then one of four; what bob hears of the latter lacks one of them."""
    place = {"sessionId": "s", "encounterId": "e"}
    few = {"name": "Goblin", "position": {"x": 3, "y": 4}}
    many = {**few, "position": {"x": 3, "y": 4, "elevation": 2.5}, "size": "small"}
    for draft, came in ((few, few), (many, {**few, "size": "small"})):
        scene.sends(ALICE, Request("token:create", ({**place, "token": draft},), None, "s"))
        scene.is_sent(BOB, "token:create", {**place, "token": came, "userId": "alice", "timestamp": TIME})
    accounts = {"rooms/every-other-member-hears-once", "broadcasts/says-what-was-done"}
    assert accounts & {*broken(scene)} == {"broadcasts/says-what-was-done"}
    scene.is_sent(BOB, "token:create", {**place, "token": few, "userId": "alice", "timestamp": TIME})
    assert accounts & {*broken(scene)} == accounts


def test_what_another_user_is_named_in_is_no_echo(scene: Written) -> None:
    """Alice and bob change a token; of alice's change bob hears less than she asked for, and nothing of his own."""
    asked = {"sessionId": "s", "encounterId": "e", "tokenId": "t"}
    picture = Request("token:update", ({**asked, "updates": {"imageUrl": "https://example.org/"}},), "t", "s")
    shown = Request("token:update", ({**asked, "updates": {"isVisible": True}},), "t", "s")
    scene.sends(ALICE, picture)
    scene.sends(BOB, shown)
    heard = {**asked, "userId": "alice", "timestamp": TIME, "token": {"id": "t", "isVisible": True}}
    scene.is_sent(BOB, "token:update", heard)
    accounts = {"rooms/sender-hears-nothing", "broadcasts/true-sender", "broadcasts/says-what-was-done"}
    assert accounts & {*broken(scene)} == {"broadcasts/says-what-was-done"}


def _changes(scene: Written, connection: int, mark: str, **updates: object) -> Request:
    body = {"sessionId": "s", "encounterId": "e", "tokenId": "token-of-alice", "updates": updates}
    return scene.sends(connection, Request("token:update", (body,), mark, "s"))


def _hears_of_changes(scene: Written, connection: int, by: str) -> None:
    token = {"id": "token-of-alice", "name": "mark-x-1.", "size": "large"}
    body = {"sessionId": "s", "encounterId": "e", "tokenId": "token-of-alice", "userId": by, "timestamp": TIME}
    scene.is_sent(connection, "token:update", {**body, "token": token})


def test_a_new_connection_hears_of_no_change_from_before_it_came(scene: Written) -> None:
    """Alice names a token and makes it large while bob's connection is lost; bob comes back, and carol makes it large.

    So does alice once more. What bob hears bears the name still.
    """
    scene.joins(CAROL, "carol")
    scene.closes(BOB)
    scene.ends(scene.rooms.stays[1], "closed")
    _changes(scene, ALICE, "mark-x-1.", name="mark-x-1.", size="large")
    _hears_of_changes(scene, CAROL, "alice")
    _changes(scene, ALICE, "token-of-alice", size="large")
    _hears_of_changes(scene, CAROL, "alice")
    scene.joins(TAB, "bob")
    _changes(scene, CAROL, "token-of-alice", size="large")
    _changes(scene, ALICE, "token-of-alice", size="large")
    _hears_of_changes(scene, TAB, "carol")
    _hears_of_changes(scene, TAB, "alice")
    rooms = {"broadcasts/true-sender", "join/disconnect-leaves-the-room", "rooms/every-other-member-hears-once"}
    assert rooms & {*broken(scene)} == set()


def test_tokens_of_two_encounters_may_have_one_id(scene: Written) -> None:
    """A server numbers the tokens of each encounter: what is heard of the one here is not about that in another."""
    other = Written("there")
    other.joins(CAROL, "carol")
    other.joins(DAVE, "dave")
    for where, speaker, listener, mark in ((other, CAROL, DAVE, "1"), (scene, ALICE, BOB, None)):
        place = {"sessionId": where.session, "encounterId": f"in-{where.session}", "tokenId": "1"}
        deletion = where.sends(speaker, Request("token:delete", (place,), mark, where.session))
        where.is_sent(listener, "token:delete", {**place, "userId": deletion.user, "timestamp": TIME})
    assert broken(other, scene) == []


def test_what_is_left_of_one_message_is_no_repetition_of_another(scene: Written) -> None:
    """Of alice's second message bob hears what the first one said; it is a repetition if he hears the second, too."""
    scene.hears(BOB, scene.says(ALICE, "hello", mark=None))
    second = scene.says(ALICE, "hello there", mark=None)
    scene.hears(BOB, second, message="hello")
    assert broken(scene) == ["broadcasts/says-what-was-done"]
    scene.hears(BOB, second)
    assert broken(scene) == ["rooms/every-other-member-hears-once"]


def test_a_move_that_is_garbled_is_no_repetition_of_one_that_has_no_mark_of_its_own(scene: Written) -> None:
    """Bob hears alice move a token to 0, and then carol move it to where nobody did."""
    scene.joins(CAROL, "carol")
    here = {"sessionId": scene.session, "encounterId": "e", "tokenId": "1"}
    for connection, user, mark, x, came in ((ALICE, "alice", "1", 0, 0), (CAROL, "carol", 100_001, 100_001, 5000)):
        scene.sends(connection, Request("token:move", ({**here, "position": {"x": x, "y": 2}},), mark, scene.session))
        body = {
            **here,
            "userId": user,
            "timestamp": TIME,
            "version": 2,
            "position": {"x": came, "y": 2, "elevation": 0},
        }
        scene.is_sent(BOB, "token:move", body)
    assert broken(scene) == ["broadcasts/says-what-was-done"]


def test_what_is_said_of_a_token_here_is_not_about_its_namesake_elsewhere(scene: Written) -> None:
    """A server numbers the tokens of each encounter. A move here is garbled, and nobody asked for a deletion.

    Neither is what was asked elsewhere, where a token has the same number.
    """
    other = Written("there")
    other.joins(CAROL, "carol")
    other.joins(DAVE, "dave")
    there = {"sessionId": other.session, "encounterId": "e", "tokenId": "1"}
    other.sends(CAROL, Request("token:move", ({**there, "position": {"x": 3, "y": 4}},), "1", other.session))
    other.sends(CAROL, Request("token:delete", (there,), "1", other.session))
    here = {"sessionId": scene.session, "encounterId": "e", "tokenId": "1"}
    scene.sends(ALICE, Request("token:move", ({**here, "position": {"x": 100_001, "y": 2}},), 100_001, scene.session))
    heard = {**here, "userId": "alice", "timestamp": TIME}
    scene.is_sent(BOB, "token:move", {**heard, "position": {"x": 5000, "y": 2, "elevation": 0}, "version": 2})
    assert broken(other, scene) == ["broadcasts/says-what-was-done"]
    scene.is_sent(BOB, "token:delete", heard)
    assert broken(other, scene)[1:] == ["broadcasts/caused-by-a-request"]


def test_what_is_garbled_and_leaks_is_a_leak(scene: Written) -> None:
    """Mallory hears something else in place of what alice said, alone or as bob does; then what bob never said."""
    scene.comes(MALLORY, "mallory")
    request = scene.says(ALICE, "hello")
    garbled = ["broadcasts/says-what-was-done", "rooms/outsider-hears-nothing"]
    scene.hears(MALLORY, request, message="goodbye")
    assert broken(scene) == garbled
    scene.hears(BOB, request, message="goodbye")
    assert broken(scene) == [*garbled, "broadcasts/says-what-was-done"]
    scene.hears(MALLORY, request, message="goodbye", userId="bob")
    assert broken(scene)[3:] == ["broadcasts/caused-by-a-request"]


def test_an_incomplete_request_is_not_what_a_garbled_broadcast_says(scene: Written) -> None:
    """Carol's move lacks its position and is refused, twice; bob hears of alice's that it went elsewhere."""
    scene.joins(CAROL, "carol")
    ids = {"sessionId": scene.session, "encounterId": "e", "tokenId": "t"}
    for outcome in ("refused", "unknown", "refused"):
        scene.sends(CAROL, Request("token:move", (ids,), None, scene.session, legal=False), outcome)
    asked = {**ids, "position": {"x": 100_001, "y": 2}}
    scene.sends(ALICE, Request("token:move", (asked,), 100_001, scene.session))
    said = {**ids, "position": {"x": 0, "y": 0, "elevation": 0}, "version": 2, "userId": "alice", "timestamp": TIME}
    scene.is_sent(BOB, "token:move", said)
    assert set(broken(scene)) == {"broadcasts/says-what-was-done"}


def test_what_nobody_asked_for_has_no_cause(scene: Written) -> None:
    """Bob has heard what alice said, and then something more; or he came after it."""
    request = scene.says(ALICE, "hello")
    scene.hears(BOB, request)
    scene.hears(BOB, request, message="goodbye")
    scene.joins(CAROL, "carol")
    scene.hears(CAROL, request, message="welcome")
    assert broken(scene) == ["broadcasts/caused-by-a-request"] * 2


def test_what_a_refused_request_did_not_say_is_not_relayed(scene: Written) -> None:
    """After a message without text was refused, a greeting of the server's own is no more than that."""
    empty = scene.says(ALICE, "", args=({"sessionId": scene.session},), mark=None, outcome="refused", legal=False)
    greeting = {"sessionId": scene.session, "messageId": "m", "userId": "alice", "message": "hello", "timestamp": TIME}
    scene.is_sent(BOB, "chat-message", greeting)
    assert broken(scene) == ["broadcasts/caused-by-a-request"]
    scene.is_sent(BOB, "chat-message", dict(empty.args[0]))
    assert "payloads/refused-not-broadcast" in broken(scene)


@pytest.mark.parametrize("order", ["shshsh", "ssshhh", "shsshh", "sshshh"])
@pytest.mark.parametrize("marked", [True, False])
def test_what_is_said_three_times_is_heard_three_times(scene: Written, order: str, marked: bool) -> None:
    """By the same mark or by none, however requests and deliveries follow upon each other; a fourth is one too many."""
    for act in order:
        if act == "s":
            request = scene.says(ALICE, "same", mark="same" if marked else None)
        else:
            scene.hears(BOB, request)
    assert broken(scene) == []
    scene.hears(BOB, request)
    assert broken(scene) == ["rooms/every-other-member-hears-once"]


@pytest.mark.parametrize("outcome", ["accepted", "refused", "unknown"])
def test_what_is_said_on_two_connections_is_heard_of_both(scene: Written, outcome: RequestOutcome) -> None:
    """The same words without a mark, of two people at once: those others hear both, they each hear the other's."""
    scene.joins(CAROL, "carol")
    first = scene.says(ALICE, "same", mark=None)
    second = scene.says(BOB, "same", mark=None, outcome=outcome)
    for listener in (BOB, CAROL):
        scene.hears(listener, first)
    if outcome != "refused":
        for listener in (ALICE, CAROL):
            scene.hears(listener, second)
    assert broken(scene) == []


def test_each_position_and_each_history_has_a_rule() -> None:
    """The rules that keep listeners out cover all there are, but for the room itself; each is a requirement."""
    assert POSITION_RULES.keys() == set(get_args(Position)) - {"in the room"}
    assert HISTORY_RULES.keys() == set(get_args(History))
    assert set(get_args(EndOfStay)) <= HISTORY_RULES.keys()
    requirements = Catalogue.load().requirements
    assert {*POSITION_RULES.values(), *HISTORY_RULES.values()} <= requirements.keys()

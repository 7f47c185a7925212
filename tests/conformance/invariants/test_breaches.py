"""The invariants, on journals written by hand: each breach once, and one clean journal."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.written import TIME, Written, broken, found

from dungeonlab_conformance.record.observation import EndOfStay, Request
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import examples

ALICE, BOB, TAB, CAROL, MALLORY = range(1, 6)


@pytest.fixture
def scene() -> Written:
    """Return a scene in which alice and bob have joined."""
    written = Written()
    written.joins(ALICE, "alice")
    written.joins(BOB, "bob")
    return written


def _presence(user: str, **more: Any) -> dict[str, Any]:
    return {"sessionId": "s", "userId": user, "timestamp": TIME, **more}


def test_a_clean_journal_breaks_nothing(scene: Written) -> None:
    """A broadcast, presence about others and about one's other connection, an error, an event of the server's own."""
    scene.hears(BOB, scene.says(ALICE, "hello"))
    carol = scene.joins(CAROL, "carol")
    scene.is_sent(BOB, "user-joined", _presence("carol"))
    scene.ends(carol, "left")
    scene.is_sent(BOB, "user-left", _presence("carol", reason="left"))
    scene.joins(TAB, "alice")
    scene.is_sent(ALICE, "user-joined", _presence("alice"))
    scene.ends(scene.rooms.stays[1], "revoked")
    scene.is_sent(BOB, "session-removed", {"sessionId": "s", "reason": "removed"})
    scene.is_sent(MALLORY, "error", {"event": "chat-message", "error": "no", "code": "PERMISSION_DENIED"})
    scene.is_sent(MALLORY, "x-own-event", 5)
    assert broken(scene) == []


@pytest.mark.parametrize("odd", [{}, {"s": []}, [], ["s"], None, 0, 1e300, True, ""], ids=repr)
@pytest.mark.parametrize("event", [event.name for event in Catalogue.load() if event.emission])
def test_whatever_a_server_sends_can_be_judged(scene: Written, event: str, odd: Any) -> None:
    """In place of any field, of the whole payload, or as further arguments, it breaks something and stops nothing."""
    body = examples(event, "valid", "emission")["minimal"] | {"sessionId": "s"}
    scene.says(ALICE, "hello")
    for args in ((), (odd,), (body, odd), *(({**body, key: odd},) for key in body)):
        scene.is_sent(BOB, event, *args)
    assert broken(scene)


@pytest.mark.parametrize(
    ("otherwise", "requirement", "path"),
    [
        ({"userId": "bob"}, "broadcasts/true-sender", "$.userId"),
        ({"sessionId": "s-other"}, "broadcasts/true-session", "$.sessionId"),
        ({"message": "hello?"}, "broadcasts/says-what-was-done", "$.message"),
        ({"timestamp": 5}, "broadcasts/valid-payload", "$.timestamp"),
        ({"passwordHash": "secret"}, "broadcasts/valid-payload", "$.passwordHash"),
    ],
)
def test_a_broadcast_says_what_is_true(scene: Written, otherwise: Any, requirement: str, path: str) -> None:
    """Whose it is, where it happened, what was done, all in its shape; the breach says where in the payload."""
    scene.hears(BOB, scene.says(ALICE, "hello"), **otherwise)
    (breach,) = found(scene)
    assert (breach.requirement, breach.event, breach.broken.path) == (requirement, "chat-message", path)


def test_nobody_has_no_id_to_be_named_by(scene: Written) -> None:
    """A server lets in who is not logged in, and has a name for them; that it let them in is the fault."""
    guest = 9
    scene.rooms.connected(guest, None)
    heard = scene.says(guest, "hello")
    scene.hears(BOB, heard, userId="guest")
    assert "broadcasts/true-sender" not in broken(scene)


def test_a_secret_is_named_first(scene: Written) -> None:
    """Under its own rule, by what it is; then that its property is in no schema. A profile's is named once."""
    scene.hears(BOB, scene.says(ALICE, "hello"), apiKey="k-12345")
    asked = scene.sends(ALICE, Request("get-user-data", ({},), None, None))
    user = {"id": "alice", "username": "alice", "passwordHash": "5f4dcc3b5aa765d6"}
    scene.is_answered(ALICE, asked, {"success": True, "data": {"user": user}})
    said = [(breach.requirement, breach.broken.path, breach.broken.got) for breach in found(scene)]
    assert said == [
        ("direct/no-secrets", "$.apiKey", "the value of apiKey"),
        ("broadcasts/valid-payload", "$.apiKey", said[1][2]),
        ("direct/no-secrets", "$.data.user.passwordHash", "the value of passwordHash"),
    ]


def test_a_broadcast_has_one_argument(scene: Written) -> None:
    """A second one breaks its shape, whatever the first one says."""
    request = scene.says(ALICE, "hello")
    scene.is_sent(BOB, "chat-message", scene.broadcast(request), "more")
    assert broken(scene) == ["broadcasts/valid-payload"]


def test_a_sender_that_was_claimed_is_a_matter_of_identity(scene: Written) -> None:
    """The request named another user, and the server believed it."""
    claim = {"sessionId": "s", "message": "hello", "userId": "bob"}
    request = scene.says(ALICE, "hello", args=(claim,))
    scene.hears(BOB, request, userId="bob")
    assert broken(scene) == ["auth/identity-comes-from-the-cookie"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("welcome", ["broadcasts/catalogue-events-only"]),
        ("join-session", ["broadcasts/catalogue-events-only"]),
        ("userJoined", ["names/kebab-case"]),
        ("tokenMove", ["names/kebab-case"]),
        ("serverInfo", ["names/kebab-case", "broadcasts/catalogue-events-only"]),
        ("get-user-data", ["rooms/direct-answers-stay-direct"]),
    ],
)
def test_a_name_is_in_the_catalogue_and_kebab_case(scene: Written, event: str, expected: list[str]) -> None:
    """An unknown event, a request's name, a known event misspelt, both at once, and an answer gone astray."""
    scene.is_sent(BOB, event, {})
    assert broken(scene) == expected


def test_an_answer_emitted_to_the_one_who_asked_went_nowhere_else(scene: Written) -> None:
    """It is no event of the catalogue all the same."""
    request = scene.sends(BOB, Request("get-user-data", ({},), None, None))
    profile = {"user": {"id": "bob", "username": "bob"}}
    scene.is_answered(BOB, request, {"success": True, "data": profile})
    scene.is_sent(BOB, "get-user-data", profile)
    assert broken(scene) == ["broadcasts/catalogue-events-only"]


@pytest.mark.parametrize(
    ("both", "expected"), [(False, ["rooms/direct-answers-stay-direct"]), (True, [])], ids=["another", "both"]
)
def test_an_answer_emitted_to_another_tab_went_astray(scene: Written, *, both: bool, expected: list[str]) -> None:
    """Where both tabs had asked and were answered the same, nothing says whose it is."""
    profile = {"user": {"id": "bob", "username": "bob"}}
    for asker in (BOB, ALICE) if both else (BOB,):
        request = scene.sends(asker, Request("get-user-data", ({},), None, None))
        scene.is_answered(asker, request, {"success": True, "data": profile})
    scene.is_sent(ALICE, "get-user-data", profile)
    assert broken(scene) == expected


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("error", ("something went wrong",)),
        ("error", ({"event": "chat-message", "error": "no", "code": "NOT_THAT_ONE"},)),
        ("user-joined", (_presence("carol"), "more")),
        ("user-left", (_presence("carol", reason="tired"),)),
    ],
)
def test_a_servers_own_events_have_shapes_too(scene: Written, event: str, args: tuple[Any, ...]) -> None:
    """A bare text, a code that is none, two arguments, a reason that is none."""
    scene.is_sent(BOB, event, *args)
    assert broken(scene) == ["broadcasts/server-events-valid"]


def test_a_user_who_joins_is_not_notified(scene: Written) -> None:
    """Nor are users who leave."""
    scene.is_sent(BOB, "user-joined", _presence("bob"))
    scene.ends(scene.rooms.stays[1], "left")
    scene.is_sent(BOB, "user-left", _presence("bob", reason="left"))
    assert broken(scene) == ["presence/right-audience"] * 2


def test_who_joined_by_bare_frames_is_not_known(scene: Written) -> None:
    """It may have been another connection of the same user: each of the others may hear of that."""
    scene.journal.write("bob", 0, "sends", "a frame", ('420["join-session",{"sessionId":"s"}]',))
    scene.is_sent(BOB, "user-joined", _presence("bob"))
    assert broken(scene) == []


def test_presence_stays_in_the_room(scene: Written) -> None:
    """An outsider hears nothing of it, and a connection that has left hears nothing of what comes after."""
    scene.comes(MALLORY, "mallory")
    scene.is_sent(MALLORY, "user-joined", _presence("bob"))
    scene.ends(scene.rooms.stays[1], "left")
    scene.joins(CAROL, "carol")
    scene.is_sent(BOB, "user-joined", _presence("carol"))
    assert broken(scene) == ["presence/right-audience"] * 2


@pytest.mark.parametrize(("why", "expected"), [("closed", []), ("gone", ["presence/right-audience"])])
def test_who_is_thrown_out_may_learn_of_it_after_the_others(
    scene: Written, why: EndOfStay, expected: list[str]
) -> None:
    """Bob is notified while he is leaving; carol notices only later that she is out, unless she left herself."""
    carol = scene.joins(CAROL, "carol")
    scene.ends(scene.rooms.stays[1], "gone")
    scene.is_sent(BOB, "user-left", _presence("carol", reason="disconnected"))
    scene.ends(carol, why)
    assert broken(scene) == expected


def test_presence_names_who_came_or_went(scene: Written) -> None:
    """Not somebody who never came, nor somebody who acts in the room later on; of others nobody knows."""
    scene.is_sent(BOB, "user-joined", _presence("mallory"))
    scene.is_sent(BOB, "user-left", _presence("alice", reason="left"))
    assert broken(scene) == ["presence/true-user"]
    scene.hears(BOB, scene.says(ALICE, "I am here"))
    assert broken(scene) == ["presence/true-user"] * 2


def test_nobody_leaves_more_often_than_they_came(scene: Written) -> None:
    """Carol came twice, and may be announced as gone for each of her connections, or once."""
    carol = scene.joins(CAROL, "carol")
    tab = scene.joins(TAB, "carol")
    scene.ends(carol, "left")
    scene.ends(tab, "left")
    for _ in range(2):
        scene.is_sent(BOB, "user-left", _presence("carol", reason="left"))
        scene.is_sent(ALICE, "user-left", _presence("carol", reason="left"))
    assert broken(scene) == []
    scene.is_sent(BOB, "user-left", _presence("carol", reason="disconnected"))
    assert broken(scene) == ["presence/true-user"]


def test_a_removal_is_sent_to_those_who_are_removed(scene: Written) -> None:
    """Neither to those who never were there nor to those who stay, as what they hear then shows.

    Where answers go astray, nobody knows who joined.
    """
    scene.comes(MALLORY, "mallory")
    scene.is_sent(MALLORY, "session-removed", {"sessionId": "s", "reason": "bob was removed"})
    scene.is_sent(ALICE, "session-removed", {"sessionId": "s", "reason": "bob was removed"})
    assert broken(scene) == ["presence/right-audience"]
    scene.hears(ALICE, scene.says(BOB, "who was removed?"))
    assert broken(scene) == ["presence/right-audience"] * 2
    scene.journal.write("bob", BOB, "is sent", "an answer to request 0", ({"success": True},))
    assert "presence/right-audience" not in broken(scene)


def test_nobody_hears_more_often_of_a_removal_than_they_came(scene: Written) -> None:
    """Bob was taken out and came again; he may hear of two removals, and of no third."""
    scene.ends(scene.rooms.stays[1], "revoked")
    scene.joins(BOB, "bob")
    for _ in range(2):
        scene.is_sent(BOB, "session-removed", {"sessionId": "s", "reason": "removed"})
    assert broken(scene) == []
    scene.is_sent(BOB, "session-removed", {"sessionId": "s", "reason": "removed"})
    assert broken(scene) == ["presence/right-audience"]


def test_presence_in_a_room_one_should_have_left_is_put_down_to_that(scene: Written) -> None:
    """Bob has left, and hears everything: what is wrong is the leaving."""
    scene.ends(scene.rooms.stays[1], "left")
    scene.hears(BOB, scene.says(ALICE, "hello"))
    scene.joins(CAROL, "carol")
    scene.is_sent(BOB, "user-joined", _presence("carol"))
    assert broken(scene) == ["join/leave-stops-delivery"] * 2


def test_presence_that_only_reaches_those_refused_shows_that_they_are_subscribed(scene: Written) -> None:
    """As long as nobody hears it who never asked, and where it is about somebody else."""
    scene.is_sent(BOB, "user-joined", _presence("alice"))
    scene.is_refused_to_join(MALLORY, "mallory")
    scene.is_sent(MALLORY, "user-joined", _presence("bob"))
    assert broken(scene) == ["join/refused-join-subscribes-nothing"]
    scene.is_sent(MALLORY, "user-joined", _presence("mallory"))
    assert broken(scene) == ["join/refused-join-subscribes-nothing", "presence/right-audience"]
    scene.comes(CAROL, "carol")
    scene.is_sent(CAROL, "user-joined", _presence("bob"))
    assert broken(scene) == ["presence/right-audience"] * 3


def test_who_was_refused_and_hears_of_the_own_other_connection_is_subscribed(scene: Written) -> None:
    """Bob's other tab was refused while he was no member; what it hears of him is about the one in the room."""
    scene.is_sent(ALICE, "user-joined", _presence("bob"))
    scene.is_refused_to_join(TAB, "bob")
    scene.is_sent(TAB, "user-joined", _presence("bob"))
    assert broken(scene) == ["join/refused-join-subscribes-nothing"]
    scene.ends(scene.rooms.stays[1], "left")
    scene.is_sent(TAB, "user-joined", _presence("bob"))
    assert broken(scene)[-1] == "presence/right-audience"


def test_a_session_that_a_request_named_is_true_even_if_there_is_none(scene: Written) -> None:
    """What is wrong is that it was accepted."""
    body = {"sessionId": "none", "message": "hello"}
    scene.hears(BOB, scene.says(ALICE, "hello", args=(body,)), sessionId="none")
    assert broken(scene) == []


def test_a_second_answer_is_one_too_many(scene: Written) -> None:
    """It is kept apart from the first, whose shape is judged."""
    request = scene.says(ALICE, "hello")
    scene.is_answered(ALICE, request, {"success": True, "data": {"messageId": "m"}})
    scene.is_answered(ALICE, request, {"success": True}, again=True)
    assert broken(scene) == ["acks/success-shape", "acks/exactly-one-answer"]

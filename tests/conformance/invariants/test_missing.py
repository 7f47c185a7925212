"""What did not come, on journals written by hand: each silence that breaks a rule, and each that need not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conformance.written import Written, absent

from dungeonlab_conformance.record.observation import Request, SentRequest

ALICE, BOB, TAB, CAROL, MASTER = range(1, 6)


@pytest.fixture
def scene() -> Written:
    """Return a scene in which alice, bob and carol have joined."""
    written = Written()
    for connection, user in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")):
        _comes_in(written, connection, user)
    return written


def _comes_in(scene: Written, connection: int, user: str) -> None:
    scene.joins(connection, user)
    scene.connects(connection)


def _unheard(scene: Written, *heard_by: int, sender: int = ALICE) -> SentRequest:
    """Have somebody say something that only some hear, until all who are in the room have made a round trip."""
    request = scene.says_and_is_answered(sender, "hello")
    for listener in heard_by:
        scene.hears(listener, request)
    for stay in scene.rooms.stays:
        if stay.left_at is None:
            scene.makes_a_round_trip(stay.connection)
    return request


def test_what_one_of_the_room_does_not_hear_is_missing(scene: Written) -> None:
    """Bob hears alice, and carol does not."""
    _unheard(scene, BOB)
    assert absent(scene) == ["rooms/every-other-member-hears-once"]


def test_what_everybody_hears_is_not_missing(scene: Written) -> None:
    """Nor is anything missing for the sender."""
    _unheard(scene, BOB, CAROL)
    assert absent(scene) == []


def test_what_comes_late_is_not_missing(scene: Written) -> None:
    """Carol hears it after her round trip."""
    request = _unheard(scene, BOB)
    scene.hears(CAROL, request)
    assert absent(scene) == []


def test_a_listener_that_made_no_round_trip_may_still_be_owed_it(scene: Written) -> None:
    """Bob hears it; of carol nothing is known."""
    request = scene.says_and_is_answered(ALICE, "hello")
    scene.hears(BOB, request)
    assert absent(scene) == []


def test_a_round_trip_that_began_too_early_shows_nothing(scene: Written) -> None:
    """A delivery may take longer than the time between the acknowledgement and the round trip."""
    _unheard(scene, BOB)
    assert absent(scene, patience=100.0) == []


def test_nothing_is_missing_of_what_was_refused_or_invalid(scene: Written) -> None:
    """Nor of what was never answered."""
    scene.says_and_is_answered(ALICE, "refused", outcome="refused")
    scene.says(ALICE, "unanswered")
    scene.makes_a_round_trip(BOB)
    assert absent(scene) == []


def test_a_garbled_broadcast_may_be_the_missing_one(scene: Written) -> None:
    """Carol is sent a message of which nobody knows what it is; or what cannot be read."""
    request = scene.says_and_is_answered(ALICE, "hello")
    scene.hears(BOB, request)
    scene.hears(CAROL, request, message="???", sessionId="elsewhere")
    scene.makes_a_round_trip(CAROL)
    assert absent(scene) == []


def _leaves(scene: Written) -> None:
    scene.ends(scene.rooms.stays[2], "left")


def _joins_again(scene: Written) -> None:
    scene.joins(CAROL, "carol")


def _is_refused_elsewhere(scene: Written) -> None:
    scene.is_refused_to_join(TAB, "carol")


def _switches_on_another_tab(scene: Written) -> None:
    scene.joins(TAB, "carol", "s-other")


def _is_taken_out(scene: Written) -> None:
    scene.is_sent(CAROL, "session-removed", {"sessionId": "s", "reason": "?"})


def _loses_a_tab(scene: Written) -> None:
    scene.ends(scene.joins(TAB, "carol"), "closed")
    scene.closes(TAB)


def _is_joined_by_bare_frames(scene: Written) -> None:
    scene.journal.sent(scene.says(BOB, "frame"), "#0", "carol")


def _leaves_no_word_of_its_joining(scene: Written) -> None:
    join = Request("join-session", ({"sessionId": "s"},), None, "s")
    scene.sends(CAROL, join, "unknown")
    scene.journal.inferred(join, "accepted", "she was heard")


@pytest.mark.parametrize(
    "happens",
    [
        _leaves,
        _leaves_no_word_of_its_joining,
        _joins_again,
        _is_refused_elsewhere,
        _switches_on_another_tab,
        _is_taken_out,
        _loses_a_tab,
        _is_joined_by_bare_frames,
    ],
)
def test_other_rules_may_explain_a_silence(scene: Written, happens: Callable[[Written], None]) -> None:
    """Carol has done more than join before she hears nothing."""
    happens(scene)
    _unheard(scene, BOB)
    assert absent(scene) == []


@pytest.mark.parametrize("why", ["left", "gone"])
def test_a_tab_that_ends_unseats_no_other(scene: Written, why: str) -> None:
    """Carol's other tab was in the room, and left it or was closed by herself; she is still there."""
    scene.ends(scene.joins(TAB, "carol"), why)  # type: ignore[arg-type]
    _comes_in(scene, MASTER, "dave")
    _unheard(scene, BOB, MASTER)
    assert absent(scene) == ["join/tabs-are-independent"]


def test_where_those_who_come_later_hear_nothing_it_is_not_the_tab(scene: Written) -> None:
    """Carol's other tab has left; she hears nothing, nor does who joined after her."""
    scene.ends(scene.joins(TAB, "carol"), "left")
    _comes_in(scene, MASTER, "dave")
    _unheard(scene, BOB)
    assert absent(scene) == ["rooms/every-other-member-hears-once"]


def test_an_older_tab_hears_as_a_newer_one_does(scene: Written) -> None:
    """Carol's newer tab hears what her older one does not."""
    _comes_in(scene, TAB, "carol")
    _unheard(scene, BOB, TAB)
    assert absent(scene) == ["rooms/every-tab-hears"]


def test_a_newer_tab_hears_as_an_older_one_does(scene: Written) -> None:
    """Carol's older tab hears what her newer one does not, and who joined after both does."""
    _comes_in(scene, TAB, "carol")
    _comes_in(scene, MASTER, "dave")
    _unheard(scene, BOB, CAROL, MASTER)
    assert absent(scene) == ["rooms/every-tab-hears"]


def test_who_comes_late_may_be_deaf_for_that(scene: Written) -> None:
    """Carol's older tab hears what her newer one does not, nor who joined after both."""
    _comes_in(scene, TAB, "carol")
    _comes_in(scene, MASTER, "dave")
    _unheard(scene, BOB, CAROL)
    assert set(absent(scene)) == {"rooms/every-other-member-hears-once"}


def test_malformed_frames_may_explain_a_silence(scene: Written) -> None:
    """They were sent before alice spoke."""
    scene.journal.write("mallory", 0, "sends", "a frame", ("4x",))
    _unheard(scene, BOB)
    assert absent(scene) == []


def test_the_senders_other_tab_has_a_rule_of_its_own(scene: Written) -> None:
    """Those who joined before it and after it hear what it does not."""
    _comes_in(scene, TAB, "alice")
    _comes_in(scene, MASTER, "bob")
    _unheard(scene, BOB, CAROL, MASTER)
    assert absent(scene) == ["rooms/own-other-connection-hears"]


def test_the_game_master_has_a_rule_of_its_own(scene: Written) -> None:
    """Those who joined before and after hear what the game master does not."""
    _comes_in(scene, MASTER, "gm")
    _comes_in(scene, TAB, "bob")
    _unheard(scene, BOB, CAROL, TAB)
    assert absent(scene) == ["rooms/game-master-hears"]


def test_it_may_not_matter_who_it_is(scene: Written) -> None:
    """The newest of all is the game master: nobody joined later who would hear."""
    _comes_in(scene, MASTER, "gm")
    _unheard(scene, BOB, CAROL)
    assert absent(scene) == []


def test_an_event_that_nobody_hears_reaches_nobody(scene: Written) -> None:
    """Then it matters not who the listener is."""
    _comes_in(scene, MASTER, "gm")
    _unheard(scene)
    assert absent(scene) == ["rooms/every-other-member-hears-once"] * 3


def test_an_encounter_opened_later_has_a_rule_of_its_own(scene: Written) -> None:
    """Unless the listener hears anything of it."""
    body = {"sessionId": "s", "encounterId": "later", "message": "hello"}
    scene.rooms.encounter_opened("later")
    first = scene.says_and_is_answered(ALICE, "hello", args=(body,))
    scene.hears(BOB, first)
    scene.makes_a_round_trip(CAROL)
    assert absent(scene) == []
    second = scene.says_and_is_answered(ALICE, "again", args=({**body, "message": "again"},))
    scene.hears(BOB, second)
    scene.hears(CAROL, second)
    assert absent(scene) == ["rooms/every-other-member-hears-once"]


def test_a_server_that_dies_explains_no_silence_before(scene: Written) -> None:
    """All connections are closed at once, after neither of carol's tabs has heard anything."""
    _comes_in(scene, TAB, "carol")
    _unheard(scene, BOB)
    for connection in (ALICE, BOB, CAROL, TAB):
        scene.closes(connection)
    assert absent(scene) == ["rooms/every-other-member-hears-once"] * 2

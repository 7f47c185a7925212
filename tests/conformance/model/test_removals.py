"""Tabs that are taken out of a room: whether anything explains it, before or after."""

from __future__ import annotations

import pytest
from tests.conformance.model.test_judge import DONE, SAID, Written, no


@pytest.fixture
def play() -> Written:
    """Return a play with a session, an encounter, and nobody connected."""
    return Written()


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        ("nothing", "presence/right-audience"),
        ("a refused join", "join/failed-switch-changes-nothing"),
        ("a removal", ""),
        ("a tab that joins", "join/tabs-are-independent"),
    ],
)
def test_who_is_taken_out_of_a_room(play: Written, reason: str, found: str) -> None:
    """A tab, by whatever explains it, before or after; a join that is refused to another tab does not."""
    play.join("alice", 1)
    play.connect("alice/2", 2)
    play.write("alice", 1, "hears", "session-removed", {"sessionId": "s", "reason": "switched"})
    if reason == "a refused join":
        play.ask("alice/2", 2, "join-session", {"sessionId": "nowhere"}, no("SESSION_NOT_FOUND"))
    if reason == "a tab that joins":
        play.ask("alice/2", 2, "join-session", {"sessionId": "s"}, {"success": True, "data": {}})
    if reason == "a removal":
        play.arrange("membership.remove", session="s", user="alice")
    assert play.names() == ({found} - {""})


def test_a_removal_may_be_heard_of_late(play: Written) -> None:
    """Alice is taken in again and has joined again by then: nothing was done, and she may be in the room or not."""
    play.join("alice", 1)
    play.arrange("membership.remove", session="s", user="alice")
    play.arrange("membership.add", session="s", user="alice")
    play.ask("alice", 1, "join-session", {"sessionId": "s"}, {"success": True, "data": {}})
    play.write("alice", 1, "hears", "session-removed", {"sessionId": "s", "reason": "removed"})
    play.ask("alice", 1, "chat-message", SAID, DONE)
    play.ask("alice", 1, "chat-message", SAID, no("NOT_JOINED"))
    assert play.names() == set()

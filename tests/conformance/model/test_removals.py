"""What is taken away: tabs out of a room, and tokens out of an encounter; whether anything explains it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.model.test_judge import DONE, SAID, Written, no, yes

from dungeonlab_conformance.record.observation import Request


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


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("out", [1, 2])
@pytest.mark.parametrize("answer", ["yes", "no", "none"])
def test_two_tabs_that_join_two_sessions_at_once(play: Written, first: int, out: int, answer: str) -> None:
    """Any of the two may be the last, whichever is answered first; what has been refused by then moves nobody."""
    play.arrange("session.open", session="t", master="gm", members=["alice"], whole=True)
    asked = {1: Request("join-session", ({"sessionId": "s"},), None, "s")}
    asked[2] = Request("join-session", ({"sessionId": "t"},), None, "t")
    listed = {"gameMasterId": "gm", "participantIds": ["alice"]}
    answers = {1: yes({"sessionId": "s", **listed}), 2: yes({"sessionId": "t", **listed})}
    refused = 3 - out
    if answer == "no":
        answers[refused] = no("RATE_LIMITED")
    for tab in (1, 2):
        play.connect(f"alice/{tab}", tab)
    for tab in (1, 2):
        play.write(f"alice/{tab}", tab, "sends", "join-session", *asked[tab].args, request=asked[tab])
    for tab in (first, 3 - first):
        if answer != "none" or tab != refused:
            play.write(f"alice/{tab}", tab, "is answered", "join-session", answers[tab], request=asked[tab])
    left = asked[out].named_session
    play.write(f"alice/{out}", out, "hears", "session-removed", {"sessionId": left, "reason": "switched"})
    assert bool(play.names()) == (answer == "no" and first == refused)


@pytest.mark.parametrize(("session", "found"), [("t", False), ("s", True), ("nowhere", True)])
def test_a_tab_that_joined_without_a_callback_and_another_that_joins_meanwhile(
    play: Written, session: str, found: bool
) -> None:
    """What the first one hears shows that it is in; the other may take it out again, if it may go elsewhere."""
    play.arrange("session.open", session="t", master="gm", members=["alice"], whole=True)
    play.join("bob", 3)
    for tab in (1, 2):
        play.connect(f"alice/{tab}", tab)
    play.ask("alice/1", 1, "join-session", {"sessionId": "s"}, None)
    other = Request("join-session", ({"sessionId": session},), None, session)
    play.write("alice/2", 2, "sends", "join-session", *other.args, request=other)
    play.ask("bob", 3, "chat-message", SAID, DONE, {"alice/1": 1})
    play.write("alice/1", 1, "hears", "session-removed", {"sessionId": "s", "reason": "switched"})
    assert bool(play.names()) == found


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


@pytest.mark.parametrize(
    ("refused", "found"),
    [
        (("token:move", {"position": {"x": 2, "y": 2}}), "tokens/only-deletion-ends-it"),
        (("token:delete", {}), "authorization/refusal-precedes-effect"),
    ],
)
def test_a_token_that_is_gone(play: Written, refused: tuple[str, dict[str, Any]], found: str) -> None:
    """A refused request is blamed for it only if it asked for that."""
    play.join("alice", 1)
    play.connect("mallory", 9)
    play.token_of_alice()
    token = {"sessionId": "s", "encounterId": "e", "tokenId": "t"}
    moved = {"tokenId": "t", "position": {"x": 1, "y": 1, "elevation": 0}, "version": 2}
    play.ask("alice", 1, "token:move", {**token, "position": {"x": 1, "y": 1}}, yes(moved))
    event, more = refused
    play.ask("mallory", 9, event, {**token, **more}, no("PERMISSION_DENIED"))
    play.ask("alice", 1, "token:move", {**token, "position": {"x": 3, "y": 3}}, no("TOKEN_NOT_FOUND"))
    assert play.names() == {found}

"""Tokens of which nobody has learnt the id yet may have one that was another token's, here or in another session."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.model.test_judge import Written, yes

from dungeonlab_conformance.record.observation import Request

PLACE = {"sessionId": "s", "encounterId": "e", "tokenId": "t"}
DRAFT = {"sessionId": "s", "encounterId": "e", "token": {"name": "elf", "position": {"x": 2, "y": 2}}}


def _move(play: Written, place: dict[str, Any]) -> None:
    moved = {"tokenId": "t", "position": {"x": 5, "y": 5, "elevation": 0}, "version": 2}
    play.ask("alice", 1, "token:move", {**place, "position": {"x": 5, "y": 5}}, yes(moved))


@pytest.mark.parametrize(("made", "found"), [(True, set[str]()), (False, {"tokens/delete-ends-it"})])
def test_a_new_token_may_have_the_id_of_a_deleted_one(play: Written, made: bool, found: set[str]) -> None:
    """Alice makes a token without a callback, which may be the one that she moves."""
    play.join("alice", 1)
    play.token_of_alice()
    play.ask("alice", 1, "token:delete", PLACE, yes({"tokenId": "t"}))
    if made:
        play.write("alice", 1, "tells", "token:create", DRAFT, request=Request("token:create", (DRAFT,), None, "s"))
        play.round_trip("alice", 1)
    _move(play, PLACE)
    assert play.names() == found


@pytest.mark.parametrize(("made", "found"), [(True, set[str]()), (False, {"authorization/foreign-token-refused"})])
def test_a_new_token_may_have_the_id_of_one_of_another_session(play: Written, made: bool, found: set[str]) -> None:
    """Alice, who has moved on to another session, makes a token there without a callback."""
    play.arrange("session.open", session="other", master="gm", members=["gm", "alice"], whole=True)
    play.arrange("encounter.open", session="other", encounter="e")
    play.join("alice", 1)
    play.token_of_alice()
    listed = {"sessionId": "other", "gameMasterId": "gm", "participantIds": ["gm", "alice"]}
    play.ask("alice", 1, "join-session", {"sessionId": "other"}, yes(listed))
    there = {**DRAFT, "sessionId": "other"}
    if made:
        play.write("alice", 1, "tells", "token:create", there, request=Request("token:create", (there,), None, "other"))
        play.round_trip("alice", 1)
    _move(play, {**PLACE, "sessionId": "other"})
    assert play.names() == found

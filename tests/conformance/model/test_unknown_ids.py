"""Tokens of which nobody has learnt the id yet may have one that was another token's, here or in another session."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.model.test_judge import Written, no, yes

from dungeonlab_conformance.record.marks import new_mark
from dungeonlab_conformance.record.observation import Request

NAME = new_mark()
PLACE = {"sessionId": "s", "encounterId": "e", "tokenId": "t"}
UPDATE = {**PLACE, "updates": {"isVisible": True}}
DRAFT = {"sessionId": "s", "encounterId": "e", "token": {"name": NAME, "position": {"x": 2, "y": 2}}}


def _move(play: Written, place: dict[str, Any]) -> None:
    moved = {"tokenId": "t", "position": {"x": 5, "y": 5, "elevation": 0}, "version": 2}
    play.ask("alice", 1, "token:move", {**place, "position": {"x": 5, "y": 5}}, yes(moved))


def _token(version: int) -> dict[str, Any]:
    """Return the token that alice drafted, with the id of the one before."""
    return {
        "id": "t", "encounterId": "e", "name": NAME, "size": "medium", "position": {"x": 2, "y": 2, "elevation": 0},
        "isVisible": True, "isPlayerControlled": False, "data": {}, "conditions": [], "version": version,
        "createdBy": "alice",
    }  # fmt: skip


def _tell(play: Written, event: str, body: dict[str, Any], mark: str | None = None) -> None:
    play.write("alice", 1, "tells", event, body, request=Request(event, (body,), mark, "s"))


@pytest.mark.parametrize(("made", "found"), [(True, set[str]()), (False, {"tokens/delete-ends-it"})])
def test_a_new_token_may_have_the_id_of_a_deleted_one(play: Written, made: bool, found: set[str]) -> None:
    """Alice makes a token without a callback, which may be the one that she moves."""
    play.join("alice", 1)
    play.token_of_alice()
    play.ask("alice", 1, "token:delete", PLACE, yes({"tokenId": "t"}))
    if made:
        _tell(play, "token:create", DRAFT)
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


@pytest.mark.parametrize(("made", "found"), [(True, set[str]()), (False, {"tokens/version-grows"})])
def test_a_new_token_may_have_the_id_of_one_that_may_be_deleted(play: Written, made: bool, found: set[str]) -> None:
    """Alice deletes a token and makes one, both without a callback: the versions may be those of the new one."""
    play.join("alice", 1)
    play.token_of_alice()
    _move(play, PLACE)
    _tell(play, "token:delete", PLACE)
    if made:
        _tell(play, "token:create", DRAFT)
    play.round_trip("alice", 1)
    _move(play, PLACE)
    assert play.names() == found


@pytest.mark.parametrize(("asked", "found"), [(True, set[str]()), (False, {"tokens/version-grows"})])
def test_a_new_token_may_have_been_changed_before_it_was_known(play: Written, asked: bool, found: set[str]) -> None:
    """Alice moves a token of the id that a new one has, of which bob hears only then."""
    play.join("alice", 1)
    play.token_of_alice()
    play.join("bob", 2)
    play.ask("alice", 1, "token:delete", PLACE, yes({"tokenId": "t"}))
    _tell(play, "token:create", DRAFT, NAME)
    if asked:
        _move(play, PLACE)
    made = {"sessionId": "s", "encounterId": "e", "token": _token(1)}
    play.write("bob", 2, "hears", "token:create", made)
    changed = {**_token(3), "updatedBy": "alice"}
    moved = {**changed, "position": {"x": 5, "y": 5, "elevation": 0}}
    play.ask("alice", 1, "token:update", UPDATE, yes({"token": moved if asked else changed}))
    assert play.names() == found


@pytest.mark.parametrize(("asked", "found"), [(True, set[str]()), (False, {"tokens/version-grows"})])
def test_a_new_token_may_be_changed_by_what_was_sent_before_it(play: Written, asked: bool, found: set[str]) -> None:
    """Bob changes a token; before he is answered, alice deletes it and makes one, which has the same id."""
    play.join("alice", 1)
    play.join("bob", 2)
    play.token_of_alice()
    request = Request("token:update", (UPDATE,), None, "s")
    if asked:
        play.write("bob", 2, "sends", "token:update", UPDATE, request=request)
    play.ask("alice", 1, "token:delete", PLACE, yes({"tokenId": "t"}))
    play.ask("alice", 1, "token:create", DRAFT, yes({"token": _token(1)}))
    if asked:
        changed = yes({"token": {**_token(2), "updatedBy": "bob"}})
        play.write("bob", 2, "is answered", "token:update", changed, request=request)
    play.ask("alice", 1, "token:update", UPDATE, yes({"token": {**_token(3), "updatedBy": "alice"}}))
    assert play.names() == found


@pytest.mark.parametrize("deleted_by", ["bob", "alice"])
def test_a_new_token_may_be_deleted_by_what_was_sent_before_it(play: Written, deleted_by: str) -> None:
    """Two delete a token; before the one is answered, the other makes one, which has the same id."""
    play.join("alice", 1)
    play.join("bob", 2)
    play.token_of_alice()
    request = Request("token:delete", (PLACE,), None, "s")
    play.write("bob", 2, "sends", "token:delete", PLACE, request=request)
    play.ask("alice", 1, "token:delete", PLACE, yes({"tokenId": "t"}))
    play.ask("alice", 1, "token:create", DRAFT, yes({"token": _token(1)}))
    play.write("bob", 2, "is answered", "token:delete", yes({"tokenId": "t"}), request=request)
    answer = no("TOKEN_NOT_FOUND") if deleted_by == "bob" else yes({"token": {**_token(2), "updatedBy": "alice"}})
    play.ask("alice", 1, "token:update", UPDATE, answer)
    assert play.names() == set()

"""What each event does, without a server around it."""

from __future__ import annotations

from typing import Any

import pytest

from dungeonlab_reference_server.rules import EFFECTS, Command, Effect, Session, question_errors
from dungeonlab_spec import Catalogue, accepts
from dungeonlab_spec.catalogue import examples

CATALOGUE = Catalogue.load()
NOW = "2026-01-01T00:00:00.000Z"
TOKEN = {
    "id": "tok",
    "encounterId": "enc",
    "name": "Goblin",
    "size": "small",
    "position": {"x": 1, "y": 2, "elevation": 5},
    "isVisible": True,
    "isPlayerControlled": False,
    "data": {"hp": 7},
    "conditions": [],
    "version": 3,
    "createdBy": "alice",
}


def applied(event: str, stored: dict[str, Any] | None = None, /, **payload: Any) -> Effect:
    asked = {"sessionId": "ses", "encounterId": "enc", **payload}
    return EFFECTS[event](Command(event, asked, "bob", NOW, "new", stored))


def created(**draft: Any) -> dict[str, Any]:
    saved = applied("token:create", token={"name": "Orc", "position": {"x": 1, "y": 2}, **draft}).saved
    assert saved is not None
    return saved


def test_every_event_with_a_broadcast_has_an_effect() -> None:
    """No row of the catalogue is left without a rule, and no rule without a row."""
    assert EFFECTS.keys() == {event.name for event in CATALOGUE.requests() if event.is_broadcast}


@pytest.mark.parametrize("event", EFFECTS)
def test_what_an_effect_says_fits_the_schemas(event: str) -> None:
    """Answer and emission of each valid request are valid themselves."""
    row = CATALOGUE[event]
    assert row.ack is not None
    assert row.emission is not None
    for payload in examples(event, "valid").values():
        effect = EFFECTS[event](Command(event, payload, "bob", NOW, "new", TOKEN))
        assert accepts(row.ack, {"success": True, "data": effect.answer})
        assert accepts(row.emission, effect.emission.payload)


def test_members_are_participants_and_the_game_master() -> None:
    """The game master is a member without being listed; a stranger is none."""
    session = Session("ses", "Table", "gm", ("alice",))
    assert [session.has_member(user) for user in ("gm", "alice", "mallory")] == [True, True, False]


def test_chat_is_broadcast_as_it_was_sent() -> None:
    """The text is not touched, and nothing is stored."""
    effect = applied("chat-message", message="  <b>hi</b> ")
    assert effect.emission.payload["message"] == "  <b>hi</b> "
    assert effect.emission.payload["userId"] == "bob"
    assert effect.answer == {"messageId": "new", "timestamp": NOW}
    assert (effect.saved, effect.deleted) == (None, None)


def test_a_new_token_has_every_default() -> None:
    """What the draft leaves out is filled in; what is optional stays away."""
    assert created() == {
        "id": "new",
        "encounterId": "enc",
        "name": "Orc",
        "size": "medium",
        "position": {"x": 1, "y": 2, "elevation": 0},
        "isVisible": True,
        "isPlayerControlled": False,
        "data": {},
        "conditions": [],
        "version": 1,
        "createdBy": "bob",
    }


def test_a_new_token_takes_nothing_unknown_over() -> None:
    """Properties of the server's own, and unknown ones at any depth, are not the draft's to set."""
    token = created(
        id="mine",
        version=9,
        createdBy="mallory",
        role="admin",
        conditions=[{"name": "prone", "duration": 2, "x": 1}],
    )
    assert (token["id"], token["version"], token["createdBy"]) == ("new", 1, "bob")
    assert "role" not in token
    assert token["conditions"] == [{"name": "prone", "duration": 2}]


def test_moving_changes_the_position_as_a_whole() -> None:
    """An elevation left out is 0, and nothing else changes but version and updatedBy."""
    effect = applied("token:move", TOKEN, tokenId="tok", position={"x": 8, "y": 9})
    position = {"x": 8, "y": 9, "elevation": 0}
    assert effect.saved == {**TOKEN, "position": position, "version": 4, "updatedBy": "bob"}
    assert effect.answer == {"tokenId": "tok", "position": position, "version": 4}


def test_updating_replaces_what_was_sent() -> None:
    """Data is replaced, not merged; what cannot be updated is not."""
    effect = applied("token:update", TOKEN, tokenId="tok", updates={"data": {"ac": 1}, "position": {"x": 0, "y": 0}})
    assert effect.saved == {**TOKEN, "data": {"ac": 1}, "version": 4, "updatedBy": "bob"}


def test_a_rule_leaves_the_old_token_alone() -> None:
    """Effects are new values: what was stored is not changed behind the store's back."""
    before = {**TOKEN}
    applied("token:update", TOKEN, tokenId="tok", updates={"name": "Orc"})
    assert before == TOKEN


def test_deleting_names_the_token() -> None:
    """The token goes; answer and emission say which."""
    effect = applied("token:delete", TOKEN, tokenId="tok")
    assert (effect.deleted, effect.saved, effect.answer) == ("tok", None, {"tokenId": "tok"})


def question(**payload: Any) -> list[str]:
    inner = {"sessionId": "ses", "encounterId": "enc", "tokenId": "tok", "position": {"x": 1, "y": 2}, **payload}
    return question_errors({"sessionId": "ses", "action": {"type": "token:move", "payload": inner}})


def test_a_question_is_judged_like_the_action() -> None:
    """A good action has no errors, a bad one all of its own, one of another session that."""
    assert question() == []
    assert question(tokenId=5) == ["$.tokenId: expected type string, got number 5"]
    assert question(sessionId="other") == ["the action names another session than the question"]

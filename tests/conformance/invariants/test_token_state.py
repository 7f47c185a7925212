"""Tokens compared by what the protocol says of them, whatever else a server adds."""

from __future__ import annotations

from typing import Any

import pytest

from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.invariants.token_state import changed, known

TOKEN = {"id": "t", "name": "Goblin", "position": {"x": 1, "y": 2, "elevation": 0}, "version": 3, "updatedBy": "alice"}


@pytest.mark.parametrize(
    "after",
    [
        {**TOKEN, "updatedAt": "later", "__v": 4},
        {**TOKEN, "position": {**TOKEN["position"], "_id": 9}},  # type: ignore[dict-item]
        {**TOKEN, "version": 4, "updatedBy": "bob"},
    ],
)
def test_what_the_protocol_does_not_know_may_change(after: dict[str, Any]) -> None:
    """So may what any change of a token changes."""
    assert changed(TOKEN, after) == []
    assert changed(after, TOKEN) == []


def test_what_the_protocol_knows_may_not() -> None:
    """It is named."""
    assert changed(TOKEN, {**TOKEN, "name": "Orc", "updatedAt": "later"}) == ["name"]


@pytest.mark.parametrize(
    ("name", "one", "other", "alike"),
    [
        ("token", TOKEN, {**TOKEN, "updatedAt": "later", "updatedBy": "bob"}, True),
        ("token", TOKEN, {**TOKEN, "version": 4}, False),
        ("position", {"x": 1}, {"x": 1, "_id": 9}, True),
        ("position", {"x": 1}, {"x": 2}, False),
        ("version", 3, 3.0, True),
        ("version", 3, 4, False),
        ("tokenId", "one", "one", True),
        ("tokenId", "one", "other", False),
        ("token", None, TOKEN, False),
    ],
)
def test_broadcast_and_answer_are_compared_by_what_is_known(name: str, one: Any, other: Any, alike: bool) -> None:
    """Each by the name under which both carry it."""
    assert same(known(name, one), known(name, other)) is alike

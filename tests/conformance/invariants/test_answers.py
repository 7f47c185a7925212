"""What answers say beside everything else, on journals written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.written import TIME, Written, contradicted

ALICE, BOB, CAROL = range(1, 4)


@pytest.fixture
def scene() -> Written:
    """Return a scene in which alice, bob and carol have joined."""
    written = Written()
    for connection, user in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")):
        written.joins(connection, user)
    return written


def _says(scene: Written, text: str, *, by: int = ALICE, **named: Any) -> Any:
    return scene.says_and_is_answered(by, text, data={"messageId": "m", "timestamp": TIME, **named})


# -- messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heard", "agrees"),
    [
        ({}, True),
        ({"messageId": "n"}, False),
        ({"messageId": 5}, True),  # a matter of shape
        ({"timestamp": "2026-01-02T03:04:05.679Z"}, False),
        ({"timestamp": "2026-01-02T03:04:05.678000Z"}, True),
        ({"timestamp": "2026-01-02T03:04:05.678999Z"}, True),  # as a database may cut it off
        ({"timestamp": "2026-01-02T03:04:05Z"}, True),
        ({"timestamp": "2026-01-02T03:04:07Z"}, False),
        ({"timestamp": "soon"}, True),  # a matter of shape
    ],
)
def test_a_message_is_the_same_to_all(scene: Written, heard: dict[str, Any], agrees: bool) -> None:
    """Its id letter by letter, its time to the digits that both have; what is neither is judged elsewhere."""
    scene.hears(BOB, _says(scene, "hello"), **heard)
    assert contradicted(scene) == ([] if agrees else ["chat/answer-and-broadcast-agree"])


def test_of_two_alike_messages_either_may_be_heard_first(scene: Written) -> None:
    """Said twice with the same words: a broadcast has to agree with one of the answers."""
    first, second = _says(scene, "hello"), _says(scene, "hello", messageId="n")
    scene.hears(BOB, second, messageId="n")
    scene.hears(BOB, first)
    assert contradicted(scene) == []
    scene.hears(CAROL, first, messageId="o")
    assert contradicted(scene) == ["chat/answer-and-broadcast-agree"]


def test_ids_of_messages_differ(scene: Written) -> None:
    """No matter who says them; those of different sessions may be alike."""
    other = Written("t")
    other.joins(ALICE + 10, "alice")
    _says(scene, "hello")
    _says(other, "hello", by=ALICE + 10)
    _says(scene, "and more", messageId="n")
    assert contradicted(scene, other) == []
    _says(scene, "goodbye", by=BOB)
    assert contradicted(scene, other) == ["chat/message-ids-differ"]

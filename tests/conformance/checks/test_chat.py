"""How texts that did not arrive as they were sent are shown."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.checks.chat import _shown

LONG = "a" * 300


@pytest.mark.parametrize(
    ("text", "other", "shown"),
    [
        ("end ", "end", "4 characters: 'end '"),
        ("end", None, "3 characters: 'end'"),
        (None, "end", "None"),
        (f"{LONG} ", LONG, "301 characters, from number 301 on: ' '"),
        (LONG, f"{LONG} ", "300 characters, from number 301 on: ''"),
        (f"b{LONG}", LONG, f"301 characters: 'b{LONG[:198]}"),
    ],
)
def test_where_two_texts_differ_can_be_seen(text: object, other: object, shown: str) -> None:
    """The beginning of a long text is not shown if that is right."""
    assert _shown(text, other) == shown

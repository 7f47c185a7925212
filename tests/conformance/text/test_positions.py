"""The lines on which values stand in a JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dungeonlab_conformance.text.positions import lines
from dungeonlab_spec.pointer import pointer_of

TEXT = """
{
  "a": {"b": [1,
    2, {"c d": null}],
    "x": {}, "y": []
  },
  "e\\u00e9/": "{\\"a\\":\\n",
  "": [[], {},
    true]
}
"""


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("", 2),
        ("/a", 3),
        ("/a/b", 3),
        ("/a/b/0", 3),
        ("/a/b/1", 4),
        ("/a/b/2/c d", 4),
        ("/a/y", 5),
        ("/eé~1", 7),
        ("//1", 8),
        ("//2", 9),
        ("/missing", 2),
        ("/a/b/2/missing/deeper", 4),
        ("/a/x/missing", 5),
    ],
)
def test_a_value_has_a_line(pointer: str, line: int) -> None:
    """Its own, or that of the innermost value around what is missing."""
    assert lines(TEXT, [pointer]) == {pointer: line}


def test_many_values_are_found_at_once() -> None:
    """In one pass."""
    assert lines(TEXT, ["/a", "", "//2"]) == {"/a": 3, "": 2, "//2": 9}


@pytest.mark.parametrize("text", ["5", '"a\\\\"', "[]", "null"])
def test_a_text_may_be_one_value(text: str) -> None:
    """Of any kind."""
    assert lines(text, ["", "/a/b"]) == {"": 1, "/a/b": 1}


def test_depth_is_no_trouble() -> None:
    """Nothing is called by itself."""
    assert lines("[\n" * 100_000 + "]" * 100_000, ["/0/0/0"]) == {"/0/0/0": 4}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every value of a document with the path to it, in the order in which it is written."""
    yield path, value
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=60, deadline=None)
def test_each_value_is_found_where_it_is_written(value: Any) -> None:
    """Each line of an indented text holds the beginning of one value, in the order of the document."""
    text = json.dumps(value, indent=1)
    pointers = [pointer_of(path) for path, _ in leaves(value)]
    starts = [n for n, line in enumerate(text.splitlines(keepends=False), 1) if line.strip(" ],}")]
    assert [lines(text, [pointer])[pointer] for pointer in pointers] == starts

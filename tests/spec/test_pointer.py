"""JSON pointers: where they lead, and where they do not."""

from __future__ import annotations

from typing import Any

import pytest

from dungeonlab_spec.pointer import at, find, keys, pointer_of

VALUE = {"a": {"": [1, {"b/c": "x", "m~n": None}]}, "text": "abc"}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("", VALUE), ("/text", "abc"), ("/a//0", 1), ("/a//1/b~1c", "x"), ("/a//1/m~0n", None)],
)
def test_what_stands_there(pointer: str, found: Any) -> None:
    """Keys and numbers, the empty key, and both escapes; the empty pointer is the whole."""
    assert at(VALUE, pointer) == found


@pytest.mark.parametrize("pointer", ["/", "/b", "/a//2", "/a//x", "/text/0", "/a//1/m~0n/x"])
def test_nothing_stands_there(pointer: str) -> None:
    """A key or a number that is not there, and whatever would stand in a text or in nothing."""
    with pytest.raises(KeyError):
        at(VALUE, pointer)
    assert find(VALUE, pointer) is None


def test_keys_are_unescaped_once() -> None:
    """``~01`` is ``~1``, not a slash."""
    assert keys("/~01/b") == ("~1", "b")


def test_a_pointer_is_put_together() -> None:
    """It leads where the keys do, whatever characters they hold."""
    path = ("a/b", "~1", 0, "")
    assert pointer_of(path) == "/a~1b/~01/0/"
    assert keys(pointer_of(path)) == ("a/b", "~1", "0", "")
    assert pointer_of([]) == ""

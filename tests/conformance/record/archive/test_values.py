"""Values come back from JSON as they were, whatever they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from tests.conformance.arbitrary import VALUES, quickly

from dungeonlab_conformance.record.archive.packed import packed, unpacked
from dungeonlab_conformance.record.archive.placeholders import Placeholders
from dungeonlab_conformance.record.archive.read import Damaged, Payloads
from dungeonlab_conformance.record.archive.values import Other, TooLarge, Writer, read
from dungeonlab_conformance.record.archive.write import Shelf
from dungeonlab_conformance.record.secrets.redaction import Secrets


def shelf() -> Shelf:
    """Return a shelf for which nothing is secret."""
    return Shelf(Placeholders(Secrets()))


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same to the last digit, of the same types, at any depth; without recursion."""
    ahead = [(one, other)]
    while ahead:
        one, other = ahead.pop()
        if type(one) is object:
            one = Other("object")
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            ahead += [*zip(one, other, strict=True), *zip(one.values(), other.values(), strict=True)]
        elif isinstance(one, list | tuple):
            if len(one) != len(other):
                return False
            ahead.extend(zip(one, other, strict=True))
        elif isinstance(one, float):
            if repr(one) != repr(other):
                return False
        elif one != other:
            return False
    return True


@quickly(100)
@given(VALUES)
@example(["\ud83d\ude00", "\ud83d", "\U0001f600"])
@example([{"$bytes": "x"}, {"$": 1, "b": 2}, {1: 2, "1": 3}, ({"$tuple": []},), [[], (), {}]])
@example([1, 1.0, True, -0.0, 2**53, 10**27, 10**28, -(10**28), 1e400, "mark-0a-1."])
def test_a_value_comes_back_exactly(value: object) -> None:
    """Types and digits, the order of properties, halves of surrogate pairs; what is of no such type by its name."""
    there = shelf()
    number = there.number([value])
    back = Payloads(unpacked(packed(there.payloads))).arguments(number)
    assert alike([value], list(back))


def test_what_is_the_same_is_written_once() -> None:
    """Payloads that are equal share a number; those that only seem to do not."""
    there = shelf()
    payloads: list[list[Any]] = [[{"a": 1}], [{"a": 1}], [{"a": 1.0}], [{"a": True}], [("a",)], [["a"]], [b"a"], [b"a"]]
    assert [there.number(value) for value in payloads] == [0, 0, 1, 2, 3, 4, 5, 5]


def test_what_is_too_large_is_not_kept() -> None:
    """A packet may hold one attachment ten thousand times: nobody writes that out."""
    attachment = b"x" * 4_000_000
    with pytest.raises(TooLarge):
        Writer(Placeholders(Secrets()), 10_000_000).written([attachment] * 10_000)
    with pytest.raises(TooLarge):
        Writer(Placeholders(Secrets()), 100).written(["y" * 101])


@pytest.mark.parametrize(
    "written",
    [
        {"$nothing": 1},
        {"$int": "x"},
        {"$int": 5},
        {"$int": "f" * 5_000_000},
        {"$float": "1.5"},
        {"$bytes": "ä"},
        {"$dict": [[1]]},
        {"$dict": [[["a"], 1]]},
        {"$dict": 1},
        {"$text": ["a", 1]},
        {"$flat": []},
        {"$flat": [["list", 2], [1]]},
        {"$flat": [["list", 1], [1], [2]]},
        {"$flat": [["set", 1], [1]]},
        {"$flat": [["dict", 3]]},
        {"$flat": [1]},
        {"$flat": [["list", "x"]]},
    ],
)
def test_what_nobody_has_written_is_refused(written: object) -> None:
    """It is a `ValueError`, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        read(written)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64!",
        "AAAA",
        packed([1])[:-8],
        packed([1]) + packed([1]),
        packed(json.loads("[" * 130 + "]" * 130)),
    ],
)
def test_what_nobody_has_packed_is_refused(text: str) -> None:
    """With the end of a sentence."""
    with pytest.raises(Damaged):
        unpacked(text)


def test_what_would_unpack_into_too_much_is_refused() -> None:
    """Few characters can hold very much; no more than a run may hold is unpacked."""
    import base64
    import zlib

    for text in (b" " * 300_000_000, b"[" + b"1," * 5_000_000 + b"1]"):
        bomb = base64.b64encode(zlib.compress(text)).decode()
        with pytest.raises(Damaged):
            unpacked(bomb)

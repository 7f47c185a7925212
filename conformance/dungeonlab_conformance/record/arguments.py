"""The arguments of an event: written as JSON, for messages and transcripts, and read back.

What a server sent is arbitrary: endlessly nested, huge, no Unicode, no JSON at all. Nothing here raises on it, and
nothing takes longer or more memory than the part of it that is kept.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

LONGEST = 1 << 16  # characters of a payload that are kept; the rest of a longer one would fill files with one letter
LONGEST_NAME = 300  # characters of an event's name that are kept
DEEPEST = 200  # levels of a payload that are kept; what writes and reads JSON recurses
_MOST_LEAVES = 1 << 20  # that are looked through; a message of 2 MB holds no more
_LONGEST_INTEGER = 4096  # bits; Python refuses to write out a number of more than 4,300 digits
_CUT = "…"
QUOTED = 4_000  # characters of a value that a message repeats
_SURROGATE = re.compile("[\ud800-\udfff]")


class Arguments(tuple[Any, ...]):
    """What came with an event; in a message it reads as JSON. They are looked through often, and never change."""

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every text in them but the names of properties, at any depth."""
        return self._texts_and_numbers[0]

    @cached_property
    def numbers(self) -> frozenset[float]:
        """Every number in them, at any depth; 1.0 is 1."""
        return self._texts_and_numbers[1]

    @cached_property
    def _texts_and_numbers(self) -> tuple[tuple[str, ...], frozenset[float]]:
        texts, numbers = [], set()
        for leaf in leaves(self):
            if isinstance(leaf, str):
                texts.append(leaf)
            elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
                numbers.add(leaf)
        return tuple(texts), frozenset(numbers)

    def __str__(self) -> str:
        return body(self)[0] or "no argument"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def leaves(found: object) -> Iterator[object]:
    """Yield what stands in a payload where nothing more is nested, in no particular order; a million of it at most."""
    ahead, budget = [found], _MOST_LEAVES
    while ahead and budget:
        value = ahead.pop()
        budget -= 1
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            ahead.extend(itertools.islice(value.values(), budget))
        elif isinstance(value, list | tuple):
            ahead.extend(itertools.islice(value, budget))
        else:
            yield value


def quoted(value: object) -> str:
    """Return a value as a message repeats it: as Python writes it, and no more of it than anybody reads.

    What cannot be written out, since it lies too deep or has too many digits, is named by its type. Never raises.
    """
    excerpt = _Excerpt(QUOTED)
    copies = excerpt.copy((value,))  # a packet can hold four megabytes ten thousand times, as the same attachment
    is_cut = excerpt.cut and isinstance(value, dict | list | tuple | str | bytes | bytearray)
    try:
        text = repr(copies[0] if is_cut else value)
    except (RecursionError, ValueError):
        return f"something of type {type(value).__name__} that is too deep or too long to be shown"
    return text if len(text) <= QUOTED else text[:QUOTED] + "…"


def body(args: Iterable[Any], clean: Callable[[str], str] = str, longest: int = LONGEST) -> tuple[str, bool]:
    """Return arguments as JSON, comma between them, and whether anything of them is missing.

    `clean` takes out of the text what is not to be seen. Bytes are `{"$binary": "<base64>"}`. What JSON cannot hold
    is named by its type; what is too long or too deep ends in an ellipsis.
    """
    whole = _Excerpt(longest)
    text = ", ".join(json.dumps(arg, ensure_ascii=False) for arg in whole.copy(args))
    text = clean(storable(text))
    return (text, whole.cut) if len(text) <= longest else (text[:longest] + _CUT, True)


def name(event: object, clean: Callable[[str], str] = str) -> str:
    """Return the name of an event as a text that a file can hold; one that is no text is written as JSON."""
    if not isinstance(event, str):
        return body((event,), clean, LONGEST_NAME)[0]
    if len(event) > LONGEST_NAME:
        event = event[:LONGEST_NAME] + _CUT
    return clean(storable(event))


class _Excerpt:
    """Copies of values that JSON can hold, with about `room` characters of text in all; `cut` if they lack anything."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.cut = False
        self._open: list[tuple[list[Any] | dict[str, Any], Iterator[Any]]] = []  # what is being filled, and with what

    def copy(self, args: Iterable[Any]) -> list[Any]:
        """Return copies of arguments, one by one; without recursion, since nobody knows how deep they are."""
        copies: list[Any] = []
        self._open = [(copies, iter(args))]
        while self._open:
            into, ahead = self._open[-1]
            try:
                item = next(ahead)
            except StopIteration:
                self._open.pop()
                continue
            if self.room <= 0:
                item = (_CUT, self._lost(_CUT)) if isinstance(into, dict) else self._lost(_CUT)
                self._open[-1] = into, iter(())
            self.room -= 2  # for what stands between
            if isinstance(into, dict):
                key, value = item
                into[self._key(key)] = self._value(value)
            else:
                into.append(self._value(item))
        return copies

    def _value(self, value: Any) -> Any:
        match value:
            case None | bool() | float():
                return value
            case str():
                return self._text(value)
            case int():
                return value if value.bit_length() <= _LONGEST_INTEGER else self._lost(_integer(value))
            case bytes() | bytearray():
                kept = value[: max(self.room, 0)]
                self.cut = self.cut or len(kept) < len(value)
                self.room -= len(kept)
                return {"$binary": base64.b64encode(kept).decode()}
            case dict() | list() | tuple() if len(self._open) > DEEPEST:
                return self._lost(_CUT)
            case dict():
                return self._opened({}, iter(value.items()))
            case list() | tuple():
                return self._opened([], iter(value))
        return self._lost(f"({type(value).__name__})")

    def _opened(self, into: Any, ahead: Iterator[Any]) -> Any:
        self._open.append((into, ahead))
        return into

    def _text(self, text: str) -> str:
        kept = text[: max(self.room, 0)]
        self.room -= len(kept)
        return kept if len(kept) == len(text) else self._lost(kept + _CUT)

    def _key(self, key: Any) -> str:
        value = self._value(key if isinstance(key, str | int | float | None) else f"({type(key).__name__})")
        return value if isinstance(value, str) else json.dumps(value)

    def _lost(self, instead: str) -> str:
        self.cut = True
        return instead


def _integer(value: int) -> str:
    return f"(an integer of about {value.bit_length() * 30103 // 100000 + 1} digits)"


def storable(json_text: str) -> str:
    """Return JSON in which lone surrogates, which no file can hold, are escaped."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def arguments(body: str) -> list[Any]:
    """Return what `body` was made of. Raises `ValueError` if it is not whole."""
    try:
        return [_restored(arg) for arg in json.loads(f"[{body}]")]
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _restored(value: Any) -> Any:
    match value:
        case {"$binary": str(text)} if len(value) == 1:
            return base64.b64decode(text)
        case dict():
            return {key: _restored(inner) for key, inner in value.items()}
        case list():
            return [_restored(inner) for inner in value]
    return value

"""Any value of a record as JSON, and exactly back: a server's arguments, those of an adapter, or our own.

What JSON has no notation for is an object with one property whose name begins with a dollar sign:

    $dict        keys and values, where a key is no text or begins with a dollar sign
    $tuple       its items
    $int         a very large one, in hexadecimal
    $float       nan, inf or -inf
    $text        pieces between which two halves of a surrogate pair stand that are no pair
    $bytes       in base64; $bytearray as well
    $other       the type of something else, of which nothing more is kept
    $flat        what lies very deep: what is opened and what stands in it, in order
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

DEEPEST = 40  # levels that are nested in JSON too
_LARGEST = 90  # bits of an integer in decimal, which has 28 digits then
_LONGEST = 1 << 22  # hexadecimal digits of an integer
_HALVES = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")
_NAMED_FLOATS = {name: float(name) for name in ("nan", "inf", "-inf")}


class TooLarge(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """A record is larger than may be kept; the message is the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Other:
    """What stands for a value of another type, such as one of an adapter's own."""

    type: str


class Hiding(Protocol):
    """What takes the place of what is secret: the same for the same, under whatever name it stands."""

    def is_needed(self, value: object) -> bool:
        """Whether anything in a value may be secret."""

    def text(self, text: str, name: str = "") -> str:
        """Return a text without secrets; `name` is that of the property that it is the value of."""

    def number(self, number: int | float) -> int | float:
        """Return a number whose digits hold no secret."""

    def data(self, data: bytes) -> bytes:
        """Return bytes without secrets."""


class Writer:
    """Writes values as what `json.dumps` takes, within `room` characters for all of them."""

    def __init__(self, hiding: Hiding, room: int) -> None:
        self._hiding = hiding
        self._room = room

    def written(self, value: Any, name: str = "", depth: int = 0) -> Any:
        """Return a value as JSON has it. Raises `TooLarge`."""
        if isinstance(value, dict | list | tuple):
            self.take(2)
            if depth >= DEEPEST:
                return {"$flat": self._flat(value, name)}
            if isinstance(value, dict):
                return self._dict(value, name, depth)
            items = [self.written(item, name, depth + 1) for item in value]
            return items if isinstance(value, list) else {"$tuple": items}
        return self._leaf(value, name)

    def take(self, characters: int) -> None:
        """Count what is written. Raises `TooLarge` once that is too much."""
        self._room -= characters
        if self._room < 0:
            raise TooLarge("larger than what is kept of a run")

    def _dict(self, value: dict[Any, Any], name: str, depth: int) -> Any:
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {
                self._plain(self._hiding.text(key)): self.written(item, key, depth + 1) for key, item in value.items()
            }
        return {"$dict": [[self.written(key), self.written(item, name, depth + 1)] for key, item in value.items()]}

    def _plain(self, key: str) -> str:
        self.take(len(key) + 4)
        return key

    def _leaf(self, value: Any, name: str) -> Any:
        self.take(8)
        match value:
            case None | bool():
                return value
            case str():
                return self._text(self._hiding.text(value, name))
            case int():
                return self._integer(int(self._hiding.number(value)))
            case float() if math.isfinite(value):
                return self._hiding.number(value)
            case float():
                return {"$float": repr(value)}
            case bytes() | bytearray():
                self.take(len(value) * 4 // 3)
                kept = base64.b64encode(self._hiding.data(bytes(value))).decode()
                return {"$bytes" if isinstance(value, bytes) else "$bytearray": kept}
            case Other(kind):
                return {"$other": kind}
        return {"$other": type(value).__name__}

    def _text(self, text: str) -> Any:
        self.take(len(text))
        pieces = _HALVES.split(text)
        return text if len(pieces) == 1 else {"$text": pieces}

    def _integer(self, value: int) -> Any:
        if value.bit_length() <= _LARGEST:
            return value
        self.take(value.bit_length() // 4)
        return {"$int": f"{value:x}"}

    def _flat(self, value: Any, name: str) -> list[Any]:
        """Return what is opened, as its kind and its size or keys, and in brackets what holds nothing more."""
        tokens: list[Any] = []
        ahead = [(value, name)]
        while ahead:
            value, name = ahead.pop()
            self.take(8)
            if isinstance(value, dict):
                tokens.append(["dict", [self._leaf(key, "") for key in value]])
                ahead.extend((item, key if isinstance(key, str) else name) for key, item in reversed(value.items()))
            elif isinstance(value, list | tuple):
                tokens.append(["list" if isinstance(value, list) else "tuple", len(value)])
                ahead.extend((item, name) for item in reversed(value))
            else:
                tokens.append([self._leaf(value, name)])
        return tokens


def read(value: Any) -> Any:
    """Return the value that was written. Raises `ValueError` if none was."""
    if isinstance(value, list):
        return [read(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(key, inner)] = value.items()
        if key.startswith("$"):
            return _tagged(key, inner)
    return {key: read(item) for key, item in value.items()}


def _tagged(tag: str, inner: Any) -> Any:
    reader, kind = _TAGS.get(tag, (None, object))
    if reader is None or not isinstance(inner, kind):
        raise ValueError(f"{tag[:40]!r} stands for no value")
    try:
        return reader(inner)
    except (binascii.Error, KeyError, TypeError, IndexError):
        raise ValueError(f"what stands under {tag!r} is none") from None


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST or not re.fullmatch("-?[0-9a-f]+", digits):
        raise ValueError("an integer has no such digits")
    return int(digits, 16)


def _text(pieces: Sequence[str]) -> str:
    return "".join(pieces)


def _pairs(pairs: Sequence[Any]) -> dict[Any, Any]:
    return {read(key): read(item) for key, item in pairs}


_OPENED: dict[str, Callable[[list[Any]], Any]] = {"list": list, "tuple": tuple}


def _flat(tokens: Sequence[Any]) -> Any:
    """Return what was laid out flat, without recursion."""
    opened: list[tuple[Callable[[list[Any]], Any], int, list[Any]]] = []  # what makes it, of how many, and those
    for place, token in enumerate(tokens):
        if len(token) == 1:
            done = read(token[0])
        else:
            kind, size = token
            keys = [read(key) for key in size] if kind == "dict" else []
            make = _OPENED[kind] if kind != "dict" else lambda items, keys=keys: dict(zip(keys, items, strict=True))
            count = len(keys) if kind == "dict" else int(size)
            if count > 0:
                opened.append((make, count, []))
                continue
            done = make([])
        while opened:
            make, count, items = opened[-1]
            items.append(done)
            if len(items) < count:
                break
            opened.pop()
            done = make(items)
        else:
            if place < len(tokens) - 1:
                break
            return done
    raise ValueError("what was laid out flat is not whole")


_TAGS: dict[str, tuple[Callable[[Any], Any], type]] = {
    "$dict": (_pairs, list),
    "$tuple": (lambda items: tuple(map(read, items)), list),
    "$int": (_integer, str),
    "$float": (_NAMED_FLOATS.__getitem__, str),
    "$text": (_text, list),
    "$bytes": (lambda text: base64.b64decode(text, validate=True), str),
    "$bytearray": (lambda text: bytearray(base64.b64decode(text, validate=True)), str),
    "$other": (Other, str),
    "$flat": (_flat, list),
}

"""The arguments of an event: written as JSON, for messages and transcripts, and read back."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

LONGEST = 1 << 16  # characters of a payload that are kept; the rest of a longer one would fill files with one letter
QUOTED = 4_000  # characters of a value that a message repeats
_SURROGATE = re.compile("[\ud800-\udfff]")


class Arguments(tuple[Any, ...]):
    """What came with an event; in a message it reads as JSON. They are looked through often, and never change."""

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every text in them but the names of properties, at any depth."""
        return tuple(leaf for leaf in leaves(self) if isinstance(leaf, str))

    @cached_property
    def numbers(self) -> frozenset[float]:
        """Every number in them, at any depth; 1.0 is 1."""
        return frozenset(leaf for leaf in leaves(self) if isinstance(leaf, int | float) and not isinstance(leaf, bool))

    def __str__(self) -> str:
        return body(self)[0] or "no argument"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def leaves(found: object) -> Iterator[object]:
    """Yield what stands in a payload where nothing more is nested, in no particular order."""
    ahead = [found]
    while ahead:
        value = ahead.pop()
        if isinstance(value, dict):
            ahead.extend(value.values())
        elif isinstance(value, list | tuple):
            ahead.extend(value)
        else:
            yield value


def quoted(value: object) -> str:
    """Return a value as a message repeats it: as Python writes it, and no more of it than anybody reads.

    What cannot be written out, since it lies too deep or has too many digits, is named by its type. Never raises.
    """
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        return f"something of type {type(value).__name__} that is too deep or too long to be shown"
    return text if len(text) <= QUOTED else text[:QUOTED] + "…"


def body(args: Sequence[Any], clean: Callable[[str], str] = str) -> tuple[str, bool]:
    """Return arguments as JSON, comma between them, and whether anything of them is missing.

    `clean` takes out of the whole text what is not to be seen, before that is shortened. Bytes are
    `{"$binary": "<base64>"}`. What JSON cannot hold is named by its type.
    """
    try:
        text = ", ".join(json.dumps(arg, ensure_ascii=False, default=_binary) for arg in args)
    except (TypeError, ValueError, RecursionError):
        return ", ".join(type(arg).__name__ for arg in args), True
    text = clean(storable(text))
    return (text, False) if len(text) <= LONGEST else (text[:LONGEST] + "…", True)


def storable(json_text: str) -> str:
    """Return JSON in which lone surrogates, which no file can hold, are escaped."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def arguments(body: str) -> list[Any]:
    """Return what `body` was made of. Raises `ValueError` if it is not whole."""
    return [_restored(arg) for arg in json.loads(f"[{body}]")]


def _binary(value: object) -> dict[str, str]:
    if isinstance(value, bytes | bytearray):
        return {"$binary": base64.b64encode(value).decode()}
    raise TypeError(type(value).__name__)


def _restored(value: Any) -> Any:
    match value:
        case {"$binary": str(text)} if len(value) == 1:
            return base64.b64decode(text)
        case dict():
            return {key: _restored(inner) for key, inner in value.items()}
        case list():
            return [_restored(inner) for inner in value]
    return value

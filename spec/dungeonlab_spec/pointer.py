"""JSON pointers (RFC 6901), such as ``/data/id``: the one place that takes them apart and puts them together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def keys(pointer: str) -> tuple[str, ...]:
    """Return the keys that a pointer names, from the outside in; none for the empty one."""
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:])


def pointer_of(path: Iterable[str | int]) -> str:
    """Return the pointer that names such keys and items, from the outside in."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def at(value: Any, pointer: str) -> Any:
    """Return what stands there in a value. Raises `KeyError` if nothing does."""
    for key in keys(pointer):
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise KeyError(pointer) from None
    return value


def find(value: Any, pointer: str) -> Any:
    """Return what stands there in a value, or None if nothing does."""
    try:
        return at(value, pointer)
    except KeyError:
        return None

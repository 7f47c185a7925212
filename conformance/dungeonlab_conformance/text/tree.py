"""Values as JSON and TOML have them, dicts and lists in each other: looked through, however deep they are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Key = str | int  # of a dict, or the number of an item in a list


class TooDeep(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """A text is nested deeper than can be read; the message is the end of a sentence."""

    def __init__(self) -> None:
        super().__init__("it is nested too deeply to be read")


def deeper_than(value: object, levels: int) -> bool:
    """Say whether dicts and lists are nested in each other more than so many levels deep; without recursion."""
    ahead = [value]
    for _ in range(levels + 1):
        nested = [each for each in ahead if isinstance(each, dict | list)]
        if not nested:
            return False
        ahead = [inner for outer in nested for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return True


def names(value: object) -> Iterator[str]:
    """Yield the name of every property, at any depth, in no particular order; without recursion."""
    return (name for name, _ in properties(value))


def properties(value: object) -> Iterator[tuple[str, Any]]:
    """Yield every property, at any depth, as its name and value, in no particular order; without recursion."""
    ahead = [value]
    while ahead:
        found = ahead.pop()
        if isinstance(found, dict):
            yield from ((name, inner) for name, inner in found.items() if isinstance(name, str))
            ahead.extend(found.values())
        elif isinstance(found, list | tuple):
            ahead.extend(found)


def replaced(value: Any, path: Sequence[Key], new: Any) -> Any:
    """Return a value with something else at a path; what is not on the path is shared with the first one."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


def copied(value: Any) -> Any:
    """Return a copy of a JSON value that shares no list and no object with it."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


def with_texts(value: Any, change: Callable[[str, tuple[Key, ...]], Any], at: tuple[Key, ...] = ()) -> Any:
    """Return a copy in which each text is what `change` makes of it and of the keys that lead to it; keys stay."""
    if isinstance(value, dict):
        return {key: with_texts(inner, change, (*at, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [with_texts(inner, change, (*at, number)) for number, inner in enumerate(value)]
    return change(value, at) if isinstance(value, str) else value

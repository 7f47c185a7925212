"""Whether a broadcast carries what its request asked for. Pure; reads the schemas for what either may hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.record.arguments import leaves, quoted
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.payloads import Schema, resolved

_DEEPEST = 8  # levels at which a difference is looked for; the protocol's own payloads have fewer
_ABSENT = object()
Difference = tuple[str, str, str]  # JSON path in the broadcast, what was asked for, what came


def differences(request: Request, seen: Observation) -> list[Difference]:
    """Return what a request asked for and its broadcast lacks or has otherwise."""
    return [(path, quoted(asked), quoted(came)) for path, asked, came in _differing(request, seen)]


def differs(request: Request, seen: Observation) -> bool:
    """Whether a broadcast lacks anything that a request asked for, or has it otherwise."""
    return next(_differing(request, seen), None) is not None


def agreement(request: Request, seen: Observation) -> int:
    """Return how many values that a request asked for its broadcast has."""
    return sum(1 for _ in leaves(request.args)) - sum(1 for _ in _differing(request, seen))


def _differing(request: Request, seen: Observation) -> Iterator[tuple[str, Any, Any]]:
    schema = Catalogue.load()[request.event].request
    came = seen.args[0] if seen.args else None
    if schema is None or not request.args or not isinstance(request.args[0], dict) or not isinstance(came, dict):
        return
    if "updates" in request.args[0]:
        came = {**came, "updates": came.get("token")}  # an update is broadcast as part of the whole token
    asked = {key: value for key, value in request.args[0].items() if key != "sessionId"}  # that has its own invariant
    yield from _lacking(asked, came, resolve(schema), "$")


def asks_for(event: str) -> frozenset[str]:
    """Return the names of all that a request of an event may say."""
    request = Catalogue.load()[event].request
    return frozenset(resolved(resolve(request))[0].get("properties", ())) if request else frozenset()


def _lacking(asked: Any, came: Any, schema: Schema, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield what was asked for, in properties that a request may have, and did not come as it was."""
    definition, file = resolved(schema)
    properties, items = definition.get("properties"), definition.get("items")
    if isinstance(asked, dict) and isinstance(came, dict) and properties:
        for key, value in asked.items():
            if key in properties and not _is_plainly(value, came.get(key)):
                yield from _lacking(value, came.get(key), (properties[key], file), f"{path}.{key}")
    elif isinstance(asked, list) and isinstance(came, list) and items and len(asked) == len(came):
        for number, (value, other) in enumerate(zip(asked, came, strict=True)):
            yield from _lacking(value, other, (items, file), f"{path}[{number}]")
    elif not same(asked, came):
        yield path, asked, came


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are one, at any depth: numbers are doubles, however they are written."""
    if _is_plainly(one, other):
        return True
    ahead = [(one, other)]
    while ahead:
        one, other = ahead.pop()
        if one is other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            ahead.extend((one[key], other[key]) for key in one)
        elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
            if len(one) != len(other):
                return False
            ahead.extend(zip(one, other, strict=True))
        elif not _equal(one, other):
            return False
    return True


def _is_plainly(one: Any, other: Any) -> bool:
    """Whether two values are one text, or one number that is written alike: most are, and need no closer look."""
    kind = type(one)
    return one is other or ((kind is str or kind is int or kind is float) and type(other) is kind and one == other)


def unlike(expected: Any, came: Any, path: str, words: str = "") -> Broken:
    """Return how a value is not what was expected: at the path below which they differ, without what is alike there.

    `words` say after the value what was expected of it, such as ``as before``.
    """
    for _ in range(_DEEPEST):
        if not isinstance(expected, dict) or not isinstance(came, dict):
            break
        keys = [key for key in {**expected, **came} if not same(expected.get(key, _ABSENT), came.get(key, _ABSENT))]
        if len(keys) != 1:
            expected, came = ({key: found[key] for key in keys if key in found} for found in (expected, came))
            break
        path += f".{keys[0]}"
        expected, came = expected.get(keys[0], _ABSENT), came.get(keys[0], _ABSENT)
    wanted, got = ("nothing" if value is _ABSENT else quoted(value) for value in (expected, came))
    return Broken(f"{wanted} {words}".rstrip(), got, path)


def _equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are one that hold nothing more, or are of different kinds."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (max(abs(one), abs(other)) < 1e300 and float(one) == float(other))
    return type(one) is type(other) and bool(one == other)

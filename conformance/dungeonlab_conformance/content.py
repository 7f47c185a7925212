"""Whether a broadcast carries what its request asked for. Pure; reads the schemas for what either may hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.journal import Observation, Said
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import resolve

Schema = tuple[Any, str]  # a definition, and the file that its references start from
Difference = tuple[str, str, str]  # JSON path in the broadcast, what was asked for, what came


def differences(said: Said, seen: Observation) -> list[Difference]:
    """Return what a request asked for and its broadcast lacks or has otherwise."""
    request = Catalogue.load()[said.event].request
    came = seen.args[0] if seen.args else None
    if request is None or not said.args or not isinstance(said.args[0], dict) or not isinstance(came, dict):
        return []
    if "updates" in said.args[0]:
        came = {**came, "updates": came.get("token")}  # what was updated is told as part of the whole token
    asked = {key: value for key, value in said.args[0].items() if key != "sessionId"}  # that has its own invariant
    return list(_lacking(asked, came, resolve(request), "$"))


def asks_for(event: str) -> frozenset[str]:
    """Return the names of all that a request of an event may say."""
    request = Catalogue.load()[event].request
    return frozenset(_resolved(resolve(request))[0].get("properties", ())) if request else frozenset()


def _lacking(asked: Any, came: Any, schema: Schema, path: str) -> Iterator[Difference]:
    """Yield what was asked for, in properties that a request may have, and did not come as it was."""
    definition, file = _resolved(schema)
    properties, items = definition.get("properties"), definition.get("items")
    if isinstance(asked, dict) and isinstance(came, dict) and properties:
        for key, value in asked.items():
            if key in properties:
                yield from _lacking(value, came.get(key), (properties[key], file), f"{path}.{key}")
    elif isinstance(asked, list) and isinstance(came, list) and items and len(asked) == len(came):
        for number, (value, other) in enumerate(zip(asked, came, strict=True)):
            yield from _lacking(value, other, (items, file), f"{path}[{number}]")
    elif not same(asked, came):
        yield path, f"{asked!r}", f"{came!r}"


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are one: numbers are doubles, however they are written."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (max(abs(one), abs(other)) < 1e300 and float(one) == float(other))
    return bool(one == other)


def _resolved(schema: Schema) -> Schema:
    definition, file = schema
    while "$ref" in definition:
        definition, file = resolve(definition["$ref"], file)
    return definition, file

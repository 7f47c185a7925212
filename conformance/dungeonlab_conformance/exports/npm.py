"""The schemas by which the package for npm validates. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from dungeonlab_spec import Catalogue, Direction
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.validation import TIME

_FOR_PEOPLE = ("title", "description", "default")


def payloads() -> dict[str, Any]:
    """Return which definition each event's payloads have, and every definition that these lead to.

    They are those of the specification, with which explanations agree; schemas for other tools say less of times.
    """
    catalogue = Catalogue.load()
    events = {
        event.name: {way: found for way in get_args(Direction) if (found := getattr(event, way)) is not None}
        for event in catalogue
    }
    definitions: dict[str, Any] = {}
    for reference in (*(found for row in events.values() for found in row.values()), catalogue.failure):
        _add(reference, "", definitions)
    return {
        "protocol": catalogue.version,
        "events": {name: {way: _name(found) for way, found in row.items()} for name, row in events.items()},
        "failure": _name(catalogue.failure),
        "formats": {"date-time": TIME},
        "definitions": definitions,
    }


def _add(reference: str, file: str, definitions: dict[str, Any]) -> None:
    if _name(reference) not in definitions:
        schema, there = resolve(reference, file)
        definitions[_name(reference)] = _bare(schema)
        for inner in _references(schema):
            _add(inner, there, definitions)


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def _bare(node: Any) -> Any:
    """Return a schema without what is for people, with its references local, and in the order that it has."""
    if isinstance(node, list):
        return [_bare(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref":
            made[key] = f"#/$defs/{_name(value)}"
        elif key == "properties":  # which may have any name
            made[key] = {name: _bare(schema) for name, schema in value.items()}
        elif key not in _FOR_PEOPLE:
            made[key] = _bare(value)
    return made

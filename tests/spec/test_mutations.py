"""Dropping any one constraint from any schema makes an example invalid no more: no constraint stands there unseen."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest
from tests.spec.constraints import FORBIDDING

from dungeonlab_spec.catalogue import definitions
from dungeonlab_spec.payloads import payloads

# Constraints that another one implies: they are there for anyone who reads the schema, or generates from it.
IMPLIED = {
    ("chat.json", "Message", "minLength"): "a text that is not blank is not empty",
    ("identifiers.json", "Identifier", "minLength"): "the pattern asks for one character at least",
    ("identifiers.json", "ErrorCode", "type"): "every code is a text",
}
NAME = "identifiers.json#/$defs/EventName"  # in no payload; read by anyone who looks at events
NO_NAMES = (5, "joinSession", "join_session", "token:", "a:b:c", "")

BASE = "https://mutations.invalid/"
Place = tuple[str | int, ...]


def droppable(node: Any, at: Place = ()) -> Iterator[Place]:
    """Walk a schema file: the place of each keyword that forbids something; a required name counts by itself."""
    if isinstance(node, list):
        for i, inner in enumerate(node):
            yield from droppable(inner, (*at, i))
    if not isinstance(node, dict):
        return
    is_schema = at[-1:] not in (("properties",), ("$defs",))
    for key, inner in node.items():
        if is_schema and key == "required":
            yield from ((*at, key, i) for i in range(len(inner)))
        elif is_schema and key in (*FORBIDDING, "if", "then", "else"):
            yield (*at, key)
        yield from droppable(inner, (*at, key))


def without(document: Any, place: Place) -> Any:
    """Return a document without what stands at one place."""
    mutant = copy.deepcopy(document)
    *path, last = place
    holder = mutant
    for part in path:
        holder = holder[part]
    del holder[last]
    return mutant


def validator(documents: Mapping[str, Any], reference: str) -> jsonschema_rs.Validator:
    """Return what decides by these schema files, formats included."""
    registry = jsonschema_rs.Registry([(BASE + name, schema) for name, schema in documents.items()])
    return jsonschema_rs.Draft202012Validator(
        {"$ref": BASE + reference}, registry=registry, offline=True, validate_formats=True
    )


def reached_from(reference: str) -> frozenset[tuple[str, str]]:
    """Return each definition, as file and name, that a reference leads to, over however many steps."""
    found: set[tuple[str, str]] = set()
    ahead = [reference]
    while ahead:
        file, _, name = ahead.pop().partition("#/$defs/")
        if (file, name) not in found:
            found.add((file, name))
            inside = refs(definitions()[file]["$defs"][name])
            ahead += [file + there if there.startswith("#") else there for there in inside]
    return frozenset(found)


def refs(node: Any) -> Iterator[str]:
    """Yield every reference in a schema."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from refs(inner)


INVALID = {(p.reference, reached_from(p.reference)): tuple(p.examples("invalid").values()) for p in payloads()}
INVALID[NAME, reached_from(NAME)] = NO_NAMES


def is_noticed(file: str, place: Place) -> bool:
    """Whether what is invalid, of any payload that the definition is part of, is valid without the constraint."""
    documents = {**definitions(), file: without(definitions()[file], place)}
    return any(
        decider.is_valid(example)
        for (reference, parts), examples in INVALID.items()
        if (file, place[1]) in parts
        for decider in [validator(documents, reference)]
        for example in examples
    )


@pytest.mark.parametrize("file", sorted(definitions()))
def test_each_constraint_is_needed(file: str) -> None:
    """Without it, some example that should be invalid is not; unless another constraint implies it."""
    places = list(droppable(definitions()[file]))
    assert places
    unseen = {(file, *map(str, place[1:])) for place in places if not is_noticed(file, place)}
    assert unseen == {place for place in IMPLIED if place[0] == file}

"""The constraints that the schema of a payload states, and what of them an example breaks.

For the tests of this room only; judging is left to the validators.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dungeonlab_spec.catalogue import DATA, resolve

Path = tuple[str, ...]

# Keywords that forbid something. `$ref`, `properties`, `items`, `if` and their like only lead further.
BOUNDS = ("minLength", "maxLength", "minimum", "minItems", "maxItems")
FORBIDDING = (
    *BOUNDS,
    "type",
    "pattern",
    "enum",
    "const",
    "format",
    "uniqueItems",
    "anyOf",
    "additionalProperties",
)


def inlined(node: Any, file: str) -> Any:
    """Return a schema with each `$ref` replaced by what it leads to."""
    if isinstance(node, list):
        return [inlined(item, file) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        definition, there = resolve(node["$ref"], file)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return inlined(definition, there) | inlined(beside, file)
    return {key: inlined(value, file) for key, value in node.items()}


def whole(reference: str) -> Any:
    """Return the definition at `reference` in one piece."""
    return inlined(*resolve(reference))


def subschemas(schema: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Walk an inlined schema: each place a value can stand, with the schema that holds there."""
    yield at, schema
    for name, inner in schema.get("properties", {}).items():
        yield from subschemas(inner, (*at, "properties", name))
    for keyword in ("items", "then", "else"):
        if keyword in schema:
            yield from subschemas(schema[keyword], (*at, keyword))


def constraints(reference: str) -> set[Path]:
    """Return each thing the schema forbids, as the path of its keyword; a required name counts by itself."""
    found: set[Path] = set()
    for at, schema in subschemas(whole(reference)):
        found |= {(*at, keyword) for keyword in FORBIDDING if keyword in schema}
        found |= {(*at, "required", name) for name in schema.get("required", ())}
    return found


def broken(errors: Iterator[Any]) -> dict[Path, str]:
    """Return which constraints a validator found broken, each with the JSON path of the value."""
    found: dict[Path, str] = {}
    for error in errors:
        path = tuple(str(part) for part in error.absolute_schema_path)
        if error.validator == "required":
            missing = next(name for name in error.validator_value if f"{name!r} is" in error.message)
            path = (*path, missing)
        found[path] = error.json_path
    return found


def values(schema: Any, payload: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Walk a payload beside its inlined schema: each value, with the place it stands at."""
    yield at, payload
    if isinstance(payload, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in payload:
                yield from values(inner, payload[name], (*at, "properties", name))
    if isinstance(payload, list) and "items" in schema:
        for item in payload:
            yield from values(schema["items"], item, (*at, "items"))
    for keyword in ("then", "else"):
        if keyword in schema:
            yield from (pair for pair in values(schema[keyword], payload, (*at, keyword)) if pair[0] != at)


def edits(before: Any, after: Any, at: Path = ()) -> list[Path]:
    """Return where two payloads differ: each value added, removed or changed, once."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            place
            for name in sorted(before.keys() | after.keys())
            for place in (
                edits(before[name], after[name], (*at, name)) if name in before and name in after else [(*at, name)]
            )
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            place
            for i, (old, new) in enumerate(zip(before, after, strict=True))
            for place in edits(old, new, (*at, str(i)))
        ]
    same = type(before) is type(after) and json.dumps(before) == json.dumps(after)
    return [] if same else [at]


def read(name: str) -> Any:
    """Return one of the package's JSON files."""
    return json.loads((DATA / name).read_text("utf-8"))

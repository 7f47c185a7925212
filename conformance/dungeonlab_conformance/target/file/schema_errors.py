"""Holds a target's file against its schema, and says in one sentence what does not fit, with file and line."""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from dungeonlab_conformance.target.file.document import Document, FileFault, KeyPath

_MOST = 20  # faults of which the first in the file is told


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    found: dict[str, Any] = json.loads(files(__package__).joinpath("schema.json").read_text("utf-8"))
    return found


def misshapen(document: Document) -> Iterator[FileFault]:
    """Yield what does not fit the schema, in order of lines."""
    found = Draft202012Validator(schema()).iter_errors(document.data)
    errors = [_deepest(error) for error in itertools.islice(found, _MOST)]
    for error in sorted(errors, key=lambda error: document.line(_place(error))):
        yield document.fault(_place(error), _sentence(error))


def _deepest(error: ValidationError) -> ValidationError:
    """Follow alternatives to the one that was meant: the one whose kind of value this is."""
    while error.validator == "anyOf" and error.context:
        branches: dict[Any, list[ValidationError]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        meant = [
            found
            for found in branches.values()
            if not any(e.validator == "type" and not e.path for e in found) and not _no_command(found)
        ]
        if not meant:
            return error
        error = meant[0][0]
    return error


def _no_command(errors: Iterable[ValidationError]) -> bool:
    """Whether these say that a recipe is no command, where it does not mean to be one."""
    return any(e.validator == "required" and e.validator_value == ["command"] and not e.path for e in errors)


def _place(error: ValidationError) -> KeyPath:
    """Return where to point: at the key itself if it is the key that is wrong."""
    where = tuple(error.absolute_path)
    unknown = _unknown(error)
    return (*where, unknown[0]) if unknown else where


def _unknown(error: ValidationError) -> list[str]:
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        return [key for key in error.instance if key not in _properties(error)]
    return []


def _properties(error: ValidationError) -> list[str]:
    schema: Any = error.schema
    return list(schema.get("properties", {}))


def _sentence(error: ValidationError) -> str:
    where = _name(tuple(error.absolute_path))
    wanted: Any = error.validator_value
    given: Any = error.instance
    if unknown := _unknown(error):
        known = sorted(_properties(error))
        near = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"unknown key {unknown[0]!r}{_inside(error)}; {hint}"
    match error.validator:
        case "required":
            lacking = next(key for key in wanted if key not in given)
            return f"{where or 'the file'} lacks {lacking!r}"
        case "type":
            return f"{where} must be {_KINDS[wanted]}{_not(given)}"
        case "enum":
            return f"{where} must be one of {', '.join(map(repr, wanted))}"
        case "not":
            return f"{where} has both json and form; a request has one body"
        case "pattern":
            return f"{where}: {_pattern(wanted)}"
        case "uniqueItems":
            return f"{where} names something twice"
        case "maxItems":
            return f"{where} has {len(given)} entries; {wanted} at most are used"
        case "minItems" | "minLength":
            return f"{where} must not be empty"
        case "anyOf":
            return f"{where} must be {_meant(error)}{_not(given)}"
        case _:
            return f"{where} must be greater than 0"


_KINDS = {
    "object": "a table",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}


_FORMS = {  # the patterns of the schema, by what they begin with
    "^[a-z]": "a variable's name is of small letters, digits, - and _",
    "^(/|cookie:": "give a JSON pointer that begins with /, or cookie:NAME, header:NAME, input:NAME",
    "^/[": "it must begin with /, and have no ? and no #",
    "^/": "it must begin with /",
    "^[A-Za-z_]": "write it as package.module:Class",
}


def _pattern(pattern: str) -> str:
    return next(said for begin, said in _FORMS.items() if pattern.startswith(begin))


def _meant(error: ValidationError) -> str:
    return "a status, or a list of those" if error.absolute_path[-1] == "expect" else "one request, or a list of them"


def _not(value: Any) -> str:
    """Name the kind of a wrong value; never the value, which may be a secret."""
    kinds = {bool: "true or false", dict: "a table", list: "a list", int: "a number", float: "a number", str: "a text"}
    return f", not {kinds.get(type(value), 'a date or time')}"


def _name(where: KeyPath) -> str:
    """Name a place as it is written: ``[actors.alice] password``."""
    keys = [str(key) for key in where if isinstance(key, str)]
    if len(keys) < 2:
        return keys[0] if keys else ""
    return f"[{'.'.join(keys[:-1])}] {keys[-1]}"


def _inside(error: ValidationError) -> str:
    keys = [str(key) for key in error.absolute_path if isinstance(key, str)]
    return f" in [{'.'.join(keys)}]" if keys else ""

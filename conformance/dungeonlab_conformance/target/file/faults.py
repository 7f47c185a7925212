"""Says in one sentence, with file and line, what in a target's file does not fit its model."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dungeonlab_conformance.target.file.document import Document
from dungeonlab_conformance.target.file.model import TargetFile
from dungeonlab_conformance.target.file.values import FORMS
from dungeonlab_conformance.text.toml import KeyPath

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MOST = 20  # faults of which the first in the file is reported
# What pydantic puts among the keys that lead to a fault.
_NO_KEYS = ("<one>", "<list>", "<command>", "<table>", "[key]")
_KINDS = {
    "model_type": "a table",
    "dict_type": "a table",
    "list_type": "a list",
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
}


def fit(document: Document) -> TargetFile:
    """Return a file as its model has it. Raises `FileFault` for the first line that does not fit."""
    try:
        return TargetFile.model_validate(document.data)
    except ValidationError as error:
        found = [(_place(fault), fault) for fault in error.errors(include_url=False)[:_MOST]]
        place, first = min(found, key=lambda each: document.line(each[0]))
        raise document.fault(place, _sentence(first)) from None


def _place(fault: ErrorDetails) -> KeyPath:
    """Return where to point: at the key itself if it is the key that is wrong, at the table if one is missing."""
    where = tuple(key for key in fault["loc"] if key not in _NO_KEYS)
    if fault["type"] == "unknown":
        return (*where, fault["ctx"]["key"])
    return where[:-1] if fault["type"] == "missing" else where


def _sentence(fault: ErrorDetails) -> str:
    place, given, facts = _place(fault), fault["input"], fault.get("ctx", {})
    where = _name(place)
    match fault["type"]:
        case "unknown":
            return _unknown(place, facts["names"])
        case "name" if fault["loc"][-1] == "[key]":
            return _unknown(place, facts["names"])
        case "name":
            return f"{where} must be one of {', '.join(map(repr, facts['names']))}"
        case "literal_error":
            return f"{where} must be one of {facts['expected']}"
        case "missing":
            return f"{where or 'the file'} lacks {fault['loc'][-1]!r}"
        case "string_pattern_mismatch":
            return f"{where}: {FORMS[facts['pattern']]}"
        case "kind":
            return f"{where} must be {fault['msg']}{_not(given)}"
        case "too_long":
            return f"{where} has {facts['actual_length']} entries; {facts['max_length']} at most are used"
        case "too_short" | "string_too_short":
            return f"{where} must not be empty"
        case "greater_than":
            return f"{where} must be greater than {facts['gt']:g}"
        case "greater_than_equal":
            return f"{where} must be at least {facts['ge']}"
        case "less_than_equal":
            return f"{where} must be at most {facts['le']}"
        case "finite_number":
            return f"{where} must be a finite number"
        case "sentence":
            return f"{where} {fault['msg']}"
        case kind:
            return f"{where} must be {_KINDS[kind]}{_not(given)}"


def _unknown(place: KeyPath, names: tuple[str, ...]) -> str:
    *table, key = place
    near = difflib.get_close_matches(str(key), names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(names))}"
    keys = [name for name in table if isinstance(name, str)]
    inside = f" in [{'.'.join(keys)}]" if keys else ""
    return f"unknown key {key!r}{inside}; {hint}"


def _not(value: Any) -> str:
    """Name the kind of a wrong value; never the value, which may be a secret."""
    kinds = {bool: "true or false", dict: "a table", list: "a list", int: "a number", float: "a number", str: "a text"}
    return f", not {kinds.get(type(value), 'a date or time')}"


def _name(place: KeyPath) -> str:
    """Name a place as it is written: ``[actors.alice] password``."""
    keys = [str(key) for key in place if isinstance(key, str)]
    if len(keys) < 2:
        return keys[0] if keys else ""
    return f"[{'.'.join(keys[:-1])}] {keys[-1]}"

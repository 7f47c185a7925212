"""Judges one payload against its schema, and explains a refusal to people.

jsonschema-rs decides, because it is fast; jsonschema explains, because it is thorough. Neither ever sees
the network: references are relative, and the registry holds every schema there is.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

from dungeonlab_spec.catalogue import Catalogue, resolve, schemas

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema.protocols import Validator

Direction = Literal["request", "ack", "emission"]

_BASE = "https://dungeonlab.invalid/"  # never fetched; a base that relative references resolve against
_DEEPEST = 64  # levels within which a refusal is explained; the explaining validator recurses
_SHOWN = 200  # characters of a value that a message repeats
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a payload breaks its schema.

    `path` is a JSON path such as ``$.token.position.x``; `expected` and `got` are phrases for people.
    """

    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}"


def accepts(reference: str, payload: object) -> bool:
    """Say whether the payload is JSON and valid against the schema at `reference`; no payload makes it raise.

    Raises `KeyError` for a reference that leads nowhere.
    """
    decider = _decider(reference)
    try:
        # The decider looks only where the schema does; the rest (a token's `data`) must be JSON all the same.
        return decider.is_valid(payload) and bool(_ENCODE(payload).encode())
    except (ValueError, TypeError, RecursionError, OverflowError):
        return False  # not JSON: binary data, NaN, a lone surrogate (UnicodeEncodeError), endless nesting


def validate(event: str, payload: object, direction: Direction) -> list[Violation]:
    """Return what is wrong with a payload of `event`; an empty list if nothing is.

    `direction` is ``"request"`` (client to server), ``"ack"`` (the callback's one argument; a `success` of
    false is held against the failure envelope) or ``"emission"`` (server to client).

    Raises `KeyError` for an event that is not in the catalogue, and `LookupError` for a direction in which
    the event does not travel.
    """
    catalogue = Catalogue.load()
    row = catalogue[event]
    reference: str | None = getattr(row, direction)
    if reference is None:
        raise LookupError(f"{event} has no {direction}")
    if direction == "ack" and isinstance(payload, Mapping) and payload.get("success") is False:
        reference = catalogue.failure
    return violations(reference, payload)


def violations(reference: str, payload: object) -> list[Violation]:
    """Return what is wrong with a payload under the schema at `reference`."""
    if accepts(reference, payload):
        return []
    if (unfit := _not_json(payload)) is not None:
        return [unfit]
    explained = [_explain(error) for error in explainer(reference).iter_errors(cast("Any", payload))]
    return sorted(explained, key=lambda v: v.path) or [
        Violation("$", f"a payload valid against {reference}", _show(payload))
    ]


def complaint(reference: str, payload: object) -> str:
    """Return what is wrong with a payload, in one phrase, fast: for an answer to a client, not for a report."""
    try:
        first = next(_decider(reference).iter_errors(payload), None)
    except (ValueError, TypeError, RecursionError, OverflowError):
        first = None
    if first is None:
        return "this is not JSON"
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first.instance_path)
    return f"${path}: {first.message}"[:_SHOWN]


@cache
def _decider(reference: str) -> jsonschema_rs.Validator:
    import jsonschema_rs

    resolve(reference)
    registry = jsonschema_rs.Registry([(_BASE + name, schema) for name, schema in schemas().items()])
    return jsonschema_rs.Draft202012Validator(
        {"$ref": _BASE + reference}, registry=registry, offline=True, validate_formats=True
    )


@cache
def explainer(reference: str) -> Validator:
    """Return the second opinion: jsonschema, reading patterns and times as JSON Schema means them."""
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    def pattern(_: Validator, wanted: str, value: object, __: object) -> Iterator[ValidationError]:
        # Python's $ also matches before a final newline; ECMA 262's does not.
        if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", wanted), value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    times = FormatChecker(formats=())
    times.checks("date-time", raises=ValueError)(lambda value: not isinstance(value, str) or bool(_time(value)))
    registry: Registry[Any] = Registry().with_resources(
        (_BASE + name, DRAFT202012.create_resource(schema)) for name, schema in schemas().items()
    )
    kind = cast("Any", validators.extend)(Draft202012Validator, {"pattern": pattern})
    made: Validator = kind({"$ref": _BASE + reference}, registry=registry, format_checker=times)
    return made


def _time(text: str) -> datetime.datetime:
    # RFC 3339 has a year 0, Python has not; the year 2000 has the same days.
    return datetime.datetime.fromisoformat("2000" + text[4:] if text.startswith("0000") else text)


def _explain(error: Any) -> Violation:
    wanted, value = error.validator_value, error.instance
    path: str = error.json_path
    match error.validator:
        case "required":
            missing = re.match(r"'(.+)' is a required property", error.message)
            return Violation(f"{path}.{missing.group(1) if missing else '?'}", "a value", "nothing")
        case "additionalProperties":
            extra = sorted(set(value) - set(error.schema.get("properties", ())))
            return Violation(f"{path}.{extra[0]}", "no such property", _show(value[extra[0]]))
        case "anyOf":
            names = ", ".join(part["required"][0] for part in wanted if "required" in part)
            return Violation(path, f"at least one of {names}", _show(value))
        case "type":
            return Violation(path, f"type {wanted}", f"{_kind(value)} {_show(value)}")
        case "enum":
            return Violation(path, "one of " + ", ".join(map(str, wanted)), _show(value))
        case "const":
            return Violation(path, _show(wanted), _show(value))
        case "minLength" | "maxLength":
            bound = "at least" if error.validator == "minLength" else "at most"
            return Violation(path, f"{bound} {wanted} characters", f"{len(value)}: {_show(value)}")
        case "minimum":
            return Violation(path, f"at least {wanted}", _show(value))
        case "minItems" | "maxItems":
            bound = "at least" if error.validator == "minItems" else "at most"
            return Violation(path, f"{bound} {wanted} items", f"{len(value)}: {_show(value)}")
        case "pattern":
            return Violation(path, f"text that matches {wanted}", _show(value))
        case "format":
            return Violation(path, f"a {wanted}", _show(value))
        case _:
            return Violation(path, f"{error.validator} {wanted}", _show(value))


def _not_json(payload: object) -> Violation | None:
    """Find the first value that JSON cannot hold, or that lies too deep to be explained."""
    ahead: list[tuple[str, object, int]] = [("$", payload, 0)]
    while ahead:
        path, value, depth = ahead.pop()
        if depth > _DEEPEST:
            return Violation(path, f"at most {_DEEPEST} levels, to explain what is wrong", "more")
        if isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(key, str) or not _encodable(key):
                    return Violation(path, "property names in Unicode text", repr(key))
                ahead.append((f"{path}.{key}", inner, depth + 1))
        elif isinstance(value, list | tuple):
            ahead.extend((f"{path}[{i}]", inner, depth + 1) for i, inner in enumerate(value))
        elif isinstance(value, str):
            if not _encodable(value):
                return Violation(path, "text in Unicode", "a lone surrogate")
        elif isinstance(value, float) and not math.isfinite(value):
            return Violation(path, "a finite number", repr(value))
        elif not isinstance(value, int | float | None):
            return Violation(path, "a JSON value", type(value).__name__)
    return None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list() | tuple():
            return "array"
        case _:
            return "object"


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"

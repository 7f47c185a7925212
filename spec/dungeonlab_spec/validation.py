"""Judges one payload against its schema, and explains a refusal to people.

jsonschema-rs decides, because it is fast; jsonschema explains, because it is thorough. Neither ever sees
the network: references are relative, and the registry holds every schema there is.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from dungeonlab_spec.catalogue import Catalogue, definitions, resolve
from dungeonlab_spec.payloads import Direction, payload_of
from dungeonlab_spec.pointer import pointer_of

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema.protocols import Validator

MISSING = "missing"  # how a violation begins whose property is not there
EXTRA = "no such property"  # what was expected of one that the schema does not know
_BASE = "https://dungeonlab.invalid/"  # never fetched; a base that relative references resolve against
_DEEPEST = 64  # levels within which a refusal is explained; the explaining validator recurses, no schema goes so deep
_WIDEST = 2_000  # items of a list within which it is; comparing each with each takes the square of their number
_DIGITS = 4_000  # of an integer that are looked at; Python writes no more than 4,300
_EXPLAINED = 50  # violations of one payload; the rest would say the same again
_SHOWN = 200  # characters of a value that a message repeats, or of a name in a path
_LONGEST_PATH = 400  # characters after which a path ends in an ellipsis
TIME = (  # a date-time as RFC 3339 has it, on a day that exists, in the notation of Python and of JavaScript
    r"^(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
    r"[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
_Place = tuple[Any, str | int] | None  # of a value in others: that of what it lies in, and its key there
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a payload breaks its schema.

    `path` is a JSON path such as ``$.token.position.x``, and `pointer` the same as a JSON pointer,
    ``/token/position/x``; `expected` and `got` are phrases for people.
    """

    path: str
    expected: str
    got: str
    pointer: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}"


def accepts(reference: str, payload: object) -> bool:
    """Say whether the payload is JSON and valid against the schema at `reference`; no payload makes it raise.

    Raises `KeyError` for a reference that leads nowhere.
    """
    decider = _decider(reference)
    try:
        if not decider.is_valid(payload):
            return False
    except (ValueError, TypeError, RecursionError, OverflowError):
        return False  # not JSON: binary data, NaN, a lone surrogate (UnicodeEncodeError)
    # The decider looks only where the schema does; the rest (a token's `data`) must be JSON all the same.
    try:
        return bool(_ENCODE(payload).encode())
    except (ValueError, TypeError, RecursionError, OverflowError):
        # JSON may lie deeper, and its integers be longer, than Python can write and the decider can read.
        return _not_json(payload) is None and decider.is_valid(_explainable(payload))


def validate(event: str, payload: object, direction: Direction) -> list[Violation]:
    """Return what is wrong with a payload of `event`; an empty list if nothing is.

    `direction` is ``"request"`` (client to server), ``"ack"`` (the callback's one argument; a `success` of
    false is checked against the failure envelope) or ``"emission"`` (server to client).

    Raises `Unknown`, a `ValueError` in one sentence, for an event that is not in the catalogue, for what is no
    direction, and for a direction in which the event does not travel.
    """
    reference = payload_of(event, direction).reference
    if direction == "ack" and isinstance(payload, Mapping) and payload.get("success") is False:
        reference = Catalogue.load().failure
    return violations(reference, payload)


def violations(reference: str, payload: object) -> list[Violation]:
    """Return what is wrong with a payload under the schema at `reference`."""
    if accepts(reference, payload):
        return []
    if (unfit := _not_json(payload)) is not None:
        return [unfit]
    errors = explainer(reference).iter_errors(_explainable(payload))
    explained = [_explain(error) for error in islice(errors, _EXPLAINED)]
    return sorted(explained, key=lambda v: v.path) or [
        Violation("$", f"a payload valid against {reference}", complaint(reference, payload))
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


def broken_rule(reference: str, payload: object) -> str:
    """Return where a payload breaks its schema, and which rule: for a log, which must not hold what a client wrote.

    Such as ``$.message: maxLength 2000``.
    """
    try:
        first = next(_decider(reference).iter_errors(payload), None)
    except (ValueError, TypeError, RecursionError, OverflowError):
        first = None
    if first is None:
        return "$: JSON"
    asked = (getattr(first.kind, name, None) for name in ("limit", "property", "types", "options", "pattern"))
    wanted = next((value for value in asked if value is not None), "")
    wanted = ", ".join(map(str, wanted)) if isinstance(wanted, list) else wanted
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first.instance_path)
    return f"${path}: {first.schema_path[-1]} {wanted}".rstrip()


@cache
def _decider(reference: str) -> jsonschema_rs.Validator:
    import jsonschema_rs

    resolve(reference)
    registry = jsonschema_rs.Registry([(_BASE + name, schema) for name, schema in definitions().items()])
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
        if isinstance(value, str) and not _matches(wanted, value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    times = FormatChecker(formats=())
    times.checks("date-time")(lambda value: not isinstance(value, str) or _matches(TIME, value))
    registry: Registry[Any] = Registry().with_resources(
        (_BASE + name, DRAFT202012.create_resource(schema)) for name, schema in definitions().items()
    )
    kind = cast("Any", validators.extend)(Draft202012Validator, {"pattern": pattern})
    made: Validator = kind({"$ref": _BASE + reference}, registry=registry, format_checker=times)
    return made


def _matches(pattern: str, text: str) -> bool:
    # Python's $ also matches before a final newline; ECMA 262's does not.
    return re.search(re.sub(r"\$$", r"\\Z", pattern), text) is not None


def _explain(error: Any) -> Violation:
    """Return a violation in words, with its place as a pointer too: of what is missing or too much, its own."""
    found = _phrased(error)
    inside = found.path[len(error.json_path) + 1 :]
    return replace(found, pointer=pointer_of([*error.absolute_path, *([inside] if inside else [])]))


def _phrased(error: Any) -> Violation:
    wanted, value = error.validator_value, error.instance
    path: str = error.json_path
    match error.validator:
        case "required":
            found = re.match(r"'(.+)' is a required property", error.message)
            name = found.group(1) if found else "?"
            return Violation(f"{path}.{name}", "a value", _missing(name, value, error.schema))
        case "additionalProperties":
            extra = sorted(set(value) - set(error.schema.get("properties", ())))
            return Violation(f"{path}.{extra[0]}", EXTRA, _show(value[extra[0]]))
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
        case "uniqueItems":
            return Violation(path, "no two items alike", _show(value))
        case "pattern":
            return Violation(path, f"text that matches {wanted}", _show(value))
        case "format":
            return Violation(path, f"a {wanted}", _show(value))
        case _:
            return Violation(path, f"{error.validator} {wanted}", _show(value))


def _missing(name: str, value: Mapping[str, object], schema: Mapping[str, Any]) -> str:
    """Say that a property is not there, and which unknown one may be meant."""
    unknown = (key for key in value if key not in schema.get("properties", ()) and len(key) <= _SHOWN)
    folded = {_letters(key): key for key in islice(unknown, _WIDEST)}
    near = difflib.get_close_matches(_letters(name), folded, 1)
    return f"{MISSING}; there is `{folded[near[0]]}`" if near else MISSING


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _explainable(value: Any, depth: int = 0) -> Any:
    """Return a payload as the explaining validator can take it: without what is too deep, too wide or too long."""
    if isinstance(value, dict):
        if depth > _DEEPEST:
            return {}
        return {key: _explainable(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        if depth > _DEEPEST:
            return []
        return [_explainable(inner, depth + 1) for inner in value[:_WIDEST]]
    if isinstance(value, int) and not isinstance(value, bool):
        return _cut(value)
    return value


def _cut(number: int) -> int:
    """Return an integer, or as many of its first digits as can be shown: of the same sign, and as good as as large."""
    excess = int(number.bit_length() * math.log10(2)) - _DIGITS
    if excess <= 0:
        return number
    first: int = abs(number) // 10**excess
    return first if number > 0 else -first


def _not_json(payload: object) -> Violation | None:
    """Find the first value that JSON cannot hold; at any depth, and a value inside itself too."""
    around: set[int] = set()  # containers that are being looked through
    ahead: list[tuple[str, object, int, _Place]] = [("$", payload, 0, None)]
    while ahead:
        path, value, depth, place = ahead.pop()
        if depth < 0:
            around.discard(~depth)
        elif isinstance(value, dict | list | tuple):
            if id(value) in around:
                return Violation(path, "a JSON value", "a value inside itself", _pointer(place))
            around.add(id(value))
            ahead.append((path, None, ~id(value), None))
            if isinstance(value, dict):
                if (odd := next((key for key in value if not isinstance(key, str) or not _encodable(key)), "")) != "":
                    return Violation(path, "property names in Unicode text", _show_odd(odd), _pointer(place))
                inside: Iterable[tuple[str | int, Any, str]] = ((key, inner, f".{key}") for key, inner in value.items())
            else:
                inside = ((i, inner, f"[{i}]") for i, inner in enumerate(value))
            ahead.extend((_below(path, step, depth), inner, depth + 1, (place, key)) for key, inner, step in inside)
        elif (got := _unfit(value)) is not None:
            return Violation(path, *got, _pointer(place))
    return None


def _show_odd(key: object) -> str:
    text = (
        json.dumps(key, ensure_ascii=False).encode(errors="backslashreplace").decode()
        if isinstance(key, str)
        else repr(key)
    )
    return text[:_SHOWN]


def _pointer(place: _Place) -> str:
    """Return a place as a pointer; of one that lies very deep, the last part of it."""
    keys: list[str | int] = []
    while place and len(keys) < _DEEPEST:
        place, key = place
        keys.append(key if isinstance(key, int) else key[:_SHOWN])
    return ("…" if place else "") + pointer_of(reversed(keys))


def _unfit(value: object) -> tuple[str, str] | None:
    """Return what was expected in place of a value that is no container, and what it is; None if JSON can hold it."""
    if isinstance(value, str):
        return None if _encodable(value) else ("text in Unicode", "a lone surrogate")
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number", repr(value)
    return None if isinstance(value, int | float | None) else ("a JSON value", type(value).__name__)


def _below(path: str, step: str, depth: int) -> str:
    """Return the path of what lies in something; no very long one, since each of thousands of values may have it."""
    return path + step[:_SHOWN] if depth < _DEEPEST and len(path) < _LONGEST_PATH else f"{path.removesuffix('…')}…"


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

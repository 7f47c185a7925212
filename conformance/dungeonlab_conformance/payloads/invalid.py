"""Invalid requests with one fault each: the examples of the specification, and faults that no example can hold.

Sends nothing and judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from dungeonlab_conformance.record.marks import contains, new_mark
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.text.tree import replaced, with_texts
from dungeonlab_spec import Event, accepts
from dungeonlab_spec.catalogue import examples
from dungeonlab_spec.pointer import find, keys

# What an example file's name begins with, and the requirement that forbids it; the first that fits.
_FAULTS = {
    "missing-": "payloads/required-field-missing",
    "wrong-type-": "payloads/wrong-type",
    "null-": "payloads/wrong-type",
    "fraction-": "payloads/wrong-type",
    "out-of-bounds-message-blank": "chat/blank-refused",
    "out-of-bounds-message-too-long": "chat/too-long-refused",
    "out-of-bounds-": "payloads/bound-broken",
    "not-an-object-null": "payloads/null",
    "not-an-object-array": "payloads/array",
    "not-an-object-text": "payloads/text",
    "not-an-object-number": "payloads/number",
}
_BELOW = "out-of-bounds-"  # and then the path to what is below its minimum
SHAPES = (
    *(r for r in dict.fromkeys(_FAULTS.values()) if r.startswith("payloads/")),
    "payloads/no-argument",
    "payloads/binary",
    "payloads/extra-arguments",
)
EXAMPLE_IDS = {"sessionId": "session-1", "encounterId": "encounter-1", "tokenId": "token-1"}  # in all examples


@dataclass(frozen=True, slots=True)
class InvalidRequest:
    """One request with one fault: the requirement that forbids it, and a name for people."""

    requirement: str
    name: str
    request: Request


def forbidden_by(kind: str) -> str:
    """Return the requirement that forbids an invalid payload of a kind: the name of an example, or of what is none."""
    name = kind.rpartition(":")[2] if kind.startswith("action:") else kind
    known = {
        "no-argument": "payloads/no-argument",
        "two-arguments": "payloads/extra-arguments",
        "text:half-surrogate": "payloads/half-surrogate-refused",
        "data:half-surrogate": "payloads/half-surrogate-refused",
        "not-an-object-true": "payloads/wrong-type",
    }
    return known.get(kind) or next(
        (r for start, r in _FAULTS.items() if name.startswith(start)), "payloads/bound-broken"
    )


def invalid_requests(event: Event, valid: Request) -> Iterator[InvalidRequest]:
    """Yield every invalid request of an event, with the stage's ids and, where the event has a mark, with its own one.

    `valid` is a request that the stage would accept; an id or a marked value that is itself the fault stays as it is.
    """
    for name, example in examples(event.name, "invalid").items():
        requirement = next(r for start, r in _FAULTS.items() if name.startswith(start))
        if requirement in SHAPES:
            yield InvalidRequest(requirement, name, _marked(event, _with_stage_ids(example, valid.args[0]), valid))
    assert event.request is not None
    for path, value in _numbers(valid.args[0]):
        changed = replaced(valid.args[0], path, True)
        if not isinstance(value, bool) and not accepts(event.request, changed):
            yield InvalidRequest(
                "payloads/wrong-type", f"true as {path[-1]}, which was {value}", _request(event, valid, changed)
            )
    for key in EXAMPLE_IDS.keys() & valid.args[0].keys():
        changed = {**valid.args[0], key: valid.args[0][key] + "\n"}
        yield InvalidRequest(
            "payloads/bound-broken", f"a line break behind a right {key}", _request(event, valid, changed)
        )
    for requirement, name, changed in _nearly_right(event):
        whole = _with_stage_ids(changed, valid.args[0])
        yield InvalidRequest(requirement, name, _marked(event, whole, valid))
    for requirement, name, args in _beyond_examples(valid.args[0]):
        yield InvalidRequest(requirement, name, _request(event, valid, *args))


def _nearly_right(event: Event) -> Iterator[tuple[str, str, Any]]:
    """Yield the fullest request of an event with little wrong: a word in capitals, names that no schema knows, a list.

    An empty list is what some languages write for an object without properties, 1 and 0 are what some read as booleans,
    -0.5 is 0 for some that compare it, and of a list some look at the first item only.
    """
    full = examples(event.name, "valid").get("full", {})
    for key, part in full.items():
        if isinstance(part, dict) and "size" in part:
            capitals = {**full, key: {**part, "size": part["size"].upper()}}
            yield "payloads/bound-broken", f"the size of the {key} in capitals", capitals
        if isinstance(part, dict) and "data" in part:
            yield "payloads/wrong-type", f"the data of the {key} as an empty list", {**full, key: {**part, "data": []}}
    if "updates" in full:
        unknown = {**full, "updates": {"colour": "red", "isPlayerControlled": True}}
        yield "payloads/bound-broken", "updates of what may not be updated alone", unknown
    for path, value in _numbers(full):
        if isinstance(value, bool):
            yield "payloads/wrong-type", f"{value:d} as {path[-1]}", replaced(full, path, int(value))
    for name, example in examples(event.name, "invalid").items():
        steps = name.removeprefix(_BELOW).split("-")[:-1] if name.endswith("-minimum") else []
        place = [int(step) if step.isdigit() else step for step in steps]
        if place and accepts(event.request or "", replaced(example, place, 0.5)):
            yield "payloads/bound-broken", f"half below nothing as {place[-1]}", replaced(example, place, -0.5)
        if any(step.isdigit() for step in name.split("-")):
            requirement = next(r for start, r in _FAULTS.items() if name.startswith(start))
            yield requirement, f"{name}, behind a right one", _behind_right_ones(example, full)


def _behind_right_ones(example: Any, full: Any) -> Any:
    """Return an example with more items in its lists: those of the fullest request come before its own."""
    if isinstance(example, dict) and isinstance(full, dict):
        return {key: _behind_right_ones(value, full.get(key)) for key, value in example.items()}
    return [*full, *example] if isinstance(example, list) and isinstance(full, list) else example


def _beyond_examples(whole: dict[str, Any]) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Yield what examples, one JSON value each, do not hold, and what a lenient reader would take for the object."""
    yield "payloads/no-argument", "no argument", ()
    yield "payloads/text", "the object as JSON text", (json.dumps(whole),)
    yield "payloads/text", "an empty text", ("",)
    if "sessionId" in whole:
        yield "payloads/text", "a bare session id", (whole["sessionId"],)
    yield "payloads/number", "zero", (0,)
    yield "payloads/array", "an empty array", ([],)
    yield "payloads/array", "an array around the object", ([whole],)
    yield "payloads/binary", "binary data", (b"\x00\x01\xff",)
    yield "payloads/binary", "the object as binary JSON", (json.dumps(whole).encode(),)
    yield "payloads/extra-arguments", "two objects", (whole, whole)
    yield "payloads/extra-arguments", "an object and a text", (whole, "more")
    yield "payloads/extra-arguments", "an object and null", (whole, None)


def _request(event: Event, valid: Request, *args: Any) -> Request:
    """Return a request that must be refused; it keeps the mark of the valid one if it still carries it."""
    mark = valid.mark if valid.mark is not None and contains(args, valid.mark) else None
    return Request(event.name, args, mark, valid.session, legal=False)


def _marked(event: Event, example: Any, valid: Request) -> Request:
    """Return a request with a new mark, unless the value in the mark's place is the fault itself."""
    request = _request(event, valid, example)
    if event.mark is None or request.mark is not None:
        return request
    there = find(example, event.mark)
    if isinstance(there, str | int) and not isinstance(there, bool) and there in _usual(event.name, event.mark):
        mark = new_mark(there if isinstance(there, int) else "")
        return replace(request, mark=mark, args=(replaced(example, keys(event.mark), mark),))
    return request


@cache
def _usual(event: str, place: str) -> Sequence[Any]:
    """Return what the valid examples of an event have in a place."""
    return [find(whole, place) for whole in examples(event, "valid").values()]


def _numbers(payload: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the whole numbers in objects, and the booleans, which some languages take for numbers, by their paths."""
    if isinstance(payload, dict):
        for key, value in payload.items():
            yield from _numbers(value, (*path, key))
    elif isinstance(payload, int):
        yield path, payload


def _with_stage_ids(example: Any, valid: Any) -> Any:
    """Return an example with the stage's ids in place of the examples' own."""
    ids = {written: _find(valid, key) or written for key, written in EXAMPLE_IDS.items()}
    return with_texts(example, lambda text, _: ids.get(text, text))


def _find(payload: Any, key: str) -> Any:
    if isinstance(payload, dict):
        return payload.get(key) or next((f for v in payload.values() if (f := _find(v, key)) is not None), None)
    return None

"""The payloads as JSON Schema 2020-12: one file for each, complete by itself, and all of them in one bundle.

What stands in the specification's definitions is said here so that every validator, the strictest included, comes to
the same: without references to other files, and without `format`, which some validators ignore and others refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.payloads import Payload, payloads

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FAILURE = "FailureAck"
KNOWN_BY = "failure-ack.json"  # a folder of the files; there in every version
_MADE = "Made from the definitions of the specification; not to be edited."
# A day that exists, in years from 0000 to 9999, and a time without a leap second: what `format` and `pattern` of the
# definition say together.
_LEAP = "([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29"
_DAY = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])"
_TIME = f"^({_LEAP}|[0-9]{{4}}-({_DAY}))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?Z$"

Refer = Callable[[str, str], dict[str, Any]]  # what stands for a reference, and the name of the file it stands in


def files() -> dict[str, dict[str, Any]]:
    """Return the schema of each payload by the name of its file; each holds whatever it needs."""
    return {f"{payload.stem}.json": schema(payload) for payload in payloads()}


def schema(payload: Payload) -> dict[str, Any]:
    """Return the schema of one payload in one piece; an acknowledgement's allows success as well as failure."""
    named = {"title": title(payload), "description": summary(payload)}
    if is_answer(payload):
        alternatives = [_inlined(reference) for reference in (payload.reference, Catalogue.load().failure)]
        return {**_head(payload.stem), **named, "oneOf": alternatives}
    inlined = _inlined(payload.reference)
    return {**_head(payload.stem), **named, **{key: value for key, value in inlined.items() if key not in named}}


def bundle() -> dict[str, Any]:
    """Return all payloads in one schema, which itself describes a message: event, direction and payload."""
    return {
        **_head("messages"),
        "title": "DungeonLabMessage",
        "description": "One message as tools record it: the event, which way it goes, and what it carries.",
        "oneOf": [_message(payload) for payload in payloads() if payload.event],
        "$defs": definitions("#/$defs/"),
    }


def definitions(place: str) -> dict[str, Any]:
    """Return every definition by a name that no other has; they refer to each other below `place`.

    ``<Event>Ack`` answers an accepted request, ``FailureAck`` a refused one, and ``<Event>Answer`` is either.
    """
    made: dict[str, Any] = {}

    def refer(reference: str, file: str) -> dict[str, Any]:
        _, there = resolve(reference, file)
        name = reference.rpartition("/")[2]
        add(name, f"{there}#/$defs/{name}")
        return {"$ref": place + name}

    def add(name: str, reference: str, **described: str) -> None:
        if name not in made:
            made[name] = {}  # holds its place, in which it comes before what it refers to
            made[name] = {**_portable(*resolve(reference), refer), "title": name, **described}

    for payload in payloads():
        if is_answer(payload):
            assert payload.event is not None
            either = [{"$ref": place + name} for name in (payload.name, FAILURE)]
            made[title(payload)] = {"title": title(payload), "description": summary(payload), "oneOf": either}
            add(payload.name, payload.reference, description=f"{payload.event.name}, answered: success.")
        else:
            add(payload.name, payload.reference, description=summary(payload))
    return made


def is_answer(payload: Payload) -> bool:
    """Whether a payload is an event's acknowledgement, for which the failure envelope may stand."""
    return payload.direction == "ack" and payload.event is not None


def title(payload: Payload) -> str:
    """Return what a payload is called in schemas: its name, or that of the answer which it is one of two kinds of."""
    return f"{payload.name.removesuffix('Ack')}Answer" if is_answer(payload) else payload.name


def summary(payload: Payload) -> str:
    """Return in one sentence or two what a payload is."""
    if payload.event is None:
        return str(resolve(payload.reference)[0]["description"])
    event = payload.event
    match payload.direction:
        case "request":
            return f"{event.name}, as a client sends it. {event.summary}"
        case "ack":
            return f"{event.name}, answered: success, or why not."
        case _:
            return f"{event.name}, as the server sends it" + (f". {event.summary}" if event.request is None else ".")


def _head(name: str) -> dict[str, Any]:
    return {"$schema": DRAFT, "$id": f"urn:dungeonlab:{Catalogue.load().version}:{name}", "$comment": _MADE}


def _message(payload: Payload) -> dict[str, Any]:
    assert payload.event is not None
    properties = {
        "event": {"const": payload.event.name},
        "direction": {"const": payload.direction},
        "payload": {"$ref": f"#/$defs/{title(payload)}"},
    }
    return {"type": "object", "properties": properties, "required": [*properties]}


def _inlined(reference: str) -> dict[str, Any]:
    """Return a definition with every other one in place of its reference, and without their names."""

    def refer(reference: str, file: str) -> dict[str, Any]:
        found = _portable(*resolve(reference, file), refer)
        return {key: value for key, value in found.items() if key != "title"}

    return refer(reference, "")


def _portable(node: Any, file: str, refer: Refer) -> Any:
    """Return a part of a definition so that every validator of 2020-12 takes it, and takes it alike."""
    if isinstance(node, list):
        return [_portable(inner, file, refer) for inner in node]
    if not isinstance(node, dict):
        return node
    made = {key: _portable(value, file, refer) for key, value in node.items() if key != "$ref"}
    if "$ref" in node:
        return refer(node["$ref"], file) | made
    if made.get("format") == "date-time":
        made = {key: value for key, value in made.items() if key != "format"} | {"pattern": _TIME}
    for branch in ("then", "else"):
        if branch in made:
            made[branch] = {"properties": _typed(made[branch]["properties"], made["properties"])}
    if "anyOf" in made:
        made["anyOf"] = [_declared(part, made["properties"]) for part in made["anyOf"]]
    return made


def _typed(properties: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties with the types that are declared for them elsewhere: strict validators ask for it."""
    return {name: {"type": declared[name]["type"], **said} for name, said in properties.items()}


def _declared(part: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alternative that asks for properties with what they may hold, for the same reason."""
    return {"properties": {name: declared[name] for name in part["required"]}, **part}

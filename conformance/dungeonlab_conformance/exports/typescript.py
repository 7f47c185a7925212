"""`export typescript`: the maps of events that `socket.io-client` and `socket.io` take, and a type for each payload.

What is written has only the properties that a type names, though a server skips others; what is received may have more.
Types know no lengths, patterns and bounds: comments say those. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dungeonlab_conformance.exports.json_schema import definitions, title
from dungeonlab_conformance.exports.sentences import WIDTH, about, about_emission, about_request, wrapped
from dungeonlab_spec import Catalogue, Direction, Event
from dungeonlab_spec.payloads import payloads

_KINDS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_JSON = """\
/** What JSON can hold; a property that is undefined is left out. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** Any object, as long as it is JSON: its contents are the clients' own business. */
export type JsonObject = { [property: string]: Json | undefined };
"""
_OPTIONAL_CALLBACK = """\
/**
 * The same with a callback that may be missing: for a server, to which clients may send without one, and for a client
 * that wants no answer. A client sees `emitWithAck` and `timeout` typed with `ClientToServerEvents` only.
 */
export type ClientToServerEventsWithOptionalCallback = {
  [E in keyof ClientToServerEvents]: (
    request: Parameters<ClientToServerEvents[E]>[0],
    acknowledge?: Parameters<ClientToServerEvents[E]>[1],
  ) => void;
};
"""


def typescript() -> str:
    """Return a module of types: no code, and no import."""
    catalogue = Catalogue.load()
    parts = [
        *_comment(
            [
                f"The real-time protocol of DungeonLab {catalogue.version}: what clients and servers send each other.",
                "Made by `dungeonlab-conformance export typescript`; do not edit.",
            ]
        ),
        "",
        _JSON,
    ]
    for name, schema in definitions("").items():
        parts += [*_comment(about(schema)), f"export type {name} ={_behind(_type(schema))};", ""]
    parts += [*_client_events(catalogue), "", _OPTIONAL_CALLBACK, *_server_events(catalogue), "", *_payloads(catalogue)]
    return "\n".join([*parts, ""])


def names(event: Event) -> Mapping[Direction, str]:
    """Return the types of an event's payloads; what answers a request is of one type, for success and failure."""
    return {payload.direction: title(payload) for payload in payloads() if payload.event == event}


def _client_events(catalogue: Catalogue) -> Iterator[str]:
    yield from _comment(
        [
            "What a client sends, each with the callback for its answer:",
            "`const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url)`.",
        ]
    )
    yield "export interface ClientToServerEvents {"
    for event in catalogue.requests():
        yield from _comment(about_request(event), "  ")
        callback = f"(answer: {names(event)['ack']}) => void"
        yield f'  "{event.name}": (request: {names(event)["request"]}, acknowledge: {callback}) => void;'
    yield "}"


def _server_events(catalogue: Catalogue) -> Iterator[str]:
    yield "/** What a server sends, to those whom the protocol names. */"
    yield "export interface ServerToClientEvents {"
    for event in catalogue:
        if event.emission is not None:
            yield from _comment(about_emission(event), "  ")
            yield f'  "{event.name}": (payload: {names(event)["emission"]}) => void;'
    yield "}"


def _payloads(catalogue: Catalogue) -> Iterator[str]:
    yield "/** The payloads of each event by the direction in which they go. */"
    yield "export interface Payloads {"
    for event in catalogue:
        kinds = (f"{direction}: {name}" for direction, name in names(event).items())
        yield f'  "{event.name}": {{ {"; ".join(kinds)} }};'
    yield "}"


def _type(schema: Mapping[str, Any], indent: str = "") -> str:
    if "$ref" in schema:
        return str(schema["$ref"])
    if "oneOf" in schema:
        return _union([_type(kind) for kind in schema["oneOf"]], indent)
    if "enum" in schema:
        return _union([json.dumps(value) for value in schema["enum"]], indent)
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema["type"] == "array":
        return f"{_type(schema['items'], indent)}[]"
    if schema["type"] != "object":
        return _KINDS[schema["type"]]
    if "properties" not in schema:
        return "JsonObject"
    text = "\n".join(["{", *_properties(schema, indent + "  "), indent + "}"])
    if "anyOf" in schema:
        needed = (part["required"][0] for part in schema["anyOf"])
        kinds = [f"{{ {name}: {_type(schema['properties'][name])} }}" for name in needed]
        text += f" & ({_union(kinds, indent)})"
    return text


def _union(kinds: list[str], indent: str) -> str:
    text = " | ".join(kinds)
    return text if len(text) < WIDTH else "".join(f"\n{indent}  | {kind}" for kind in kinds)


def _behind(kind: str) -> str:
    """Return a type as it stands behind a sign: on the same line, unless it begins with a line of its own."""
    return kind if kind.startswith("\n") else f" {kind}"


def _properties(schema: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in schema["properties"].items():
        yield from _comment(about(value), indent)
        mark = "" if name in schema.get("required", ()) else "?"
        yield f"{indent}{name}{mark}:{_behind(_type(value, indent))};"


def _comment(lines: Iterable[str], indent: str = "") -> Iterator[str]:
    said = [part for line in lines for part in wrapped(line.replace("*/", "*\\/"))]
    if len(said) == 1:
        yield f"{indent}/** {said[0]} */"
    elif said:
        yield f"{indent}/**"
        yield from (f"{indent} * {line}" for line in said)
        yield f"{indent} */"

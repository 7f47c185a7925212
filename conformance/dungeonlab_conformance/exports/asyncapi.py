"""The real-time side as AsyncAPI 3: one channel, what is sent over it, and which requirements are about it.

The document describes the server: it receives requests, replies with acknowledgements, and sends its own events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.exports.json_schema import FAILURE, definitions, is_answer, summary
from dungeonlab_spec import Catalogue, Event, Requirement
from dungeonlab_spec.payloads import Payload, payloads

_CHANNEL = "socket"
_REFUSED = "ConnectRefusal"
_DESCRIPTION = (
    "What travels over one Socket.IO connection (protocol 5, Engine.IO 4), in the default namespace. A request is one"
    " packet with one JSON object; its reply is the acknowledgement, success or failure. The path of the server is that"
    " of the Socket.IO handshake. What the ids under an operation's x-requirements demand stands at the end."
)
_LICENSE = {"name": "MIT", "url": "https://opensource.org/license/mit"}


def asyncapi() -> dict[str, Any]:
    """Return the document. It refers to nothing outside of itself."""
    catalogue = Catalogue.load()
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:dungeonlab:{catalogue.version}",
        "info": {
            "title": "The real-time protocol of DungeonLab",
            "version": catalogue.version,
            "description": _DESCRIPTION,
            "license": _LICENSE,
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "localhost:3000", "protocol": "ws", "pathname": catalogue.path}},
        "channels": {
            _CHANNEL: {
                "address": "/",
                "title": "A connection",
                "description": "The default namespace. Who hears of what is decided by session and membership.",
                "servers": [{"$ref": "#/servers/local"}],
                "messages": {p.name: {"$ref": f"#/components/messages/{p.name}"} for p in payloads()},
            }
        },
        "operations": dict(_operations(catalogue)),
        "components": {
            "messages": {p.name: _message(p) for p in payloads()},
            "schemas": _referring(definitions("#/components/schemas/")),
        },
        "x-requirements": {
            r.id: {"level": r.level, "section": r.section, "sentence": r.sentence}
            for r in catalogue.requirements.values()
        },
    }


def _operations(catalogue: Catalogue) -> Iterator[tuple[str, dict[str, Any]]]:
    for payload in payloads():
        if payload.event is None or is_answer(payload):
            continue
        operation: dict[str, Any] = {
            "action": "receive" if payload.direction == "request" else "send",
            "channel": {"$ref": f"#/channels/{_CHANNEL}"},
            "summary": summary(payload),
            "messages": [_in_channel(payload.name)],
        }
        if payload.direction == "request":
            operation["reply"] = {
                "channel": {"$ref": f"#/channels/{_CHANNEL}"},
                "messages": [_in_channel(p.name) for p in payloads() if is_answer(p) and p.event is payload.event]
                + [_in_channel(FAILURE)],
            }
            operation["x-refusals"] = [*payload.event.refusals]
        operation["x-requirements"] = [r.id for r in _about(catalogue, payload.event)]
        yield payload.name, operation
    yield (
        _REFUSED,
        {
            "action": "send",
            "channel": {"$ref": f"#/channels/{_CHANNEL}"},
            "summary": "The server refuses a connection, in a packet of type CONNECT_ERROR.",
            "messages": [_in_channel(_REFUSED)],
        },
    )


def _about(catalogue: Catalogue, event: Event) -> Iterator[Requirement]:
    """Yield the requirements that are judged for an event by itself."""
    for requirement in catalogue.requirements.values():
        if requirement.each is not None and event in catalogue.events_for(requirement):
            yield requirement


def _message(payload: Payload) -> dict[str, Any]:
    shown = {name: value for name, value in payload.examples("valid").items() if not name.startswith("edge-")}
    return {
        "name": payload.event.name if payload.event else payload.folder,
        "title": payload.name,
        "summary": summary(payload),
        "payload": {"$ref": f"#/components/schemas/{payload.name}"},
        "examples": [{"name": name, "payload": value} for name, value in shown.items()],
    }


def _in_channel(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/{_CHANNEL}/messages/{name}"}


def _referring(node: Any) -> Any:
    """Return schemas in which nothing stands beside a reference: here it would be passed over."""
    if isinstance(node, list):
        return [_referring(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    made = {key: _referring(value) for key, value in node.items()}
    if "$ref" in made and len(made) > 1:
        return {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made

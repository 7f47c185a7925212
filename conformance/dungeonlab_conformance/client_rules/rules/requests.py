"""Single requests: how many arguments, which payload, which event. Each fault is judged by one of these rules alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.client_rules.index import ClientRequest, Connection, PacketIndex, first
from dungeonlab_conformance.client_rules.partial import beginning
from dungeonlab_conformance.client_rules.registry import Breaks, Evidence, Holds, Unclear, rule
from dungeonlab_conformance.record.arguments import body
from dungeonlab_conformance.text.printable import shortened
from dungeonlab_spec import Catalogue, Violation, validate
from dungeonlab_spec.catalogue import is_own_event

_SHOWN = 300  # characters of a value that a message repeats
_MOST = 1 << 14  # values of a payload that are looked through for binary data


@rule(
    "client/puts-session-id-in-every-session-event",
    to_see="let the client join a session and send something to it",
)
def puts_session_id(index: PacketIndex) -> Iterator[Evidence]:
    """Each request in a session names the session."""
    for connection, request in index.requests():
        payload = _payload(request)
        if request.needs_session and isinstance(payload, dict):
            if _lacks_session(payload):
                expected = f"a sessionId in {request.packet.event} from {connection.who}"
                yield Breaks(expected, _shown(payload), (request.packet,), "$.sessionId")
            else:
                yield Holds(request.packet)


@rule("client/sends-only-valid-payloads", to_see="let the client join a session and send something to it")
def sends_valid_payloads(index: PacketIndex) -> Iterator[Evidence]:
    """The argument of each request fits its schema; a sessionId that is not there is judged by itself."""
    for connection, request in index.requests():
        if request.row is None:
            continue
        if request.packet.arguments is None:
            yield _unread(connection, request)
            continue
        if not request.packet.arguments:
            continue
        found = faults(request)
        if found:
            expected = f"{found[0].expected} in {request.packet.event} from {connection.who}"
            yield Breaks(expected, found[0].got, (request.packet,), found[0].path)
        else:
            yield Holds(request.packet)


def _unread(connection: Connection, request: ClientRequest) -> Evidence:
    """Judge a request whose arguments cannot be read: one that is no JSON, or is too long in what was kept of it."""
    packet = request.packet
    if packet.cut:
        found = validate(packet.event, beginning(packet), "request")
        for fault in found:
            if fault.expected.startswith("at most "):  # which is broken whatever follows
                expected = f"{fault.expected} in {packet.event} from {connection.who}"
                return Breaks(expected, f"more than {fault.got}", (packet,), fault.path)
        return Unclear("what the client sent was too long to be kept: let it send something shorter")
    try:
        json.loads(packet.text)
    except json.JSONDecodeError as error:
        expected = f"JSON in {packet.event} from {connection.who}"
        return Breaks(expected, shortened(f"{error.msg}: {packet.text}", _SHOWN), (packet,))
    except (ValueError, RecursionError):
        pass  # which may be JSON that is too deep, or has a number too long, for this program
    return Unclear("what the client sent is too deep to be read: let it send something simpler")


@rule("client/sends-one-argument", to_see="let the client join a session and send something to it")
def sends_one_argument(index: PacketIndex) -> Iterator[Evidence]:
    """Each request has one argument besides the callback."""
    for connection, request in index.requests():
        arguments = request.packet.arguments
        if request.row is None or arguments is None:
            continue
        if len(arguments) == 1:
            yield Holds(request.packet)
        else:
            expected = f"one argument with {request.packet.event} from {connection.who}"
            yield Breaks(expected, f"{len(arguments) or 'none'}: {_shown(arguments)}", (request.packet,))


@rule("client/sends-catalogue-events-only", to_see="let the client join a session and send something to it")
def sends_catalogue_events(index: PacketIndex) -> Iterator[Evidence]:
    """Each event is a request of the catalogue, or has a name that its server may define."""
    requests = [event.name for event in Catalogue.load().requests()]
    for connection, request in index.requests():
        if request.row is not None:
            yield Holds(request.packet)
        elif not is_own_event(request.packet.event):
            expected = f"{connection.who} to send no events but {', '.join(requests)}"
            yield Breaks(
                expected, shortened(request.packet.event, _SHOWN) or "an event without a name", (request.packet,)
            )


def faults(request: ClientRequest) -> list[Violation]:
    """Return what is wrong with the payload of a request of the catalogue, but for a sessionId that is not there."""
    payload = _payload(request)
    found = validate(request.packet.event, payload, "request")
    if request.needs_session and isinstance(payload, dict) and _lacks_session(payload):
        found = [each for each in found if not each.path.startswith("$.sessionId")]
    return (
        found or [Violation(path, "JSON", "binary data") for path in _binary(payload, request.packet.attachments)][:1]
    )


def _payload(request: ClientRequest) -> Any:
    return first(request.packet)


def _lacks_session(payload: dict[str, Any]) -> bool:
    return payload.get("sessionId") in (None, "")


def _binary(payload: Any, attachments: int) -> Iterator[str]:
    """Yield where binary data stood, in whose place a packet with attachments has placeholders."""
    ahead, left = [("$", payload)], _MOST if attachments else 0
    while ahead and left:
        path, value = ahead.pop()
        left -= 1
        if isinstance(value, dict):
            if value.keys() == {"_placeholder", "num"} and value["_placeholder"] is True:
                yield path
            ahead.extend((f"{path}.{name}"[:_SHOWN], inner) for name, inner in value.items())
        elif isinstance(value, list):
            ahead.extend((f"{path}[{place}]"[:_SHOWN], inner) for place, inner in enumerate(value))


def _shown(value: Any) -> str:
    return shortened(body((value,))[0], _SHOWN)

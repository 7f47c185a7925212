"""Requests that are sent again because their answer is late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.client_rules.index import ClientRequest, Connection, PacketIndex, first
from dungeonlab_conformance.client_rules.registry import Breaks, Evidence, Holds, Unclear, rule

LATE = 1.0  # seconds after which an answer is late
_AGAIN = 0.25  # seconds after which a request that is sent once more is not just one of several alike
_GIVEN_UP = 30.0  # seconds after which one that was not answered may be asked for anew


@rule("client/sends-no-duplicates", to_see="hold back the answers to what the client sends for two seconds")
def sends_no_duplicates(index: PacketIndex) -> Iterator[Evidence]:
    """What was not answered yet is not sent again, by a client that does not also say the same twice when answered."""
    sent = {
        c.first.number: [r for r in c.requests if r.row is not None and r.row.is_broadcast] for c in index.connections
    }
    found = [(connection, *_repetitions(sent[connection.first.number])) for connection in index.connections]
    repeating = {_client(connection) for connection, _, repeats_itself in found if repeats_itself}
    for connection, again, _ in found:
        if again and _client(connection) in repeating:
            yield Unclear("the client says the same again also after an answer: let each of its requests differ")
        elif again:
            for before, request in again:
                seconds = request.packet.at - before.packet.at
                expected = f"{connection.who} not to send {request.packet.event} again while it waits for the answer"
                shown = (before.packet, request.packet)
                yield Breaks(expected, f"the same again, under another number, {seconds:.1f} s later", shown)
        else:
            yield from _patient(connection, sent[connection.first.number])


def _client(connection: Connection) -> str:
    """Return what tells clients apart: programs that are started one after the other are the same client."""
    return "" if connection.round else connection.user


def _patient(connection: Connection, sent: list[ClientRequest]) -> Iterator[Evidence]:
    for request in sent:
        answer = request.answer
        if answer is not None and answer.at - request.packet.at >= LATE and connection.is_whole_until(answer):
            yield Holds(answer)


def _repetitions(sent: list[ClientRequest]) -> tuple[list[tuple[ClientRequest, ClientRequest]], bool]:
    """Return which requests were sent again before they were answered, and whether others were after it.

    Something that was changed to and fro is no repetition: only the last request about the same is compared.
    """
    last: dict[tuple[str, str], ClientRequest] = {}
    again, repeats_itself = [], False
    for request in sent:
        key = (request.packet.event, _about(request))
        before = last.get(key)
        if before is not None and before.packet.text == request.packet.text and not request.packet.cut:
            waited = request.packet.at - before.packet.at
            if before.answer is not None and request.packet.at - before.answer.at >= _AGAIN:
                repeats_itself = repeats_itself or before.refusal is None
            elif (
                not before.is_answered_before(request.packet)
                and before.packet.ack_id is not None
                and _AGAIN <= waited <= _GIVEN_UP
            ):
                again.append((before, request))
        last[key] = request
    return again, repeats_itself


def _about(request: ClientRequest) -> str:
    """Return what tells requests of one event apart: the token that is changed, or all that is said."""
    body: Any = first(request.packet)
    token = body.get("tokenId") if isinstance(body, dict) else None
    return f"token {token}" if isinstance(token, str) else request.packet.text

"""Requests that are sent again because their answer is late."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from dungeonlab_conformance.client_rules.index import ClientRequest, Connection, PacketIndex, first
from dungeonlab_conformance.client_rules.registry import Breaks, Evidence, Holds, Unclear, rule
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.payloads import stated

LATE = 1.0  # seconds after which an answer is late
_AGAIN = 0.4  # seconds after which a request that is sent once more is not just one of several alike
_ANSWERED = 0.2  # seconds after its answer: less, since a timer does not wait for that
_GIVEN_UP = 30.0  # seconds after which one that was not answered may be asked for anew


@dataclass(frozen=True, slots=True)
class _Repetition:
    """The same request twice; `answered` is whether the first had been accepted by then."""

    connection: Connection
    first: ClientRequest
    second: ClientRequest
    answered: bool

    @property
    def habit(self) -> tuple[str, str]:
        """Of which client it is, and which event: programs that are started one after the other are one client."""
        return "" if self.connection.round else self.connection.user, self.first.packet.event


@rule("client/sends-no-duplicates", to_see="hold back the answers to what the client sends for two seconds")
def sends_no_duplicates(index: PacketIndex) -> Iterator[Evidence]:
    """What was not answered yet is not sent again, by a client that does not also say the same twice when answered."""
    found = [repetition for connection in index.connections for repetition in _repetitions(connection)]
    habits = {repetition.habit for repetition in found if repetition.answered}
    again = [repetition for repetition in found if not repetition.answered]
    for repetition in again:
        if repetition.habit in habits:
            yield Unclear("the client says the same again also after an answer: let each of its requests differ")
        else:
            yield _broken(repetition)
    unclear = {repetition.first.packet.event for repetition in again}
    for connection in index.connections:
        yield from _patient(connection, unclear)


def _broken(repetition: _Repetition) -> Breaks:
    before, request = repetition.first.packet, repetition.second.packet
    expected = f"{repetition.connection.who} not to send {request.event} again while it waits for the answer"
    number = "the same" if before.ack_id == request.ack_id else "another"
    got = f"the same again, under {number} number, {request.at - before.at:.1f} s later"
    return Breaks(expected, got, (before, request))


def _patient(connection: Connection, unclear: set[str]) -> Iterator[Evidence]:
    """Yield the answers that came late to requests which were not sent again, of events that none was."""
    for request in connection.requests:
        answer = request.answer
        is_judged = request.row is not None and request.row.is_broadcast and request.row.name not in unclear
        if is_judged and answer is not None and answer.at - request.packet.at >= LATE:
            yield Holds(answer)


def _repetitions(connection: Connection) -> Iterator[_Repetition]:
    """Yield requests that are sent again, before they were answered or some time after.

    Something that was changed to and fro is no repetition: only the last request about the same is compared. Nor is it
    one where an answer may have been missed, or what was refused.
    """
    last: dict[tuple[str, str], tuple[ClientRequest, str]] = {}
    for request in connection.requests:
        if request.row is None or not request.row.is_broadcast or not connection.is_read_until(request.packet):
            continue
        asked = _asked(request)
        key = (request.packet.event, _about(request) or asked)
        before, asked_before = last.get(key, (None, ""))
        last[key] = request, asked
        if before is None or asked_before != asked or request.packet.cut:
            continue
        if before.is_answered_before(request.packet):
            if before.refusal is None and before.answer and request.packet.at - before.answer.at >= _ANSWERED:
                yield _Repetition(connection, before, request, answered=True)
        elif before.packet.ack_id is not None and _AGAIN <= request.packet.at - before.packet.at <= _GIVEN_UP:
            yield _Repetition(connection, before, request, answered=False)


def _about(request: ClientRequest) -> str:
    """Return what tells requests of one event apart that change something: the token. Nothing of those that do not."""
    body = first(request.packet)
    token = body.get("tokenId") if isinstance(body, dict) else None
    return f"token {token}" if isinstance(token, str) else ""


def _asked(request: ClientRequest) -> str:
    """Return all that a request asks for, in one order: who counts attempts in a property of its own asks the same."""
    arguments, schema = request.packet.arguments, request.row.request if request.row else None
    if not arguments or schema is None:
        return request.packet.text
    try:
        return json.dumps([stated(arguments[0], resolve(schema)), *arguments[1:]], sort_keys=True)
    except RecursionError:
        return request.packet.text

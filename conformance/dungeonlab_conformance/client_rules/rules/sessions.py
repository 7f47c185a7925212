"""What is sent to which session, and when: after joining, never after leaving."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from dungeonlab_conformance.client_rules.index import JOIN, LEAVE, Connection, PacketIndex
from dungeonlab_conformance.client_rules.registry import Breaks, Evidence, Holds, Unclear, rule
from dungeonlab_conformance.client_rules.rooms import Sending, Standing, sendings
from dungeonlab_conformance.client_rules.trials import ARRIVED
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.printable import shortened

UNDER_WAY = 1.0  # seconds for which a client may send what it sent before it could know
NEVER = 5.0  # seconds after which nobody can be expected to wait for an answer
QUIET = 2.0  # seconds of silence after which a client has stopped, and not just paused
_UNKNOWN = 1.4  # seconds between two requests of a client that sends few
_PAUSES = 2  # times as long as it mostly pauses it has to be silent, too
_MOST = 50  # requests that are looked at
_ID = 130  # characters of an id that a message repeats


@rule("client/joins-before-it-sends", to_see="let the client join a session and send something to it")
def joins_first(index: PacketIndex) -> Iterator[Evidence]:
    """What needs a room is sent after a request to join, and not after its refusal; reconnections are judged apart."""
    for connection, sent in sendings(index):
        for sending in sent:
            if sending.standing is Standing.JOINED:
                yield Holds(sending.request.packet)
            elif sending.standing is Standing.REFUSED or (
                sending.standing is Standing.STRANGER and not is_reconnection(connection)
            ):
                yield _too_early(connection, sending, "to join it first")


@rule("client/waits-for-the-join", to_see="let the client join a session with a callback and send something to it")
def waits_for_the_join(index: PacketIndex) -> Iterator[Evidence]:
    """Nothing is sent to a session between the request to join it and the answer."""
    for connection, sent in sendings(index):
        for sending in sent:
            if sending.standing is Standing.JOINED:
                yield Holds(sending.request.packet)
            elif sending.standing is Standing.UNANSWERED and _has_waited(sending):
                yield Unclear("the server did not answer the request to join, and the client went on after a while")
            elif sending.standing is Standing.UNANSWERED:
                yield _too_early(connection, sending, "to wait until its join is acknowledged")


@rule(
    "client/stops-sending-after-leaving",
    to_see="let the client leave a session, or join another, after it has sent something to it, and go on for a while",
)
def stops_after_leaving(index: PacketIndex) -> Iterator[Evidence]:
    """After a request to leave, or joining another session, nothing that needs a room is sent to the session."""
    for connection, sent in sendings(index):
        late = [each for each in sent if each.standing is Standing.LEFT]
        late += [each for each in sent if each.standing is Standing.SWITCHED and _is_late(connection, each)]
        for sending in late:
            how = "leaving it" if sending.standing is Standing.LEFT else "joining another"
            yield _after(connection, sending, f"after {how}")
        if not late:
            yield from _silence(index, connection, _leavings(connection), own_doing=True)


@rule(
    "client/stops-when-removed",
    to_see="let the client go on sending while its user is removed from the session, until the server says so",
)
def stops_when_removed(index: PacketIndex) -> Iterator[Evidence]:
    """After session-removed nothing that needs a room is sent to the session; what was under way does not count."""
    for connection, sent in sendings(index):
        late = [sending for sending in sent if sending.standing is Standing.REMOVED and _is_late(connection, sending)]
        for sending in late:
            yield _after(connection, sending, "after session-removed")
        if not late:
            removed = (p for p in connection.packets if p.event == "session-removed" and p.kind == "event")
            yield from _silence(index, connection, removed)


def is_reconnection(connection: Connection) -> bool:
    """Whether a connection takes the place of one that broke while it was in a session, for certain."""
    before = connection.predecessor
    return before is not None and before.has_joined and not connection.is_one_of_several


def _has_waited(sending: Sending) -> bool:
    return sending.since is not None and sending.request.packet.at - sending.since.at > NEVER


def _is_late(connection: Connection, sending: Sending) -> bool:
    """Whether a request cannot have been under way when its client learned that its stay had ended.

    Nor can one of a client that sends one thing at a time, and was answered something that it sent still later.
    """
    since, packet = sending.since, sending.request.packet
    if since is None:
        return False
    if packet.at - since.at > UNDER_WAY:
        return True
    place = bisect_right(connection.requests, since.number, key=lambda request: request.packet.number)
    later = [each for each in connection.requests[place : place + _MOST] if each.packet.number <= packet.number]
    one_at_a_time = all(before.is_answered_before(after.packet) for before, after in pairwise(later))
    answers = (each.answer for each in later[:-1] if each.answer is not None)
    return one_at_a_time and any(packet.at - answer.at > ARRIVED for answer in answers)


def _leavings(connection: Connection) -> Iterator[TappedPacket]:
    """Yield where a connection left a session that it was in, by asking to or by joining another.

    Who joined without a callback is in it as soon as something that needs the room is accepted.
    """
    inside, asked = None, None  # a session
    for request in connection.requests:
        if request.refusal is not None:
            continue
        if request.packet.event == LEAVE and request.session is not None and request.session == inside:
            inside = None
            yield request.packet
        elif request.packet.event == JOIN and request.packet.ack_id is None:
            asked = request.session
        elif request.answer is not None and (
            request.packet.event == JOIN or (request.needs_room and request.session == asked != inside)
        ):
            if inside not in (None, request.session):
                yield request.answer
            inside, asked = request.session, None


def _silence(
    index: PacketIndex, connection: Connection, ends: Iterator[TappedPacket], *, own_doing: bool = False
) -> Iterator[Evidence]:
    """Judge that nothing came after what ended a stay: of a client that was sending, for long enough, or for good.

    Where it was its `own_doing`, it need not have sent regularly: it knows that it is over.
    """
    for since in ends:
        pace = connection.pace_before(since)
        end = connection.end or index.ends.get(connection.round, since)
        if pace is None and own_doing and connection.sends and connection.sends[0].packet.number < since.number:
            pace = _UNKNOWN
        if pace is None or not connection.is_whole_until(since):
            yield Unclear("the client had sent too little by then: let it send something regularly before")
        elif connection.left_by_itself or end.at - since.at >= max(QUIET, pace * _PAUSES):
            yield Holds(end)
        else:
            yield Unclear("too little was seen afterwards: let the client stay for some seconds")


def _too_early(connection: Connection, sending: Sending, what: str) -> Breaks:
    shown = (sending.since, sending.request.packet) if sending.since else (sending.request.packet,)
    why = {
        Standing.REFUSED: ", though its join had been refused",
        Standing.UNANSWERED: ", while nothing had answered its join",
    }.get(sending.standing, ", without a join on this connection")
    return Breaks(f"{connection.who} {what} before it sends to {_session(sending)}", f"{_sent(sending)}{why}", shown)


def _after(connection: Connection, sending: Sending, when: str) -> Breaks:
    shown = (sending.since, sending.request.packet) if sending.since else (sending.request.packet,)
    seconds = sending.request.packet.at - sending.since.at if sending.since else 0.0
    expected = f"{connection.who} to send nothing to {_session(sending)} {when}"
    return Breaks(expected, f"{_sent(sending)}, {seconds:.3g} s later", shown)


def _session(sending: Sending) -> str:
    return f"session {shortened(sending.request.session or '', _ID)}"


def _sent(sending: Sending) -> str:
    return shortened(sending.request.packet.event, _ID)

"""What a client has to bear, and whether it was seen to: by what it sends later on the same connection."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from dungeonlab_conformance.client_rules.index import JOIN, LEAVE, Connection, PacketIndex
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_spec import Catalogue

ARRIVED = 0.2  # seconds after which something has reached its client
SOON = 2.0  # seconds after a refusal in which a disconnection belongs to it, and after either to hang up
_GONE = ("left", "switched", "disconnected", "removed")  # why somebody is gone
PRESENCE, DISCONNECTED = "client/tolerates-presence-events", "client/tolerates-being-disconnected"
_KINDS = {  # by requirement: the rank, and how a message names it
    "client/ignores-unknown-events": (0, "an event that it does not know"),
    DISCONNECTED: (1, "being disconnected after a refusal"),
    "client/tolerates-an-error-event": (2, "an error event"),
    "client/survives-an-error-ack": (3, "a failure acknowledgement"),
    PRESENCE: (4, "a presence event"),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Something that a client has to bear, by the requirement that says so, and whether it was seen to go on.

    Of several that may have ended a program, that of the lowest `rank` is the likeliest.
    """

    requirement: str
    rank: int
    what: str
    packet: TappedPacket
    connection: Connection
    borne: TappedPacket | None

    @property
    def kind(self) -> tuple[str, str]:
        """What was borne if this was: of presence events each by itself, of all else the requirement."""
        return self.requirement, _what_presence(self.packet) if self.requirement == PRESENCE else ""


def all_trials(index: PacketIndex) -> list[Trial]:
    """Return what each connection had to bear."""
    return [trial for connection in index.connections for trial in _trials(index, connection)]


def _trials(index: PacketIndex, connection: Connection) -> Iterator[Trial]:
    """Yield the first trial of each kind that was borne, and the last one that was not."""
    found: dict[tuple[str, str], list[TappedPacket]] = {}
    for packet in connection.packets:
        if (requirement := asks(packet)) is not None:
            which = _what_presence(packet) if requirement == PRESENCE else ""
            found.setdefault((requirement, which), []).append(packet)
    failures = [each.refusal for each in connection.requests if each.refusal is not None]
    found["client/survives-an-error-ack", ""] = [
        each.refusal
        for each in connection.requests
        if each.refusal is not None and each.refusal.kind == "ack" and each.packet.event != JOIN
    ]
    sent = [request.packet for request in connection.requests]
    lasting = [packet for packet in sent if packet.event != LEAVE]  # who only leaves does not go on, nor has it ended
    for (requirement, which), packets in found.items():
        rank, what = _KINDS[requirement]
        for packet in dict.fromkeys((*packets[:1], *packets[-1:])):
            borne = next((p for p in (*lasting[-1:], *sent[-1:]) if p.at - packet.at >= ARRIVED), None)
            yield Trial(requirement, rank, f"{what}, {which}" if which else what, packet, connection, borne)
    yield from _disconnection(index, connection, failures)


def _disconnection(index: PacketIndex, connection: Connection, failures: list[TappedPacket]) -> Iterator[Trial]:
    """Yield what came after a refusal by a packet that says so, or by order; TCP connections end for other reasons."""
    end = connection.end
    if end is None or end.sender != "server":
        return
    before = [failure for failure in failures if failure.number < end.number]  # others were refused because it ended
    if not before or end.at - before[-1].at > SOON:
        return
    if end.kind != "disconnect" and not was_ordered(index, end):
        return
    ended = index.exits.get(connection.round)
    went_on = ended if ended is not None and ended.event == DirectorAct.STOPPED else None
    borne = connection.successor.first if connection.successor is not None else went_on
    yield Trial(DISCONNECTED, *_KINDS[DISCONNECTED], end, connection, borne)


def was_ordered(index: PacketIndex, end: TappedPacket) -> bool:
    """Whether a connection was ended on purpose."""
    place = bisect_left(index.acts, end.number, key=lambda act: act.number)
    latest = index.acts[place - 1] if place else None
    return latest is not None and latest.event == DirectorAct.DISCONNECT and end.at - latest.at <= SOON


def asks(packet: TappedPacket) -> str | None:
    """Return the requirement that an event of a server puts to the test, if any."""
    if packet.kind != "event" or packet.sender != "server":
        return None
    row = Catalogue.load().events.get(packet.event)
    if row is None:
        return "client/ignores-unknown-events"
    if packet.event == "error":
        return "client/tolerates-an-error-event"
    return PRESENCE if row.optional else None


def _what_presence(packet: TappedPacket) -> str:
    """Return which presence event it is: by its name, and by its reason where it has one that the protocol knows."""
    body = next(iter(packet.arguments or ()), None)
    reason = body.get("reason") if isinstance(body, dict) else None
    return f"{packet.event} ({reason})" if reason in _GONE else packet.event

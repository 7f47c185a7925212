"""What a tap saw, as the journal that the invariants judge. Pure.

Of a connection whose beginning the tap saw, it is known what it asked for and which rooms it is in, as in a scene. Of
another one nothing is said that would follow from what was not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Act, Observation, Request, RoomStay, SentRequest
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.tree import deeper_than
from dungeonlab_spec import Catalogue, accepts

JOIN, LEAVE = "join-session", "leave-session"
_DEEPEST = 600  # levels of a request that is judged
_MOST_REPEATS = 100  # of answers on one connection; each is compared with all that came before
_UNJUDGED = Request("", (), None, None)  # what was asked cannot be read, or is nothing that the protocol knows


@dataclass
class Known:
    """One connection: what it has asked for, by the number of the answer, and what was answered.

    It is `whole` if it was seen from its beginning on. What is `unsure` may be in any room.
    """

    number: int
    user: str
    whole: bool
    unsure: bool = False
    asked: dict[int, list[Request]] = field(default_factory=dict)
    answered: dict[int, Request] = field(default_factory=dict)
    stays: dict[Request, RoomStay] = field(default_factory=dict)
    repeats: int = 0  # answers to what was answered before
    heard: float = 0.0  # when the server was last heard, on this connection
    ended_by_tap: bool = False


class Replayed:
    """The journal, and from which packet each of its observations was made.

    `partial` holds what was seen of connections without their beginning.
    """

    def __init__(self, packets: Iterable[TappedPacket]) -> None:
        self._now = 0.0
        self.journal, self.partial = (Journal(lambda: self._now, epoch=0.0) for _ in range(2))
        self.connections: dict[int, Known] = {}
        self.packets: dict[int, TappedPacket] = {}  # by the number of an observation
        self.sent: dict[int, TappedPacket] = {}  # by the number of a request that was sent
        self.sessions: set[str] = set()  # that somebody has joined
        for packet in packets:
            self._now = packet.at
            if packet.connection:
                self._take(packet)
        for journal in (self.journal, self.partial):
            journal.leave_unaccounted()
        for session in self.sessions:
            self.journal.rooms.opened(session, (), shared=True)

    def _take(self, packet: TappedPacket) -> None:
        known = self.connections.get(packet.connection)
        if known is None:
            user = packet.user or f"somebody on connection {packet.connection}"
            known = Known(packet.connection, user, whole=packet.kind == "handshake")
            self.connections[packet.connection] = known
            self._journal(known).rooms.connected(known.number, user)
        if packet.sender == "server":
            known.heard = packet.at
        match packet.kind, packet.sender:
            case "event", "client":
                self._asks(known, packet)
            case "event", "server":
                self._hears(known, packet)
            case "ack", "server":
                self._is_answered(known, packet)
            case ("unreadable", "server") if packet.event:
                self._write(known, packet, "cannot read", packet.event, (packet.text,))
            case "unreadable", "client":
                known.whole, known.unsure = False, True
            case "close", _:
                known.ended_by_tap = packet.sender == "tap"
                self._journal(known).rooms.closed(known.number, packet.at, by_server=packet.sender == "server")

    def _journal(self, known: Known) -> Journal:
        return self.journal if known.whole else self.partial

    def _write(
        self, known: Known, packet: TappedPacket, act: Act, event: str, args: Iterable[Any], of: Request | None = None
    ) -> Observation:
        actor = f"{known.user} ({known.number})" if packet.user else known.user
        seen = self._journal(known).write(actor, known.number, act, event, args, of)
        self.packets[seen.number] = packet
        return seen

    # -- what a client asks for, and is answered -----------------------------------------------------

    def _asks(self, known: Known, packet: TappedPacket) -> None:
        request = _request(packet)
        if packet.ack_id is not None:
            known.asked.setdefault(packet.ack_id, []).append(request)
        if packet.event in (JOIN, LEAVE) and (not request.legal or request.session is None):
            known.unsure = True
        if request is _UNJUDGED:
            return
        journal = self._journal(known)
        sent = journal.sent(request, known.user, known.user, known.number)
        self.sent[sent.number] = packet
        if request.event == JOIN and request.session is not None:
            self._asks_to_join(known, sent, request, request.session, acknowledged=packet.ack_id is not None)
        elif request.event == LEAVE and packet.ack_id is None:
            journal.rooms.leave_asked(known.number)

    def _asks_to_join(
        self, known: Known, sent: SentRequest, request: Request, session: str, *, acknowledged: bool
    ) -> None:
        rooms = self._journal(known).rooms
        if acknowledged:
            known.stays[request] = rooms.join_asked(known.number, session)
            rooms.join_sent(known.stays[request], sent)
        else:
            rooms.join_unacknowledged(known.number, session, sent.at)

    def _is_answered(self, known: Known, packet: TappedPacket) -> None:
        number, args = packet.ack_id, packet.arguments
        if number is None:
            return
        if asked := known.asked.get(number):
            request = asked.pop(0)
            known.answered[number] = request
            if args is not None and request is not _UNJUDGED:
                self._answers(known, packet, request, args)
            elif request.event in (JOIN, LEAVE):
                known.unsure = True
        elif (before := known.answered.get(number)) is not None:
            if before is not _UNJUDGED and known.repeats < _MOST_REPEATS:
                known.repeats += 1
                self._write(known, packet, "is answered again", before.event, args or (), before)
        elif known.whole:
            self._write(known, packet, "is sent", f"an answer to request {number}", args or ())

    def _answers(self, known: Known, packet: TappedPacket, request: Request, args: Iterable[Any]) -> None:
        journal = self._journal(known)
        seen = self._write(known, packet, "is answered", request.event, args, request)
        accepted = Acknowledgement(request, seen.args).accepted
        sent = journal.answered(request, packet.at, accepted=accepted)
        if (stay := known.stays.pop(request, None)) is not None:
            if accepted:
                journal.rooms.joined(stay, packet.at)
                self.sessions.add(stay.session)
            else:
                journal.rooms.join_refused(stay)
        elif request.event == LEAVE and accepted:
            journal.rooms.left(known.number, packet.at, sent.at)

    # -- what it hears -------------------------------------------------------------------------------

    def _hears(self, known: Known, packet: TappedPacket) -> None:
        args = packet.arguments
        if args is None:
            if not packet.cut:
                self._write(known, packet, "cannot read", "a packet: its arguments are no JSON", (packet.text,))
            return
        event = Catalogue.load().events.get(packet.event)
        if known.whole or (event is not None and event.emission is not None):
            self._write(known, packet, "hears", packet.event, args)
        if packet.event == "session-removed":
            self._journal(known).rooms.leave_asked(known.number)


def _request(packet: TappedPacket) -> Request:
    """Return what a client sent, as a request of the protocol; `_UNJUDGED` where it is none, or cannot be read."""
    event, args = Catalogue.load().events.get(packet.event), packet.arguments
    if event is None or event.request is None or args is None or deeper_than(args, _DEEPEST):
        return Request(packet.event, (), None, None, legal=False) if packet.event in (JOIN, LEAVE) else _UNJUDGED
    legal = len(args) == 1 and accepts(event.request, args[0])
    request = Request(event.name, tuple(args), None, None, legal)
    return replace(request, session=request.named_session)

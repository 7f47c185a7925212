"""In which session a connection is, as far as its client can know, whenever it sends something to one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from dungeonlab_conformance.client_rules.index import JOIN, LEAVE, ClientRequest, Connection, PacketIndex, first
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_spec import Catalogue

_STAYS = ("RATE_LIMITED", "INTERNAL_ERROR", "VALIDATION_ERROR")  # codes after which who wanted to leave has not left


class Standing(Enum):
    """What a connection is to the session that it sends something to."""

    JOINED = auto()
    UNANSWERED = auto()  # it has asked to join, and nothing says yet that it has
    REFUSED = auto()
    LEFT = auto()
    SWITCHED = auto()  # it has joined another
    REMOVED = auto()
    STRANGER = auto()  # it has not asked to join


@dataclass(frozen=True, slots=True)
class Sending:
    """A request that needs a room, its sender's standing in the session that it names, and what that follows from."""

    request: ClientRequest
    standing: Standing
    since: TappedPacket | None = None


@dataclass(slots=True)
class _Stay:
    """What is known of one connection and one session: the last request to join it, and how it got out of it."""

    join: ClientRequest | None = None
    is_in: bool = False
    out: Standing | None = None
    since: TappedPacket | None = None


@dataclass(slots=True)
class _Rooms:
    stays: dict[str, _Stay] = field(default_factory=dict)
    current: str | None = None
    asked: set[str] = field(default_factory=set)  # the sessions of which nothing says yet whether it is in

    def stay(self, session: str) -> _Stay:
        return self.stays.setdefault(session, _Stay())

    def ask(self, request: ClientRequest, session: str) -> None:
        """The client sends a request to join or to leave; where it is refused, or never joined, it has not left."""
        if request.packet.event == JOIN:
            self.stay(session).join = request
            self.asked.add(session)
        elif request.packet.event == LEAVE and request.code not in _STAYS and session in self.stays:
            self._get_out(session, Standing.LEFT, request.packet)

    def _get_out(self, session: str, why: Standing, since: TappedPacket) -> None:
        stay = self.stay(session)
        stay.is_in, stay.out, stay.since = False, why, since
        self.asked.discard(session)
        if self.current == session:
            self.current = None

    def _get_in(self, session: str, since: TappedPacket) -> None:
        if self.current not in (None, session):
            self._get_out(self.current or "", Standing.SWITCHED, since)
        stay = self.stay(session)
        stay.is_in, stay.out, stay.since = True, None, since
        self.asked.discard(session)
        self.current = session

    def answered(self, request: ClientRequest, packet: TappedPacket) -> None:
        """The server answers a request. Of several to join the same, any success counts, and the last refusal."""
        if request.packet.event != JOIN or request.session is None:
            return
        stay = self.stay(request.session)
        if request.refusal is not None:
            if request is stay.join and not stay.is_in:
                self._get_out(request.session, Standing.REFUSED, packet)
        elif stay.out is not Standing.LEFT or stay.since is None or stay.since.number < request.packet.number:
            later = self.stays[self.current].join if self.current not in (None, request.session) else None
            if later is not None and later.packet.number > request.packet.number:
                self._get_out(request.session, Standing.SWITCHED, packet)
            else:
                self._get_in(request.session, packet)

    def heard(self, packet: TappedPacket) -> None:
        """The server sends an event: out of the room, or a message of the room, which shows that one is in it."""
        if packet.event != "session-removed" and not self.asked:
            return
        body = first(packet)
        session = body.get("sessionId") if isinstance(body, dict) else None
        if not isinstance(session, str):
            return
        if packet.event == "session-removed":
            self._get_out(session, Standing.REMOVED, packet)
        elif session in self.asked:
            self._get_in(session, packet)

    def standing(self, request: ClientRequest) -> Sending:
        """Say what the connection is, at this moment, to the session that a request names."""
        stay = self.stays.get(request.session or "")
        if stay is None:
            return Sending(request, Standing.STRANGER)
        if stay.is_in:
            return Sending(request, Standing.JOINED, stay.since)
        join = stay.join
        if join is not None and (stay.since is None or stay.since.number < join.packet.number):
            return Sending(request, Standing.UNANSWERED, join.packet)
        if stay.out is None:
            return Sending(request, Standing.STRANGER)
        return Sending(request, stay.out, stay.since)


def sendings(index: PacketIndex) -> Iterator[tuple[Connection, list[Sending]]]:
    """Yield each connection, with its requests that need a room and name a session."""
    yield from index.derived(_all_sendings)


def _all_sendings(index: PacketIndex) -> list[tuple[Connection, list[Sending]]]:
    return [(connection, list(_of_connection(connection))) for connection in index.connections]


def _of_connection(connection: Connection) -> Iterator[Sending]:
    """Yield the requests of a connection that need a room and name a session, as long as nothing of it was missed."""
    catalogue = Catalogue.load()
    by_packet = {request.packet.number: request for request in connection.requests}
    answers = {found.number: request for request in connection.requests if (found := request.answer or request.refusal)}
    rooms = _Rooms()
    for packet in connection.packets:
        if not connection.is_whole_until(packet):
            return
        request = by_packet.get(packet.number)
        if request is not None and request.session is not None:
            if request.needs_room:
                yield rooms.standing(request)
            else:
                rooms.ask(request, request.session)
        elif (answered := answers.get(packet.number)) is not None and answered.session is not None:
            rooms.answered(answered, packet)
        elif packet.kind == "event" and packet.sender == "server" and packet.event in catalogue:
            rooms.heard(packet)

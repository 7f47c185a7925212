"""What was seen, by connection: which requests a client sent, how they were answered, how each connection ended.

A journal may begin late, have gaps, and stop being readable: a connection of which something may be missing says so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, TypeVar

from dungeonlab_conformance.client_rules.partial import session_named
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.printable import shortened
from dungeonlab_spec import Catalogue, Event

_USER = 60  # characters of a name that a message repeats
_LULL, _PAUSES = 2.0, 5  # seconds without one, and times as long as it mostly pauses, after which it has stopped
_LAST = 30  # requests that are looked at for that
_FEW = 3  # requests that it takes to say how often a client sends
Derived = TypeVar("Derived")
JOIN, LEAVE = "join-session", "leave-session"


@dataclass(eq=False, slots=True)
class ClientRequest:
    """One event that a client sent. `row` is that of the catalogue, None if it has no such request.

    `session` is the one that the payload names, if it does so in text. `answer` is the acknowledgement, `refusal` what
    said that it was refused: that, or an error event. None if there was none.
    """

    packet: TappedPacket
    row: Event | None
    session: str | None
    answer: TappedPacket | None = None
    refusal: TappedPacket | None = None
    code: str = ""

    @property
    def needs_session(self) -> bool:
        """Whether it is a request in a session."""
        return self.row is not None and "membership" in self.row.needs

    @property
    def needs_room(self) -> bool:
        """Whether only a connection that has joined may send it; leaving is harmless at any time."""
        return self.row is not None and "joined" in self.row.needs and self.row.name != LEAVE

    def is_answered_before(self, packet: TappedPacket) -> bool:
        """Whether it was answered, or refused, before something else was seen."""
        found = self.answer or self.refusal
        return found is not None and found.number < packet.number


@dataclass(eq=False, slots=True)
class Connection:
    """One Socket.IO connection in an Engine.IO session, from its beginning, or from where it was first seen.

    `connect` is its CONNECT; `refused` is what refused that, or the handshake. `end` is what ended it, which may be an
    act that cut it off, and `closed` what was seen of that. `round` counts the times that new clients were started.
    `predecessor` is the connection that it takes the place of, as far as can be said: one of the same program or
    cookie that broke before; `successor` is the other way round. `unread` is where something of it may have been
    missed.
    """

    number: int
    first: TappedPacket
    round: int = 0
    user: str = ""
    handshake: TappedPacket | None = None
    opened: TappedPacket | None = None
    connect: TappedPacket | None = None
    connected: TappedPacket | None = None
    refused: TappedPacket | None = None
    end: TappedPacket | None = None
    closed: TappedPacket | None = None
    unread: TappedPacket | None = None
    predecessor: Connection | None = None
    successor: Connection | None = None
    requests: list[ClientRequest] = field(default_factory=list)
    sends: list[ClientRequest] = field(default_factory=list)  # those that only a connection that has joined may send
    packets: list[TappedPacket] = field(default_factory=list)
    asked: dict[int, ClientRequest] = field(default_factory=dict)  # by the number of the acknowledgement
    quiet: dict[str, ClientRequest] = field(default_factory=dict)  # the last one without a callback, by its event
    has_joined: bool = False  # or its predecessor had
    is_one_of_several: bool = False  # tabs that broke, of which some had joined: it may be any of them

    @property
    def who(self) -> str:
        """How a message names it."""
        return f"{shortened(self.user, _USER) or 'a client without a cookie'} on connection {self.number}"

    def is_whole_until(self, packet: TappedPacket) -> bool:
        """Whether everything on it was seen, from its CONNECT to a packet."""
        return self.connect is not None and self.is_read_until(packet)

    def is_read_until(self, packet: TappedPacket) -> bool:
        """Whether nothing was missed between what was first seen of it and a packet."""
        return self.unread is None or self.unread.number > packet.number

    @property
    def left_by_itself(self) -> bool:
        """Whether the client ended it on purpose, by a DISCONNECT."""
        return self.end is not None and self.end.kind == "disconnect" and self.end.sender == "client"

    @property
    def was_cut(self) -> bool:
        """Whether it ended by no doing of its client."""
        return self.end is not None and self.end.sender != "client"

    def pace_before(self, packet: TappedPacket) -> float | None:
        """Return how many seconds mostly pass between two requests to a session, of a client that sends until a packet.

        None if there were too few, or none any more for a while. The last ones count.
        """
        place = bisect_left(self.sends, packet.number, key=lambda request: request.packet.number)
        times = [request.packet.at for request in self.sends[max(0, place - _LAST) : place]]
        if len(times) < _FEW:
            return None
        pace = median(later - at for at, later in pairwise(times))
        return pace if packet.at - times[-1] <= max(_LULL, pace * _PAUSES) else None


class PacketIndex:
    """All that was seen, in order, and the connections that it belongs to. Never raises, whatever the packets hold."""

    def __init__(self, packets: Iterable[TappedPacket]) -> None:
        """`packets` are in the order of their numbers; one that is missing is taken for lost."""
        self.connections: list[Connection] = []
        self.attempts: list[TappedPacket] = []
        self.handshakes: list[TappedPacket] = []
        self.gaps: list[int] = []  # before which numbers something is missing
        self.http: list[TappedPacket] = []  # requests beside Socket.IO
        self.acts: list[TappedPacket] = []
        self.acts_by_round: dict[int, set[str]] = {}
        self.exits: dict[int, TappedPacket] = {}  # where a client's program ended, by round
        self.freezes: dict[int, TappedPacket] = {}  # where it was seen that a client's program had frozen, by round
        self.ends: dict[int, TappedPacket] = {}  # the last that was seen of clients, by round
        self._catalogue = Catalogue.load()
        self._derived: dict[Any, Any] = {}
        self._current: dict[int, Connection] = {}  # by Engine.IO session
        self._whole: dict[int, Connection] = {}  # those that are open and miss nothing, by Engine.IO session
        self._broken: dict[tuple[int, str], list[Connection]] = {}  # without a successor yet, by client
        self._round = 0
        last: TappedPacket | None = None
        for packet in packets:
            if last is not None and packet.number != last.number + 1:
                self.gaps.append(packet.number)
                self._miss(list(self._whole), packet)
            self._read(packet)
            if self._round not in self.exits:
                self.ends[self._round] = packet
            last = packet

    def derived(self, derive: Callable[[PacketIndex], Derived]) -> Derived:
        """Return what a function makes of this index; it is called once, however many rules ask."""
        if derive not in self._derived:
            self._derived[derive] = derive(self)
        found: Derived = self._derived[derive]
        return found

    def requests(self) -> Iterator[tuple[Connection, ClientRequest]]:
        """Yield what clients sent, connection by connection."""
        for connection in self.connections:
            for request in connection.requests:
                yield connection, request

    def by_user(self) -> Iterator[list[Connection]]:
        """Yield the connections of each cookie in each round."""
        found: dict[tuple[int, str], list[Connection]] = {}
        for connection in self.connections:
            if connection.user:
                found.setdefault((connection.round, connection.user), []).append(connection)
        yield from found.values()

    def _miss(self, numbers: Iterable[int], packet: TappedPacket) -> None:
        for number in numbers:
            if (connection := self._whole.pop(number, None)) is not None:
                connection.unread = packet

    def _read(self, packet: TappedPacket) -> None:
        match packet.kind:
            case "act":
                self._note_act(packet)
            case "attempt":
                self.attempts.append(packet)
            case "request":
                self.http.append(packet)
            case "unreadable":
                self._note_unreadable(packet)
            case _:
                self._note_packet(packet)

    def _note_act(self, packet: TappedPacket) -> None:
        self.acts.append(packet)
        if packet.event == DirectorAct.BEGIN:
            self._round += 1
        if packet.event in (DirectorAct.EXITED, DirectorAct.STOPPED):
            self.exits.setdefault(self._round, packet)
            self.ends[self._round] = packet
        if packet.event == DirectorAct.FROZE:
            self.freezes.setdefault(self._round, packet)
        self.acts_by_round.setdefault(self._round, set()).add(packet.event)
        connection = self._current.get(packet.connection)
        if packet.event == DirectorAct.CUT and connection is not None and connection.end is None:
            self._end(connection, packet)

    def _note_unreadable(self, packet: TappedPacket) -> None:
        """Of a TCP connection that belongs to no session, any session over polling may have made use."""
        if packet.connection:
            self._connection(packet)  # of which nothing else may have been seen yet
        polling = (number for number, open_ in self._whole.items() if open_.first.transport != "websocket")
        self._miss([packet.connection] if packet.connection else list(polling), packet)

    def _note_packet(self, packet: TappedPacket) -> None:
        if packet.kind == "handshake":
            self.handshakes.append(packet)
        if packet.connection == 0:
            return
        connection = self._connection(packet)
        connection.packets.append(packet)
        connection.user = connection.user or packet.user
        match packet.kind:
            case "handshake":
                connection.handshake = packet
            case "connect":
                self._note_connect(connection, packet)
            case "connected":
                connection.connected = packet
            case "connect-error":
                connection.refused = packet
            case "response" if connection.opened is None:
                connection.refused = packet  # of the handshake: others are noted, too, if they refuse something
            case "open":
                connection.opened = packet
            case "event" if packet.sender == "client":
                self._note_request(connection, packet)
            case "event" if packet.event == "error":
                self._note_error(connection, packet)
            case "ack" if packet.sender == "server":
                self._note_answer(connection, packet)
            case "disconnect" | "close":
                connection.closed = connection.closed or packet
                if connection.end is None:
                    self._end(connection, packet)

    def _connection(self, packet: TappedPacket) -> Connection:
        """Return the connection of a packet: a new one if another CONNECT follows its end in the same session."""
        found = self._current.get(packet.connection)
        again = found is not None and packet.kind == "connect" and bool(found.end or found.refused)
        if found is None or again:
            new = Connection(packet.connection, packet, self._round)
            if found is not None:
                new.handshake, new.opened, new.unread = found.handshake, found.opened, found.unread
            self.connections.append(new)
            found = self._current[packet.connection] = new
            if new.unread is None:
                self._whole[packet.connection] = new
        return found

    def _note_connect(self, connection: Connection, packet: TappedPacket) -> None:
        if connection.connect is None:
            connection.connect = packet
            waiting = self._broken.get(self._client(connection))
            if connection.user and waiting:
                before = next((each for each in reversed(waiting) if each.has_joined), waiting[-1])
                waiting.remove(before)
                before.successor, connection.predecessor = connection, before
                connection.is_one_of_several = any(each.has_joined is not before.has_joined for each in waiting)
                connection.has_joined = before.has_joined and not connection.is_one_of_several

    def _note_request(self, connection: Connection, packet: TappedPacket) -> None:
        """A packet that is posted again under its number was repeated by the transport, and is no other request."""
        known = None if packet.ack_id is None else connection.asked.get(packet.ack_id)
        is_posted = packet.transport != "websocket"
        if known is not None and is_posted and (known.packet.event, known.packet.text) == (packet.event, packet.text):
            return
        row = self._catalogue.events.get(packet.event)
        body = first(packet)
        session = body.get("sessionId") if isinstance(body, dict) else session_named(packet) if packet.cut else None
        is_request = row is not None and row.request is not None
        named = session if isinstance(session, str) and session else None
        request = ClientRequest(packet, row if is_request else None, named)
        connection.requests.append(request)
        if request.needs_room:
            connection.sends.append(request)
        if packet.ack_id is None:
            connection.quiet[packet.event] = request
            connection.has_joined |= packet.event == JOIN  # as far as can be said without an answer
        else:
            connection.asked[packet.ack_id] = request

    def _note_answer(self, connection: Connection, packet: TappedPacket) -> None:
        request = None if packet.ack_id is None else connection.asked.get(packet.ack_id)
        if request is None or request.answer is not None:
            return
        request.answer = packet
        body = first(packet)
        if isinstance(body, dict) and body.get("success") is False:
            request.refusal, request.code = packet, f"{body.get('code')}"
        elif request.packet.event == JOIN:
            connection.has_joined = True

    def _note_error(self, connection: Connection, packet: TappedPacket) -> None:
        body = first(packet)
        event = body.get("event") if isinstance(body, dict) else None
        request = connection.quiet.get(event) if isinstance(event, str) else None
        if request is not None and request.refusal is None and isinstance(body, dict):
            request.refusal, request.code = packet, f"{body.get('code')}"

    def _end(self, connection: Connection, packet: TappedPacket) -> None:
        connection.end = packet
        self._whole.pop(connection.number, None)
        if connection.user and connection.connect is not None and not connection.left_by_itself:
            self._broken.setdefault(self._client(connection), []).append(connection)

    def _client(self, connection: Connection) -> tuple[int, str]:
        """Say which client a connection is of: a program is one, though it may log in anew and bring another cookie."""
        return connection.round, "" if connection.round else connection.user


def first(packet: TappedPacket) -> Any:
    """Return the first argument of a packet; None if there is none, or it cannot be read."""
    arguments: Sequence[Any] | None = packet.arguments
    return arguments[0] if arguments else None

"""Reads along one TCP connection: HTTP, and in it the two transports of Engine.IO."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from dungeonlab_conformance.clients.engine_io_packets import OPEN, split
from dungeonlab_conformance.record.tapped.packet import Sender
from dungeonlab_conformance.tap.reading.framing import Dialogue, Head, Part, Piece
from dungeonlab_conformance.tap.reading.sessions import Session, Sessions
from dungeonlab_conformance.tap.reading.users import Users
from dungeonlab_conformance.tap.reading.websocket import LARGEST, Close, Frames, Unreadable, agreed

MOST_HELD = 64 << 20  # bytes of unfinished bodies and messages, on all connections of a tap
_LONGEST_PATH = 200  # characters
_LONGEST_QUERY = 2_000  # characters that are looked at
_Purpose = Literal["handshake", "poll", "post", "websocket", "other"]


@dataclass(eq=False)
class Exchange:
    """A request and what answers it."""

    method: str
    path: str  # without its query
    user: str
    purpose: _Purpose
    session: Session | None = None
    bodies: dict[Sender, bytearray] = field(default_factory=dict)
    codings: dict[Sender, str] = field(default_factory=dict)


class ConnectionReading:
    """What is read of one TCP connection. `joins` is called with each session that this connection carries."""

    def __init__(self, sessions: Sessions, users: Users, joins: Callable[[Session], None]) -> None:
        self._sessions, self._users, self._joins = sessions, users, joins
        self._dialogue = Dialogue()
        self._arriving: Exchange | None = None  # whose request is being read
        self._asked: deque[Exchange] = deque()  # not answered as a whole
        self._answering: Exchange | None = None
        self._frames: dict[Sender, Frames] = {}
        self._carried: Session | None = None  # over WebSocket
        self._upgraded = False  # whether that session lives by this connection
        self._held = 0  # bytes of what is unfinished, as far as `_sessions` know
        self.client, self.server = self._dialogue.client, self._dialogue.server

    def read(self, sender: Literal["client", "server"], pieces: Iterable[Piece]) -> None:
        """Read pieces of one direction, which have been forwarded."""
        for piece in pieces:
            match piece.part:
                case Part.HEAD if piece.head and sender == "client":
                    self._request(piece.head)
                case Part.HEAD if piece.head:
                    self._answer(piece.head)
                case Part.BODY:
                    self._body(sender, piece.raw)
                case Part.END:
                    self._end(sender)
                case Part.REST if sender in self._frames:
                    self._websocket(sender, piece.raw)
                case Part.UNREADABLE:
                    self._unreadable(sender, piece.why)
        self._account()
        if self._held and self._sessions.held > MOST_HELD:
            self._drop(sender)
            self._unreadable(sender, f"more than {MOST_HELD >> 20} MB are unfinished, on all connections together")

    def ended(self, sender: Sender, how: str) -> None:
        """Note that one side, or the tap, has ended this connection."""
        if sender == "server" and self._answering and not self.server.between_messages:
            self._end(sender)  # a body that goes on until the connection ends
        if self._carried and (self._upgraded or self._carried.transport == "websocket"):
            self._close(self._carried, sender, how)
        for one in ("client", "server"):
            self._drop(one)

    def _account(self) -> None:
        """Say how much of what was read is unfinished."""
        bodies = [body for each in (self._arriving, self._answering) if each for body in each.bodies.values()]
        held = sum(map(len, bodies)) + sum(frames.held for frames in self._frames.values())
        self._sessions.held += held - self._held
        self._held = held

    def _drop(self, sender: Sender) -> None:
        """Read nothing more of one side."""
        (self.client if sender == "client" else self.server).stop()
        exchange = self._arriving if sender == "client" else self._answering
        if exchange:
            exchange.bodies.clear()
        self._frames.pop(sender, None)
        self._account()

    def _request(self, head: Head) -> None:
        method, target, *_ = (*head.start.split(" "), "")
        path, _, query = target.partition("?")
        asked = dict(pair.partition("=")[::2] for pair in query[:_LONGEST_QUERY].split("&"))
        user = self._users.name(head.headers)
        exchange = Exchange(method, urlsplit(path).path[:_LONGEST_PATH], user, "other")
        exchange.codings["client"] = head.headers.get("content-encoding", "")
        self._arriving = exchange
        self._asked.append(exchange)
        transport = asked.get("transport", "")
        if "EIO" in asked and transport in ("polling", "websocket") and method in ("GET", "POST"):
            self._engine_io(exchange, transport, unquote(asked.get("sid", "")))
        if exchange.purpose == "other":
            self._sessions.journal.add("client", "request", user=user, event=f"{method} {exchange.path}")

    def _engine_io(self, exchange: Exchange, transport: str, sid: str) -> None:
        websocket = transport == "websocket"
        if not sid and exchange.method == "GET":
            exchange.session = self._sessions.begin(exchange.user, "websocket" if websocket else "polling")
            exchange.purpose = "websocket" if websocket else "handshake"
        elif session := self._sessions.known(sid):
            exchange.session = session
            exchange.purpose = "websocket" if websocket else "post" if exchange.method == "POST" else "poll"
        if exchange.session:
            self._joins(exchange.session)

    def _answer(self, head: Head) -> None:
        status = head.start.split(" ")[1][:3]
        if status.startswith("1") and status != "101":
            self._answering = None
            return
        exchange = self._answering = self._asked.popleft() if self._asked else None
        if exchange is None:
            return
        exchange.codings["server"] = head.headers.get("content-encoding", "")
        if exchange.purpose == "websocket" and status == "101":
            self._carried = exchange.session
            self._upgraded = bool(exchange.session and not exchange.session.sid)
            client, server = agreed(head.headers.get("sec-websocket-extensions", ""))
            self._frames = {"client": client, "server": server}
        elif exchange.purpose == "other":
            self._sessions.journal.add("server", "response", user=exchange.user, event=status)
        elif not status.startswith("2") and exchange.session and not exchange.session.over:
            exchange.session.note("server", "response", event=status)
            if exchange.purpose != "websocket" or not exchange.session.sid:
                self._close(exchange.session, "server", f"{exchange.method} was answered with {status}")
            exchange.purpose = "other"
        self.read("client", self.client.decided(changed=status == "101"))

    def _body(self, sender: Sender, data: bytes) -> None:
        exchange = self._arriving if sender == "client" else self._answering
        if exchange is None or exchange.session is None or exchange.purpose not in _READ[sender]:
            return
        body = exchange.bodies.setdefault(sender, bytearray())
        body += data
        if len(body) > LARGEST:
            exchange.purpose = "other"
            exchange.bodies.clear()
            exchange.session.unreadable(sender, f"a body of more than {LARGEST >> 20} MB")

    def _end(self, sender: Sender) -> None:
        exchange = self._arriving if sender == "client" else self._answering
        if sender == "client":
            self._arriving = None
        else:
            self._answering = None
        if exchange is None or exchange.session is None or sender not in exchange.bodies:
            return
        try:
            text = _decoded(bytes(exchange.bodies.pop(sender)), exchange.codings.get(sender, ""))
        except Unreadable as error:
            exchange.session.unreadable(sender, str(error))
            return
        for packet in split(text):
            self._packet(exchange.session, sender, packet)

    def _websocket(self, sender: Sender, data: bytes) -> None:
        session = self._carried
        if session is None:
            return
        try:
            messages = self._frames[sender].feed(data)
        except Unreadable as error:
            del self._frames[sender]
            session.unreadable(sender, str(error))
            return
        for message in messages:
            if isinstance(message, Close):
                if session.transport == "websocket":
                    code = f" with {message.code}" if message.code is not None else ""
                    self._close(session, sender, f"the WebSocket was closed{code}")
            else:
                self._packet(session, sender, message)

    def _packet(self, session: Session, sender: Sender, packet: str | bytes) -> None:
        if isinstance(packet, str) and packet.startswith(OPEN) and sender == "server":
            self._sessions.opened(session, packet)
        session.packet(sender, packet)
        if session.over:
            self._sessions.forget(session)

    def _close(self, session: Session, sender: Sender, why: str) -> None:
        session.close(sender, why)
        self._sessions.forget(session)

    def _unreadable(self, sender: Sender, why: str) -> None:
        exchange = self._arriving if sender == "client" else self._answering
        session = self._carried or (exchange.session if exchange else None)
        if session:
            session.unreadable(sender, why)
        else:
            self._sessions.journal.add(sender, "unreadable", text=why)


_READ: dict[Sender, tuple[_Purpose, ...]] = {"client": ("post",), "server": ("handshake", "poll"), "tap": ()}


def _decoded(body: bytes, coding: str) -> str:
    """Return the text of a body. Raises `Unreadable`."""
    match coding.strip().lower():
        case "" | "identity":
            pass
        case "gzip" | "x-gzip" | "deflate":
            body = _inflated(body)
        case other:
            raise Unreadable(f"a body in the coding {other[:40]}")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Unreadable("a body that is no UTF-8") from None


def _inflated(body: bytes) -> bytes:
    try:
        inflated = zlib.decompressobj(47).decompress(body, LARGEST + 1)
    except zlib.error:
        raise Unreadable("a compressed body that cannot be decompressed") from None
    if len(inflated) > LARGEST:
        raise Unreadable(f"a body of more than {LARGEST >> 20} MB when decompressed")
    return inflated

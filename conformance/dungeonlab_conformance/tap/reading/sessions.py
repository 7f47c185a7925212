"""Engine.IO sessions and the Socket.IO packets in them, as text: what is noted of each, and under which number.

Where a server has a dialect of its own, what is noted is in the protocol's words.
"""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Unpack

from dungeonlab_conformance.clients.engine_io_packets import CLOSE, MESSAGE, OPEN, PING, UPGRADE, Noise, message_in
from dungeonlab_conformance.record.tapped.journal import About, TapJournal
from dungeonlab_conformance.record.tapped.packet import Kind, Sender
from dungeonlab_conformance.target.dialect.argument_templates import Args
from dungeonlab_conformance.target.dialect.translation import PLAIN, Dialect

LONGEST_TEXT = 100_000  # characters of a packet that are kept
_SHOWN = 200  # characters of what cannot be read
_LONGEST_NAME = 200  # characters of an event's name
_MOST_ASKED = 10_000  # requests of one side that are not answered
_MOST_ALIKE = 100  # of them under one number
_MOST_SESSIONS = 10_000  # open ones
_PACKET = re.compile(r"([0-6])(?:(\d{1,10})-)?(?:(/[^,]*),?)?(\d{1,18})?", re.DOTALL)
_KINDS: dict[str, tuple[Kind, Kind] | None] = {  # by the type of a packet: from a client, and from a server
    "0": ("connect", "connected"),
    "1": ("disconnect", "disconnect"),
    "2": ("event", "event"),
    "3": ("ack", "ack"),
    "4": ("connect-error", "connect-error"),
    "5": ("event", "event"),
    "6": ("ack", "ack"),
}
_BINARY_EVENT = "5"
_SPACE = " \t\n\r"  # of JSON
_FIRST = json.JSONDecoder()


@dataclass(eq=False)
class Session:
    """One Engine.IO session. `closed` calls come once, `packet` for each Engine.IO packet of one side."""

    number: int
    user: str
    transport: Literal["", "polling", "websocket"]
    journal: TapJournal
    dialect: Dialect
    sid: str = ""
    over: bool = False
    silent: bool = False
    heard: float = field(default_factory=time.monotonic)  # when the client sent something last
    pinged: bool = False  # since then
    _asked: dict[Sender, OrderedDict[int, list[str]]] = field(default_factory=dict)  # events by the request's number
    _recovers: bool = False  # whether the server adds an offset to each event, for recovering the connection's state
    _unread: set[Sender] = field(default_factory=set)

    def note(self, sender: Sender, kind: Kind, **about: Unpack[About]) -> None:
        """Write something seen of this session into the journal."""
        if len(about.get("text", "")) > LONGEST_TEXT:
            about["text"], about["cut"] = about["text"][:LONGEST_TEXT], True
        whose: About = {"connection": self.number, "user": self.user, "transport": self.transport}
        self.journal.add(sender, kind, **(whose | about))

    def packet(self, sender: Sender, packet: str | bytes) -> None:
        """Note an Engine.IO packet, if it is one that is noted; bytes are attachments, of which their packet says."""
        if sender == "client":
            self.heard, self.pinged = time.monotonic(), False
        elif packet == PING:
            self.pinged = True
        if isinstance(packet, bytes) or sender in self._unread or self.over:
            return
        if packet.startswith(OPEN) and sender == "server":
            self.note(sender, "open")
        elif packet == UPGRADE and sender == "client":
            self.transport = "websocket"
            self.note(sender, "upgrade")
        elif packet.startswith(CLOSE):
            self.close(sender, "a close packet of Engine.IO")
        elif packet.startswith(MESSAGE):
            self._message(sender, packet[1:])
        elif isinstance(message_in(packet), Noise):
            self.unreadable(sender, packet[:_SHOWN], "a packet in broken base64")

    def close(self, sender: Sender, why: str) -> None:
        """Note the end of this session, once."""
        if not self.over:
            self.note(sender, "close", text=why)
            self.over = True

    def unreadable(self, sender: Sender, why: str, event: str = "") -> None:
        """Note, once, that what one side sends is not read from here on; `event` is what is malformed, if that is."""
        if sender not in self._unread:
            self._unread.add(sender)
            self.note(sender, "unreadable", event=event, text=why)

    def _message(self, sender: Sender, text: str) -> None:
        found = _PACKET.match(text)
        if not found:
            self.unreadable(sender, text[:_SHOWN], "a packet that is none of Socket.IO")
            return
        kind = (_KINDS[found[1]] or ())[sender == "server"]
        if found[3] not in (None, "/"):
            return  # another namespace than that of the protocol
        number, data = int(found[4]) if found[4] else None, text[found.end() :]
        match kind:
            case "event":
                if (read := _event(data)) is None:
                    self.unreadable(sender, text[:_SHOWN], "an event without a name")
                    return
                event, arguments = read
                if self._recovers and sender == "server":
                    arguments = _without_offset(arguments)
                if sender == "server" and self.dialect.is_answer(event):
                    return  # which has no number, so that nobody knows what it answers
                if self.dialect:
                    said = self.dialect.asked if sender == "client" else self.dialect.received
                    event, arguments = _in_protocol(lambda args: said(event, args), arguments, event)
                if number is not None:
                    self._ask(sender, number, event)
                attachments = int(found[2] or 0) if found[1] == _BINARY_EVENT else 0
                self.note(sender, kind, event=event, ack_id=number, text=arguments, attachments=attachments)
            case "ack":
                asked = self._asked.get("client" if sender == "server" else "server")
                event = _answered(asked, number) if asked and number is not None else ""
                if self.dialect and event and sender == "server":
                    _, data = _in_protocol(lambda args: (event, self.dialect.answer(event, args)), data, event)
                self.note(sender, kind, event=event, ack_id=number, text=data)
            case "connect-error":
                self.note(sender, kind, text=data)
            case _:
                self._recovers = self._recovers or (kind == "connected" and '"pid"' in data)
                self.note(sender, kind)

    def _ask(self, sender: Sender, number: int, event: str) -> None:
        asked = self._asked.setdefault(sender, OrderedDict())
        asked.setdefault(number, []).append(event)
        if len(asked[number]) > _MOST_ALIKE:
            asked[number].pop(0)
        if len(asked) > _MOST_ASKED:
            asked.popitem(last=False)


def _answered(asked: OrderedDict[int, list[str]], number: int) -> str:
    """Return the event of the oldest request under a number that is not answered; "" if there is none."""
    events = asked.get(number)
    if not events:
        return ""
    if len(events) == 1:
        del asked[number]
    return events.pop(0)


def _event(data: str) -> tuple[str, str] | None:
    """Return the name and the arguments of an event, from its array, without reading these; None without a name."""
    array = data.lstrip(_SPACE)
    inner = array[1:].lstrip(_SPACE)
    try:
        name, end = _FIRST.raw_decode(inner)
    except (ValueError, RecursionError):
        return None
    if not array.startswith("[") or not isinstance(name, str):
        return None
    rest = inner[end:].lstrip(_SPACE)
    return name[:_LONGEST_NAME], f"[{rest[1:].lstrip(_SPACE)}" if rest.startswith(",") else f"[{rest}"


def _in_protocol(translate: Callable[[Args], tuple[str, Args]], text: str, event: str) -> tuple[str, str]:
    """Return an event and its arguments as the protocol has them, where they can be read."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return event, text
    if not isinstance(read, list):
        return event, text
    event, args = translate(tuple(read))
    return event, json.dumps(args, ensure_ascii=False)


def _without_offset(arguments: str) -> str:
    """Return arguments without the text behind them, which is for the client's library."""
    try:
        read = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return json.dumps(read[:-1]) if isinstance(read, list) and read and isinstance(read[-1], str) else arguments


class Sessions:
    """The sessions that a tap knows, by the ids that the server gave them."""

    def __init__(self, journal: TapJournal, dialect: Dialect = PLAIN) -> None:
        self.journal, self._dialect = journal, dialect
        self.newest: Session | None = None
        self.held = 0  # bytes of what is unfinished on the connections of these sessions
        self._by_sid: OrderedDict[str, Session] = OrderedDict()
        self._count = 0

    def begin(self, user: str, transport: Literal["polling", "websocket"]) -> Session:
        """Return a session that a client asks for, and note that."""
        self._count += 1
        session = Session(self._count, user, transport, self.journal, self._dialect)
        session.note("client", "handshake")
        self.newest = session
        return session

    def opened(self, session: Session, packet: str) -> None:
        """Know a session by the id in the server's open packet."""
        try:
            sid = json.loads(packet[1:])["sid"]
        except (ValueError, RecursionError, TypeError, KeyError):
            return
        if isinstance(sid, str) and not session.sid and len(sid) <= _LONGEST_NAME:
            session.sid = sid
            self._by_sid[sid] = session
            if len(self._by_sid) > _MOST_SESSIONS:
                self._by_sid.popitem(last=False)

    def known(self, sid: str) -> Session | None:
        """Return the session with an id; None if the tap did not see it begin."""
        return self._by_sid.get(sid)

    def forget(self, session: Session) -> None:
        """Forget the id of a session that is over."""
        self._by_sid.pop(session.sid, None)

    def open(self, besides: Session) -> Iterator[Session]:
        """Yield the sessions that are known to be open, and one besides."""
        yield from (besides, *self._by_sid.values())

    def numbered(self, number: int) -> Iterator[Session]:
        """Yield the session with a number, if it is known."""
        return (session for session in list(self._by_sid.values()) if session.number == number)

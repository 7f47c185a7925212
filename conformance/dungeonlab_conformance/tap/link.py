"""One connection through a tap: its two ends, and what passes from each to the other."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal, cast

from dungeonlab_conformance.tap.reading.connection import ConnectionReading
from dungeonlab_conformance.tap.reading.sessions import Session, Sessions
from dungeonlab_conformance.tap.reading.users import Users
from dungeonlab_conformance.tap.rewriting import Lines, rewritten

_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closed by a RST
_AT_A_TIME = 16_384  # bytes that an end takes before others have their turn
_LOOK = 0.05  # seconds between looks at an end that sends nothing more: whether it was reset
_log = logging.getLogger(__name__)

Role = Literal["client", "server"]
Cut = Literal["fin", "rst", "silence"]


class Link:
    """Two ends, of which each is passed what the other sends. `sessions` are those that were seen on it.

    `edits` are the lines of heads that are changed, by who sends them. `connect` is called when the client is there,
    `over` when both ends have gone.
    """

    def __init__(
        self,
        sessions: Sessions,
        users: Users,
        connect: Callable[[Link], None],
        over: Callable[[Link], None],
    ) -> None:
        self.client, self.server = End(self, "client"), End(self, "server")
        self.sessions: set[Session] = set()
        self._reading = ConnectionReading(sessions, users, self.sessions.add)
        self._connect, self._over = connect, over
        self.edits: Mapping[Role, Lines] = {}
        self._first: Role | None = None  # who was the first to send nothing more
        self._ended = False
        self._reads = True

    def read_no_more(self) -> None:
        """Pass on what comes, and note nothing of it."""
        self._reads = False

    def cut(self, how: Cut) -> None:
        """End this connection towards both sides; or let nothing pass any more, and leave it open."""
        if how == "silence":
            self.client.silent = self.server.silent = True
            return
        self._end("tap", f"cut by the tap: {how}")
        for end in (self.client, self.server):
            if how == "rst":
                end.reset()
            else:
                end.close()

    def opened(self, end: End) -> None:
        """Begin, when one of the ends is connected."""
        if end is self.client:
            end.hold(True)
            self._connect(self)
        elif self.client.is_open:
            self.client.hold(False)
        else:
            end.reset()

    def received(self, end: End, data: bytes) -> None:
        """Pass on what an end sent, and read it then."""
        if end.silent:
            return
        role, there = end.role, self.other(end)
        framing = self._reading.client if role == "client" else self._reading.server
        if lines := self.edits.get(role):
            data, pieces = rewritten(framing, lines, data)
            there.send(data)
        else:
            there.send(data)
            pieces = framing.feed(data) if self._reads else []
        if not self._reads:
            return
        try:
            self._reading.read(role, pieces)
        except Exception:  # a fault of what reads must not reach what is carried
            _log.exception("what %s sent cannot be read on", "a client" if role == "client" else "the server")
            framing.stop()
        if any(session.silent for session in self.sessions):
            self.cut("silence")

    def finished(self, end: End) -> None:
        """Pass on that an end sends nothing more."""
        if end.silent and end is self.server:
            return
        there = self.other(end)
        if end is self.client:
            there.send(self._reading.client.held_back())
        there.finish()
        self._first = self._first or end.role
        if there.finished or end.silent:
            self._end(self._first, "the TCP connection was closed")
            end.close()
            there.close()
        else:
            asyncio.get_running_loop().call_later(_LOOK, self._look, end)

    def lost(self, end: End, error: Exception | None) -> None:
        """Pass on that an end has gone, by force if there was an error."""
        there = self.other(end)
        how = "the TCP connection was reset" if error else "the TCP connection was closed"
        self._end(self._first or end.role, how)
        if error:
            there.reset()
        else:
            there.close()
        if not there.is_open:
            self._over(self)

    def other(self, end: End) -> End:
        """Return the end that is not this one."""
        return self.server if end is self.client else self.client

    def _end(self, who: Literal["client", "server", "tap"], how: str) -> None:
        if not self._ended and self._reads:
            self._ended = True
            self._reading.ended(who, how)

    def _look(self, end: End) -> None:
        """See whether an end that sends nothing more takes anything: of one that is not read, nothing else tells."""
        if not end.is_open:
            return
        if end.is_reset:
            self.lost(end, ConnectionResetError())
            end.reset()
        else:
            asyncio.get_running_loop().call_later(_LOOK, self._look, end)


class End(asyncio.BufferedProtocol):
    """One end of a link. Its transport is None before it is connected, and after it has gone.

    What is to be sent before it is connected waits for that: some event loops deliver what a client sent however early
    it was asked to wait.
    """

    def __init__(self, link: Link, role: Role) -> None:
        self.role = role
        self.silent = False  # whether what it sends is thrown away
        self.finished = False  # whether it sends nothing more
        self._link = link
        self._transport: asyncio.Transport | None = None
        self._gone = False
        self._early = bytearray()
        self._finished_early = False
        self._buffer = bytearray(_AT_A_TIME)

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._transport is not None

    @property
    def address(self) -> str:
        """The host of its own address on this machine."""
        found = self._transport.get_extra_info("sockname") if self._transport else None
        return str(found[0]) if found else ""

    @property
    def is_reset(self) -> bool:
        """Whether the system knows of an error."""
        sock = self._socket()
        return sock is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def send(self, data: bytes) -> None:
        """Send, as soon as it takes it."""
        if self._transport is None and not self._gone:
            self._early += data
            self._link.other(self).hold(True)
        elif self._transport and data:
            self._transport.write(data)

    def finish(self) -> None:
        """Send nothing more, where the protocol can say that."""
        if self._transport is None:
            self._finished_early = True
        elif self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def hold(self, held: bool) -> None:
        """Receive nothing for now, or go on with it."""
        if self._transport is None or self._transport.is_closing():
            return
        if not held:
            self._transport.resume_reading()
        elif self._transport.is_reading():
            self._transport.pause_reading()

    def close(self) -> None:
        """Close, when what is to be sent has been."""
        if self._transport:
            self._transport.close()

    def reset(self) -> None:
        """Close at once, by a RST."""
        if self._transport is None:
            return
        if sock := self._socket():
            with suppress(OSError):  # it may be closed by now, which its number does not say
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()

    def _socket(self) -> socket.socket | None:
        """Return the socket, as long as it is one."""
        sock = self._transport.get_extra_info("socket") if self._transport else None
        return sock if sock is not None and sock.fileno() >= 0 else None

    # -- what the event loop calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be connected."""
        self._transport = cast("asyncio.Transport", transport)
        if self._early:
            self._transport.write(bytes(self._early))
            self._early.clear()
        if self._finished_early:
            self.finish()
        self._link.opened(self)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - the event loop's own guess
        """Take a little at a time: to read that takes far longer than to receive it, and others have to wait."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on."""
        self._link.received(self, bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        """Pass on the end of this direction; the other stays open, but over TLS, which cannot be closed by halves."""
        self.finished = True
        self._link.finished(self)
        return self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        """Be gone."""
        self._transport, self._gone = None, True
        self._link.lost(self, error)

    def pause_writing(self) -> None:
        """Hold up the other end: this one takes no more."""
        self._link.other(self).hold(True)

    def resume_writing(self) -> None:
        """Let the other end go on."""
        self._link.other(self).hold(False)

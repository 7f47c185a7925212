"""A front that servers stand behind, on loopback: what becomes of the address in the middle of a run, by name.

A front carries bytes unchanged until its accident happens. From then on it does to connections, those that stand and
new ones, what a dying, hanging or other server does. Serves in a process of its own, so that it never waits for Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import random
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from tests.serving import end_with_parent

ACCIDENTS = {
    "killed": "every connection is reset, and nothing listens any more",
    "closed": "every connection is closed in an orderly way, and nothing listens any more",
    "silent": "connections are accepted and nothing is answered, on those that stand neither",
    "sink": "every connection is reset; new ones are read, and nothing is answered",
    "resets": "every connection is reset, each new one too",
    "garbage": "every connection is reset; new ones are answered with garbage",
    "web": "every connection is reset; an ordinary web server answers new ones",
    "errors": "every connection is reset; each request is answered 503",
    "stranger": "every connection is reset; new ones reach another server of the protocol, which knows no account",
    "greeter": "every connection is reset; new ones reach a Socket.IO server that lets anybody in and answers nothing",
    "no websocket": "WebSockets are cut, and new ones are never answered; other requests are",
    "mute": "HTTP goes on; on WebSockets, new ones too, nothing is said any more",
    "slower": "each piece takes longer than the one before it",
}
_PIECE = 65_536  # bytes
_WEB = b"HTTP/1.1 %b\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<html>elsewhere</html>"[:-1]
_KEPT = frozenset({"silent", "mute", "slower"})  # what leaves the connections that stand


class Front:
    """Carries connections to `port`, or, after the accident, does with them as that says; `other` is a second port."""

    def __init__(self, port: int, other: int) -> None:
        self.port, self.other = port, other
        self.accident = ""
        self._standing: set[tuple[asyncio.StreamWriter, bool]] = set()  # and whether it is a WebSocket
        self._slowness = itertools.count(1)
        self.happened = asyncio.Event()

    def happen(self, accident: str, server: asyncio.Server) -> None:
        """Let the accident happen."""
        self.accident = accident
        if accident in ("killed", "closed"):
            server.close()
        for writer, is_websocket in list(self._standing):
            if accident == "closed":
                writer.close()
            elif accident not in _KEPT and (is_websocket or accident != "no websocket"):
                writer.transport.abort()
        self.happened.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, by what has happened until then."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                if not self.accident or self.accident in ("stranger", "greeter", "no websocket", "mute", "slower"):
                    await self._carried(reader, writer)
                else:
                    await self._mistreated(reader, writer)
            finally:
                writer.close()

    async def _mistreated(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.accident == "resets":
            writer.transport.abort()
        elif self.accident == "garbage":
            await reader.read(_PIECE)
            writer.write(random.Random(7).randbytes(2000))
            await writer.drain()
        elif self.accident in ("web", "errors"):
            status = b"200 OK" if self.accident == "web" else b"503 Service Unavailable"
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(_WEB % status)
        else:
            while await reader.read(_PIECE):
                pass

    async def _carried(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        is_websocket = b"upgrade: websocket" in head.lower()
        if self.accident == "no websocket" and is_websocket:
            await reader.read()
            return
        port = self.other if self.accident in ("stranger", "greeter") else self.port
        there, back = await asyncio.open_connection("127.0.0.1", port)
        back.write(head)
        standing = {(writer, is_websocket), (back, is_websocket)}
        self._standing |= standing
        ways = [
            asyncio.create_task(self._carry(reader, back, is_websocket)),
            asyncio.create_task(self._carry(there, writer, is_websocket)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._standing -= standing
            back.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_websocket: bool) -> None:
        while data := await reader.read(_PIECE):
            if self.accident == "silent" or (self.accident == "mute" and is_websocket):
                continue
            if self.accident == "slower":
                await asyncio.sleep(0.002 * next(self._slowness))
            writer.write(data)
            await writer.drain()


@contextmanager
def front(url: str, other: str = "") -> Iterator[tuple[str, Connection]]:
    """Serve a front before `url` while the block runs; yields its URL, and where to send what happens, by name.

    It can be received from the same connection when the first request has come, and when the accident has happened.
    """
    ours, theirs = multiprocessing.Pipe()
    ports = tuple(urlsplit(each).port or 0 for each in (url, other))
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(*ports, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}", ours
    finally:
        process.kill()
        process.join()


def _serve(port: int, other: int, pipe: Connection) -> None:
    end_with_parent()

    async def forever() -> None:
        front = Front(port, other)
        begun = False

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal begun
            if not begun:
                begun = True
                pipe.send("begun")
            await front.connected(reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])

        def heed() -> None:
            front.happen(pipe.recv(), server)
            pipe.send("happened")

        asyncio.get_running_loop().add_reader(pipe.fileno(), heed)
        await asyncio.Event().wait()

    asyncio.run(forever())

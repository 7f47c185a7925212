"""Bytes over TCP: malformed ones that HTTP and WebSocket libraries refuse to send, and requests that break off."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from collections.abc import AsyncIterator

from yarl import URL

from dungeonlab_conformance.results.errors import Gone, Unjudged
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target, tls

_HEAD = 65_536  # bytes that an answer's head may take


class TcpConnection:
    """One TCP connection to the target, which sends bytes as they are and is broken off at the end."""

    def __init__(self, target: Target, identity: Identity | None) -> None:
        self.target = target
        self.identity = identity
        self._url = URL(target.socket)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self) -> None:
        """Connect. Raises `Gone` if nothing listens there, `Unjudged` if it takes too long."""
        context = tls(self.target.verify) if self._url.scheme == "https" else None
        try:
            async with asyncio.timeout(self.target.limits.answer):
                self._reader, self._writer = await asyncio.open_connection(
                    self._url.host, self._url.port, ssl=context, limit=_HEAD
                )
        except TimeoutError:
            raise Unjudged("a TCP connection took too long") from None
        except OSError as error:
            raise Gone(f"no TCP connection could be made: {error}") from None

    def head(self, method: str, query: str, **headers: str) -> bytes:
        """Return the head of a request to the documented path, with the identity's cookies."""
        cookies = "; ".join(f"{key}={value}" for key, value in (self.identity.cookies if self.identity else {}).items())
        lines = {"Host": f"{self._url.host}:{self._url.port}", **self.target.headers}
        if cookies:
            lines["Cookie"] = cookies
        lines.update({name.replace("_", "-"): value for name, value in headers.items()})
        first = f"{method} {self._url.raw_path}?EIO=4&{query} HTTP/1.1\r\n"
        whole = first + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        try:
            return whole.encode(errors="surrogateescape")  # a cookie goes back as the bytes that it came as
        except UnicodeEncodeError:
            return whole.encode(errors="replace")

    def upgrade(self) -> bytes:
        """Return the head that asks for a WebSocket."""
        return self.head(
            "GET",
            "transport=websocket",
            Connection="Upgrade",
            Upgrade="websocket",
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key=base64.b64encode(secrets.token_bytes(16)).decode(),
        )

    async def send(self, data: bytes) -> None:
        """Send bytes; a connection that the server has closed meanwhile takes them as well."""
        with contextlib.suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def try_read_head(self) -> bytes:
        """Wait for the head of an answer; empty if the connection is closed instead, or nothing comes."""
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(self.target.limits.answer):
                return await self._reader.readuntil(b"\r\n\r\n")
        return b""

    async def read_until_closed(self, seconds: float) -> None:
        """Read on until the server closes the connection, for so long at most."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(seconds):
                while await self._reader.read(_HEAD):
                    pass

    def abort(self) -> None:
        """End the connection at once, whatever is under way."""
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def tcp_connection(target: Target, identity: Identity | None) -> AsyncIterator[TcpConnection]:
    """Hold a TCP connection while the block runs."""
    connection = TcpConnection(target, identity)
    await connection.open()
    try:
        yield connection
    finally:
        connection.abort()

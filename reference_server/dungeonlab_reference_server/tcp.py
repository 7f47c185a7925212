"""TCP connections: how many there may be, and how long one may take over the answer it is given.

When there are too many, one that is between two requests is closed for each that comes, the oldest first. A client
that only opens connections, or trickles a request's head, thus loses its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SLOWEST = 2_000  # bytes per second that an answer must be taken at, when its first seconds are over
_SPARE = 100  # open files that are no connections
_REFUSED = b'{"error": "there are too many connections", "code": "SERVICE_UNAVAILABLE"}'


class Answer(web.Response):
    """An answer that must not get lost: `if_lost` is called if it cannot be written."""

    def __init__(self, text: str, if_lost: Callable[[], Awaitable[None]]) -> None:
        super().__init__(text=text, content_type="text/plain", charset="UTF-8")
        self.if_lost = if_lost


class Connections:
    """Those of one server; `write_timeout` is in seconds, beside a second for each 2 kB."""

    def __init__(self, most: int, write_timeout: float) -> None:
        self.most = min(most, _open_files() - _SPARE)
        self.write_timeout = write_timeout
        self._serving: set[object] = set()

    async def listen(self, server: web.Server, host: str, port: int) -> asyncio.Server:
        """Accept connections. Raises `OSError` if the port cannot be had."""

        def accept() -> asyncio.Protocol:
            return server() if self.make_room(server) else _Refusal()

        return await asyncio.get_running_loop().create_server(accept, host, port, backlog=128)

    def make_room(self, server: web.Server) -> bool:
        """Say whether one more connection may come; may close one to make it so."""
        there = server.connections
        if len(there) < self.most:
            return True
        idle = next((c for c in there if c.transport is not None and c not in self._serving), None)
        if idle is None:
            return False
        idle.force_close()
        return True

    def middleware(self) -> Any:
        """Return the outermost middleware: it writes the answer, and closes the connection that does not read it."""

        @web.middleware
        async def write(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol
            self._serving.add(connection)
            try:
                response = await handler(request)
                if not response.prepared:
                    await self._write(request, response)
                return response
            finally:
                self._serving.discard(connection)

        return write

    async def _write(self, request: web.Request, response: web.StreamResponse) -> None:
        body = response.body if isinstance(response, web.Response) else None
        size = len(body) if isinstance(body, bytes | bytearray) else 0
        try:
            async with asyncio.timeout(self.write_timeout + size / _SLOWEST):
                await response.prepare(request)
                await response.write_eof()
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
            if isinstance(response, Answer):
                await response.if_lost()


class _Refusal(asyncio.Protocol):
    """Answers a connection that is one too many, and closes it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len(_REFUSED)}"
        transport.write(f"{head}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n".encode() + _REFUSED)
        transport.close()


def _open_files() -> int:
    """Return how many files this process may have open."""
    with contextlib.suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY:
            return limit
    return 1_000_000

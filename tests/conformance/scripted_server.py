"""A server that sends what a test tells it to, frame by frame; to meet what no Socket.IO server would send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from tests.serving import running

OPEN = "0" + json.dumps({"sid": "s1", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 10**6})
ENTERED = '40{"sid":"n1"}'

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Answer every request by `handler` while the block runs; yields the URL."""
    app = web.Application(client_max_size=10**8)
    app.router.add_route("*", "/{path:.*}", handler)
    async with running(app) as url:
        yield url


def over_websocket(*frames: str | bytes, opening: str | bytes = OPEN, entered: str | bytes = ENTERED) -> Handler:
    """Return a handler that lets a WebSocket in, sends frames when the first event comes, and then answers nothing.

    An event is answered in shape once all frames are sent, so that anyone who asks knows that they have arrived.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await _send(socket, opening)
        async for message in socket:
            if message.data == "40":
                await _send(socket, entered)
            elif isinstance(message.data, str) and message.data.startswith("42"):
                for frame in frames:
                    await _send(socket, frame)
                number = message.data[2:].partition("[")[0]
                await _send(socket, f'43{number}[{{"success":true,"data":{{}}}}]')
        return socket

    return handle


async def _send(socket: web.WebSocketResponse, frame: str | bytes) -> None:
    await (socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_str(frame))

"""Engine.IO as this server needs it: python-engineio, with the limits that it lacks.

A session has one poll at a time, as with socket.io, and what a poll was to carry is not lost with it. Uploads take
turns. What waits to be sent is limited, and so is what is received of a message.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import engineio
from aiohttp import WSMsgType, web
from engineio.async_drivers.aiohttp import WebSocket
from engineio.payload import Payload

from dungeonlab_reference_server.frames import is_packet
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.tcp import Answer
from dungeonlab_reference_server.uploads import FREE, Claim, Pool

SLACK = 4  # a message this many times too large is not even read

_UPGRADE = 10.0  # seconds within which a WebSocket must have taken over from polling
_SMALL = 16_000  # characters that a socket with nothing to write takes at once
_UNSENT = 16  # largest messages that may wait to be sent on one connection
_OVERHEAD = 200  # bytes that a packet takes beside its text
_UPLOADS = 20  # of one session that may wait for each other
_PINGS = 100  # control frames between two messages; who sends more means no good

Payload.max_decode_packets = 10_000  # the documented way to set it; the size of an upload is what is limited here


class Outbox(asyncio.Queue[Any]):
    """What waits to be sent on one connection: `size` is in bytes, `filled` is set if there is anything."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.filled = asyncio.Event()

    def _put(self, item: Any) -> None:
        super()._put(item)  # one of the hooks that asyncio has for subclasses
        self.size += _size(item)
        self.filled.set()

    def _get(self) -> Any:
        item = super()._get()
        self.size -= _size(item)
        if self.empty():
            self.filled.clear()
        return item


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """Serves Engine.IO sessions; `owners` says whose they are, and `pool` is where large messages are claimed from."""

    def __init__(self, *, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self.most = settings.most_connections
        self.most_unsent = max(1_000_000, _UNSENT * settings.largest_message)
        self.owners: dict[str, str | None] = {}
        self.pool = Pool()
        self._polls: dict[str, web.Request] = {}  # that wait, by session
        self._uploads: Counter[str] = Counter()  # that are read or wait for it, by session
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def create_queue(self, *_: Any, **__: Any) -> Outbox:
        """Return what holds the packets of a new connection."""
        return Outbox()

    async def hang_up(self, sid: str, *, at_once: bool = False) -> None:
        """Close a session, without waiting for what the client makes of it; `at_once` drops what is yet to be sent."""
        socket = self.sockets.get(sid)
        if socket is None:
            return
        await socket.close(wait=False, abort=at_once)
        while at_once and not socket.queue.empty():
            socket.queue.get_nowait()
        socket.queue.put_nowait(None)  # ends what writes to a WebSocket, and that ends what reads from it

    async def hang_up_if_stuffed(self, sid: str) -> None:
        """Close a session whose client does not take what is sent to it."""
        socket = self.sockets.get(sid)
        if socket is not None and socket.queue.size > self.most_unsent and not socket.closing:
            await self.hang_up(sid, at_once=True)

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer any request. Raises aiohttp's exceptions for answers that are errors."""
        sid = request.query.get("sid", "")
        if not sid and request.method == "GET" and not self._has_room():
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
        if sid in self.sockets and not self._moves(sid, request) and not self._is_spent(sid):
            if request.method == "POST":
                return await self._upload(sid, request)
            if self._is_poll(request):
                return await self._poll(sid, request)
        return await self._handle(request)

    def _has_room(self) -> bool:
        """Whether one more session may come; forgets those that are over, if there are too many."""
        if len(self.sockets) >= self.most:  # the library forgets them only within `ping_timeout`
            for socket in [socket for socket in self.sockets.values() if socket.closed]:
                del self.sockets[socket.sid]
        return len(self.sockets) < self.most

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """Have the library answer; what it trips over is no request that it could answer."""
        try:
            response = await super().handle_request(request)
        except KeyError:
            raise web.HTTPBadRequest(reason="this session is over") from None
        if not isinstance(response, web.StreamResponse):
            raise web.HTTPBadRequest(reason="this is no WebSocket request")
        return response

    def _moves(self, sid: str, request: web.Request) -> bool:
        """Whether the request is, or is made after, a move to WebSocket: nothing waits then."""
        socket = self.sockets[sid]
        return "Upgrade" in request.headers or socket.upgraded or (request.method == "GET" and socket.upgrading)

    def _is_spent(self, sid: str) -> bool:
        """Whether a session has ended, and there is nothing left to send."""
        socket = self.sockets[sid]
        return bool(socket.closed and socket.queue.empty())

    async def _upload(self, sid: str, request: web.Request) -> web.StreamResponse:
        """Take an upload when those before it have been taken; what waits is not read yet."""
        if self._uploads[sid] > _UPLOADS:
            raise await self._ended(sid, "there are too many uploads under way already")
        self._uploads[sid] += 1
        try:
            async with self._turns.setdefault(sid, asyncio.Lock()):
                socket = self.sockets.get(sid)
                response = await self._handle(request)
                if socket is not None and socket.closed:
                    socket.queue.put_nowait(None)  # ends a poll: the client has taken its leave
                return response
        finally:
            self._uploads[sid] -= 1
            if not self._uploads[sid]:
                del self._uploads[sid]

    async def _poll(self, sid: str, request: web.Request) -> web.StreamResponse:
        """Return what there is to send, as soon as there is something."""
        earlier = self._polls.get(sid)
        if earlier is not None and earlier.transport is not None:
            raise await self._ended(sid, "there is a poll under way already")
        self._polls[sid] = request
        try:
            return await self._await_packets(self.sockets[sid], request)
        finally:
            if self._polls.get(sid) is request:
                del self._polls[sid]

    async def _ended(self, sid: str, why: str) -> web.HTTPBadRequest:
        """Close a session, and return the answer that says so."""
        await self.hang_up(sid)
        return web.HTTPBadRequest(reason=f"{why}; this session is over")

    def _is_poll(self, request: web.Request) -> bool:
        wanted = request.query.get("transport", "polling")
        return request.method == "GET" and "j" not in request.query and wanted == "polling" in self.transports

    async def _await_packets(self, socket: Any, request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self.ping_interval + self.ping_timeout):
                await socket.queue.filled.wait()
        except TimeoutError:
            raise await self._ended(socket.sid, "nothing could be sent for too long") from None
        if request.transport is None:  # the client has gone: what has come waits for its next poll
            return web.Response()
        packets = await socket.poll()
        if socket.closed:
            self.sockets.pop(socket.sid, None)
        if not packets:
            raise web.HTTPBadRequest(reason="this session is over")
        text = Payload(packets=packets).encode()
        return Answer(text, partial(self.hang_up, socket.sid))


class Transport(WebSocket):  # type: ignore[misc]  # the library has no types
    """A WebSocket under Engine.IO."""

    def __init__(self, handler: Callable[[Any], Awaitable[None]], server: Engine) -> None:
        super().__init__(handler, server)
        self.socket: Any = getattr(handler, "__self__")  # noqa: B009 - the Engine.IO connection it belongs to

    async def __call__(self, environ: Any) -> web.WebSocketResponse:
        """Serve the WebSocket until it is closed; then polling may go on, if it has not taken over."""
        self.environ, request = environ, environ["aiohttp.request"]
        owner = self.server.owners.get(self.socket.sid)
        largest = self.server.max_http_buffer_size if owner else min(FREE, self.server.max_http_buffer_size)
        self._sock = web.WebSocketResponse(max_msg_size=largest, compress=False, autoping=False)
        with self.server.pool.claim(owner) as self.claim:
            try:
                await self._sock.prepare(request)
                _Metered.measure(request, self.claim)
                await self.handler(self)
            except web.HTTPException:
                await self.socket.close(wait=False, abort=True)  # this was no WebSocket request
                raise
            finally:
                self.socket.upgrading = False
        return self._sock

    async def wait(self) -> str | bytes:
        """Return the next frame. Raises `OSError` when there is none, or none that could be read."""
        async with asyncio.timeout(None if self.socket.upgraded else _UPGRADE):  # a TimeoutError is an OSError
            message = await self._receive()
        self.claim.reset()
        frame = message.data
        if not isinstance(frame, str | bytes) or (isinstance(frame, str) and not is_packet(frame)):
            raise OSError("no Engine.IO packet")
        return frame

    async def _receive(self) -> Any:
        """Return the next message; WebSocket's own pings are answered on the way."""
        for _ in range(_PINGS):
            message = await self._sock.receive()
            if message.type is WSMsgType.PING:
                await self._sock.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                return message
        raise OSError("nothing but pings")

    async def send(self, frame: str | bytes) -> None:
        """Send a frame. Closes the connection of a client that does not read."""
        transport = self.environ["aiohttp.request"].transport
        if transport is None or (len(frame) < _SMALL and not transport.get_write_buffer_size()):
            await super().send(frame)  # which does not wait, so that no clock need run
            return
        try:
            async with asyncio.timeout(self.server.ping_timeout):
                await super().send(frame)
        except TimeoutError:
            transport.abort()
            raise


class _Metered:
    """What aiohttp hands a WebSocket's bytes to; claims room for those of a message that has not arrived whole."""

    def __init__(self, reader: Any, claim: Claim, transport: asyncio.Transport) -> None:
        self._reader = reader
        self._claim = claim
        self._transport = transport
        self.feed_eof = reader.feed_eof

    @classmethod
    def measure(cls, request: web.Request, claim: Claim) -> None:
        """Measure what a WebSocket receives from now on."""
        connection: Any = request.protocol
        if connection._payload_parser is not None and request.transport is not None:
            connection._payload_parser = cls(connection._payload_parser, claim, request.transport)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Pass bytes on. Closes the connection if there is no room for them."""
        if not self._claim.add(len(data)):
            self._transport.abort()
            return True, b""
        fed: tuple[bool, bytes] = self._reader.feed_data(data)
        return fed


def _size(packet: Any) -> int:
    return 0 if packet is None else _OVERHEAD + (len(packet.data) if isinstance(packet.data, str | bytes) else 0)

"""Socket.IO as this server needs it: python-socketio, with the seams it does not offer in public.

Whatever a client sends is answered, or ends that client's own connection. What the packets mean is `wire`'s
business.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from weakref import WeakValueDictionary

import socketio
from aiohttp import web
from engineio.async_drivers.aiohttp import WebSocket
from engineio.async_drivers.aiohttp import translate_request as translate
from engineio.payload import Payload as Polled

from dungeonlab_reference_server.settings import Settings

Where = tuple[str, int]  # what an answer goes to: an Engine.IO connection, and the number of the request

_FRAME = re.compile(r"4[0-6]|[1-356](?:probe)?$")  # what an Engine.IO packet begins with; others are hostile
_REQUEST = re.compile(r"(?P<kind>[256])(?:(?P<attachments>[0-9]{1,10})-)?(?:/,)?(?P<number>[0-9]{1,100})?(?![0-9/])")
_UPGRADE = 10.0  # seconds within which a WebSocket must have taken over from polling
_SMALL = 16_000  # characters that a socket with nothing to write takes at once
_SLACK = 4  # a message this many times too large is not even read

Polled.max_decode_packets = 10_000  # the documented way to set it; the size of an upload is what is limited here

log = logging.getLogger("dungeonlab")


class Hearer(Protocol):
    """Whom packets are told."""

    async def on_connect(self, connection: str, environ: Any, auth: Any = None) -> None:
        """Raise socketio's `ConnectionRefusedError` for a connection that may not be."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        """Take notice that a connection has ended."""

    async def on_event(self, connection: str, data: list[Any], where: Where | None) -> None:
        """Answer a request: its name and what follows; `where` is None if no answer is wanted."""

    async def on_unreadable(self, connection: str, why: str, where: Where | None) -> None:
        """Answer a request that cannot be read."""


class Sockets(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """Hands every request to its hearer, with what an answer must be sent to, one at a time for each connection.

    The library's own handlers cannot tell whether an answer is wanted, and leave open what becomes of a packet
    that cannot be decoded, of an upgrade that is begun only, and of a connection lost while it is let in.
    """

    def __init__(self, hearer: Hearer, settings: Settings, **options: Any) -> None:
        super().__init__(
            **options,
            async_mode="aiohttp",
            async_handlers=False,  # one connection's events in the order they came
            cors_allowed_origins=[],  # of no concern to the library: `origins` guards both sides
            max_http_buffer_size=_SLACK * settings.largest_message,
            namespaces=["/"],
        )
        self.hearer = hearer
        self.largest = settings.largest_message
        self.eio._async = {**self.eio._async, "translate_request": self._translate, "websocket": Transport}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._attachments: dict[str, int] = {}  # binary frames still to come, and to be thrown away
        self.on("connect", hearer.on_connect)
        self.on("disconnect", hearer.on_disconnect)

    # -- for the hearer ------------------------------------------------------------------------------

    def is_open(self, connection: str) -> bool:
        """Whether a connection is let in and has not begun to end."""
        return bool(self.manager.is_connected(connection, "/"))

    async def answer(self, where: Where, envelope: dict[str, Any]) -> None:
        """Send an acknowledgement."""
        eio_sid, number = where
        await self._send_packet(eio_sid, self.packet_class(3, namespace="/", id=number, data=[envelope]))

    async def end(self, connection: str) -> None:
        """Close a connection, and the transport under it."""
        eio_sid = self.manager.eio_sid_from_sid(connection, "/")
        await self.disconnect(connection)
        if eio_sid is not None:
            await self._hang_up(eio_sid)

    async def close(self) -> None:
        """Close everything."""
        await asyncio.gather(*map(self._hang_up, list(self.eio.sockets)))
        await self.shutdown()

    # -- packets that come in ------------------------------------------------------------------------

    async def _handle_eio_message(self, eio_sid: str, data: object) -> None:
        async with self._turns.setdefault(eio_sid, asyncio.Lock()):  # two uploads at once keep their order too
            try:
                await self._take(eio_sid, data)
            except Exception as error:  # whatever a hostile packet provokes, it must end here
                log.warning("unreadable packet error=%s", type(error).__name__)
                await self._hang_up(eio_sid)

    async def _take(self, eio_sid: str, data: object) -> None:
        """Take one packet. Raises on one that ends the connection."""
        if isinstance(data, bytes):
            self._throw_away(eio_sid)
            return
        if not isinstance(data, str):
            raise TypeError("no Socket.IO packet")
        head = _REQUEST.match(data)
        if head is None:
            await super()._handle_eio_message(eio_sid, data)
            return
        if head["attachments"]:
            self._attachments[eio_sid] = self._attachments.get(eio_sid, 0) + int(head["attachments"])
        if head["kind"] == "6":
            return  # an answer to what was never asked
        connection = self.manager.sid_from_eio_sid(eio_sid, "/")
        if connection is None:
            raise ValueError("a request before the connection was let in")
        where = (eio_sid, int(head["number"])) if head["number"] else None
        try:
            request = self._read(data, head.end())
        except ValueError as problem:
            await self.hearer.on_unreadable(connection, str(problem), where)
        else:
            # No request of the protocol holds binary data: one that does is refused before all of it has arrived.
            await self.hearer.on_event(connection, [*request[:1], b""] if head["kind"] == "5" else request, where)

    async def _handle_event(self, *_: Any) -> None:
        raise ValueError("a request to another namespace, or under a number too long")

    def _read(self, data: str, begin: int) -> list[Any]:
        """Return the array that a request consists of. Raises `ValueError` with a sentence for the client."""
        if len(data.encode()) > self.largest:
            raise ValueError(f"larger than {self.largest} bytes")
        try:
            request = json.loads(data[begin:])
        except (ValueError, RecursionError):
            raise ValueError("this is not JSON, or nested too deep to be read") from None
        if not isinstance(request, list):
            raise ValueError("expected an array: the event's name and one object")
        return request

    def _throw_away(self, eio_sid: str) -> None:
        if not self._attachments.get(eio_sid):
            raise ValueError("binary data that belongs to nothing")
        self._attachments[eio_sid] -= 1

    # -- connections ---------------------------------------------------------------------------------

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        if namespace not in (None, "/") or self.manager.sid_from_eio_sid(eio_sid, "/") is not None:
            told = {"message": "there is no such namespace, or you are in it already"}
            await self._send_packet(eio_sid, self.packet_class(4, data=told, namespace=namespace))
            return
        try:
            await super()._handle_connect(eio_sid, "/", data)
        finally:
            await self._forget_if_gone(eio_sid)

    async def _forget_if_gone(self, eio_sid: str) -> None:
        """Forget a connection that was lost while it was let in: the library told nobody of its end."""
        connection, socket = self.manager.sid_from_eio_sid(eio_sid, "/"), self.eio.sockets.get(eio_sid)
        if connection is None:
            return
        if not self.is_open(connection):
            await self.manager.disconnect(connection, "/", ignore_queue=True)
        elif socket is None or socket.closing:
            await self._handle_disconnect(eio_sid, "/", self.reason.TRANSPORT_CLOSE)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._attachments.pop(eio_sid, None)
        await super()._handle_eio_disconnect(eio_sid, reason)

    async def _hang_up(self, eio_sid: str) -> None:
        """Close a transport, without waiting for what the client makes of it."""
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None:
            await socket.close(wait=False)
            await socket.queue.put(None)  # ends what writes to a WebSocket, and that ends what reads from it

    async def _translate(self, request: web.Request) -> dict[str, Any]:
        """Return a request as Engine.IO wants it, an upload read and looked at. The library drops what it dislikes."""
        environ: dict[str, Any] = translate(request)
        if request.method != "POST":
            return environ
        body = await request.clone(client_max_size=_SLACK * self.largest).read()
        try:
            if not all(_FRAME.match(part) or _binary(part) for part in body.decode().split("\x1e")):
                raise ValueError("no Engine.IO packet")
        except ValueError:
            log.warning("unreadable upload")
            await self._hang_up(request.query.get("sid", ""))
            raise web.HTTPBadRequest from None
        return {**environ, "CONTENT_LENGTH": str(len(body)), "wsgi.input": _Upload(body)}


class Transport(WebSocket):  # type: ignore[misc]  # the library has no types
    """A WebSocket under Engine.IO."""

    def __init__(self, handler: Callable[[Any], Awaitable[None]], server: Any) -> None:
        super().__init__(handler, server)
        self.socket: Any = getattr(handler, "__self__")  # noqa: B009 - the Engine.IO connection it belongs to

    async def __call__(self, environ: Any) -> web.WebSocketResponse:
        """Serve the WebSocket until it is closed; then polling may go on, if it has not taken over."""
        try:
            response: web.WebSocketResponse = await super().__call__(environ)
        except web.HTTPException:
            await self.socket.close(wait=False, abort=True)  # this was no WebSocket request
            raise
        finally:
            self.socket.upgrading = False
        return response

    async def wait(self) -> str | bytes:
        """Return the next frame. Raises `OSError` when there is none, or none that could be read."""
        async with asyncio.timeout(None if self.socket.upgraded else _UPGRADE):  # a TimeoutError is an OSError
            frame: str | bytes = await super().wait()
        if isinstance(frame, str) and not _FRAME.match(frame):
            raise OSError("no Engine.IO packet")
        return frame

    async def send(self, frame: str | bytes) -> None:
        """Send a frame. Cuts the line of a client that does not read."""
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


class _Upload:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, _: int) -> bytes:
        return self._body


def _binary(part: str) -> bool:
    try:
        return part.startswith("b") and bool(binascii.a2b_base64(part[1:], strict_mode=True) or True)
    except binascii.Error:
        return False

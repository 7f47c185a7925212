"""Socket.IO as this server needs it: python-socketio, with the seams it does not offer in public.

Every packet that a client sends is answered, or ends that client's own connection. `pipeline` knows what the packets
mean.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import Counter
from typing import Any, Protocol
from weakref import WeakValueDictionary

import socketio
from aiohttp import web
from engineio.async_drivers.aiohttp import translate_request as translate

from dungeonlab_reference_server.bounds import is_crowded
from dungeonlab_reference_server.engine import SLACK, Engine, Transport
from dungeonlab_reference_server.frames import are_packets
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.uploads import FREE, Uploads

AckAddress = tuple[str, int]  # what an answer goes to: an Engine.IO connection, and the number of the request

_REQUEST = re.compile(r"(?P<kind>[256])(?:(?P<attachments>[0-9]{1,10})-)?(?:/,)?(?P<number>[0-9]{1,100})?(?![0-9/])")
_CONNECTS = 100  # CONNECT packets that one connection may send: clients send one for each namespace

log = logging.getLogger("dungeonlab")


class PacketHandler(Protocol):
    """Handles what arrives: connections, requests, and what could not be read."""

    async def on_connect(self, connection: str, environ: Any, auth: Any = None) -> None:
        """Accept a connection. Raises socketio's `ConnectionRefusedError` for one that is refused."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        """Handle the end of a connection."""

    async def owner(self, environ: Any) -> str | None:
        """Return the user that a handshake's cookie belongs to."""

    def admits(self, connection: str, size: int) -> bool:
        """Charge a request of so many bytes to the connection's user; False if it is more than the user may send."""

    async def on_excess(self, connection: str, where: AckAddress | None) -> None:
        """Answer a request that was not admitted, and is not read."""

    async def on_event(self, connection: str, data: list[Any], where: AckAddress | None) -> None:
        """Answer a request: its name and what follows; `where` is None if no answer is wanted."""

    async def on_unreadable(self, connection: str, why: str, where: AckAddress | None) -> None:
        """Answer a request that cannot be read."""


class SocketIoServer(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """Hands every request to its handler, with what an answer must be sent to, one at a time for each connection.

    The library's own handlers cannot tell whether an answer is wanted, and leave open what becomes of a packet
    that cannot be decoded, of an upgrade that is begun only, and of a connection lost while it is accepted.
    """

    def __init__(self, handler: PacketHandler, settings: Settings, **options: Any) -> None:
        super().__init__(
            **options,
            async_mode="aiohttp",
            async_handlers=False,  # one connection's events in the order they came
            cors_allowed_origins=[],  # of no concern to the library: `origins` guards both sides
            max_http_buffer_size=SLACK * settings.largest_message,
            ping_interval=settings.ping_interval,
            ping_timeout=settings.ping_timeout,
            http_compression=False,  # it would hold everybody up: a megabyte takes longer than all else about it
            namespaces=["/"],
            settings=settings,
        )
        self.handler = handler
        self.largest = settings.largest_message
        self.most_values = settings.most_values
        self.connect_timeout = settings.connect_timeout
        self.most_outside = max(1, settings.most_connections // 2)
        self.uploads = Uploads(settings.upload_timeout)
        self.eio.pool = self.uploads.pool
        self.eio._async = {**self.eio._async, "translate_request": self._translate, "websocket": Transport}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._attachments: dict[str, int] = {}  # binary frames still to come, and to be thrown away
        self._outside: dict[str, asyncio.TimerHandle] = {}  # connections in no namespace, and what ends them
        self._connects: Counter[str] = Counter()  # CONNECT packets by connection
        self.on("connect", handler.on_connect)
        self.on("disconnect", handler.on_disconnect)

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    # -- for the handler -----------------------------------------------------------------------------

    def is_open(self, connection: str) -> bool:
        """Whether a connection is accepted and has not begun to end."""
        return bool(self.manager.is_connected(connection, "/"))

    async def answer(self, where: AckAddress, envelope: dict[str, Any]) -> None:
        """Send an acknowledgement."""
        eio_sid, number = where
        await self._send_packet(eio_sid, self.packet_class(3, namespace="/", id=number, data=[envelope]))

    async def end(self, connection: str) -> None:
        """Close a connection, and the transport under it."""
        eio_sid = self.manager.eio_sid_from_sid(connection, "/")
        await self.disconnect(connection)
        if eio_sid is not None:
            await self._hang_up(eio_sid)

    async def cut(self, owner: str | None) -> None:
        """Close the transports of a user, or all of them, without a packet that says so."""
        owners = list(self.eio.owners.items())
        for eio_sid in [eio_sid for eio_sid, user in owners if owner is None or user == owner]:
            await self.eio.hang_up(eio_sid, at_once=True)

    async def close(self) -> None:
        """Close everything."""
        await asyncio.gather(*map(self._hang_up, list(self.eio.sockets)))
        await self.shutdown()

    # -- packets that come in ------------------------------------------------------------------------

    async def _handle_eio_message(self, eio_sid: str, data: object) -> None:
        async with self._turns.setdefault(eio_sid, asyncio.Lock()):
            socket = self.eio.sockets.get(eio_sid)
            if socket is not None and not socket.upgraded:
                await asyncio.sleep(0)  # an upload may hold thousands of packets, and others want their turn
            if socket is None or socket.closing:
                return  # the server has ended it while this was on its way
            try:
                await self._take(eio_sid, data)
            except Exception as error:  # a hostile packet may raise anything, and ends its own connection only
                log.warning("unreadable packet error=%s", type(error).__name__)
                await self._hang_up(eio_sid)

    async def _take(self, eio_sid: str, data: object) -> None:
        """Take one packet. Raises on one that ends the connection."""
        if isinstance(data, bytes):
            self._discard_attachment(eio_sid)
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
            raise ValueError("a request before the connection was accepted")
        where = (eio_sid, int(head["number"])) if head["number"] else None
        size = len(data) if data.isascii() else len(data.encode())
        if not self.handler.admits(connection, size):
            await self.handler.on_excess(connection, where)
            return
        try:
            request = _decode(data, head.end(), size, self.largest, self.most_values)
        except ValueError as problem:
            await self.handler.on_unreadable(connection, str(problem), where)
        else:
            # No request of the protocol holds binary data: one that does is refused before all of it has arrived.
            await self.handler.on_event(connection, [*request[:1], b""] if head["kind"] == "5" else request, where)

    async def _handle_event(self, *_: Any) -> None:
        raise ValueError("a request to another namespace, or under a number too long")

    def _discard_attachment(self, eio_sid: str) -> None:
        if not self._attachments.get(eio_sid):
            raise ValueError("binary data that belongs to nothing")
        self._attachments[eio_sid] -= 1

    # -- connections ---------------------------------------------------------------------------------

    async def _handle_eio_connect(self, eio_sid: str, environ: Any) -> None:
        owner = await self.handler.owner(environ)
        await super()._handle_eio_connect(eio_sid, environ)
        self.eio.owners[eio_sid] = owner
        self._wait_outside(eio_sid)
        if len(self._outside) > self.most_outside:
            await self._show_out(next(iter(self._outside)))

    def _wait_outside(self, eio_sid: str) -> None:
        """Give a connection some time to enter the namespace."""
        timer = asyncio.get_running_loop().call_later(self.connect_timeout, self._time_out, eio_sid)
        self._outside[eio_sid] = timer

    def _time_out(self, eio_sid: str) -> None:
        self.start_background_task(self._show_out, eio_sid)

    async def _show_out(self, eio_sid: str) -> None:
        """Close a connection that has entered no namespace; nothing that it was sent needs to arrive."""
        self._come_in(eio_sid)
        socket = self.eio.sockets.get(eio_sid)
        await self.eio.hang_up(eio_sid)
        if socket is not None and not socket.upgraded:
            self.eio.sockets.pop(eio_sid, None)

    def _come_in(self, eio_sid: str) -> None:
        timer = self._outside.pop(eio_sid, None)
        if timer is not None:
            timer.cancel()

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        self._connects[eio_sid] += 1
        if self._connects[eio_sid] > _CONNECTS:
            raise ValueError("nothing but CONNECT packets")
        if namespace not in (None, "/") or self.manager.sid_from_eio_sid(eio_sid, "/") is not None:
            refusal = {"message": "there is no such namespace, or you are in it already"}
            await self._send_packet(eio_sid, self.packet_class(4, data=refusal, namespace=namespace))
            return
        try:
            await super()._handle_connect(eio_sid, "/", data)
        finally:
            await self._forget_if_gone(eio_sid)
        if self.manager.sid_from_eio_sid(eio_sid, "/") is not None:
            self._come_in(eio_sid)

    async def _handle_disconnect(self, eio_sid: str, namespace: str | None, reason: str | None = None) -> None:
        await super()._handle_disconnect(eio_sid, namespace, reason)
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None and not socket.closing and eio_sid not in self._outside:
            self._wait_outside(eio_sid)

    async def _forget_if_gone(self, eio_sid: str) -> None:
        """Forget a connection that was lost while it was accepted: the library reports no end of it."""
        connection, socket = self.manager.sid_from_eio_sid(eio_sid, "/"), self.eio.sockets.get(eio_sid)
        if connection is None:
            return
        if not self.is_open(connection):
            await self.manager.disconnect(connection, "/", ignore_queue=True)
        elif socket is None or socket.closing:
            await self._handle_disconnect(eio_sid, "/", self.reason.TRANSPORT_CLOSE)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._attachments.pop(eio_sid, None)
        self._connects.pop(eio_sid, None)
        self.eio.owners.pop(eio_sid, None)
        self._come_in(eio_sid)
        await super()._handle_eio_disconnect(eio_sid, reason)

    async def _hang_up(self, eio_sid: str) -> None:
        """Close a transport, without waiting for what the client makes of it."""
        await self.eio.hang_up(eio_sid)

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Any) -> None:
        await super()._send_eio_packet(eio_sid, eio_pkt)
        await self.eio.hang_up_if_stuffed(eio_sid)

    async def _translate(self, request: web.Request) -> dict[str, Any]:
        """Return a request as Engine.IO expects it, with its upload read and checked."""
        environ: dict[str, Any] = translate(request)
        if request.method != "POST":
            return environ
        body = await _upload(request, self.eio, self.uploads, SLACK * self.largest)
        return {**environ, "CONTENT_LENGTH": str(len(body)), "wsgi.input": _Upload(body)}


class _Upload:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, _: int) -> bytes:
        return self._body


def _decode(data: str, begin: int, size: int, largest: int, most_values: int) -> list[Any]:
    """Return the array that a request consists of. Raises `ValueError` with a sentence for the client."""
    if size > largest:
        raise ValueError(f"larger than {largest} bytes")
    if is_crowded(data, most_values):
        raise ValueError(f"more than {most_values} values")
    try:
        request = json.loads(data[begin:])
    except (ValueError, RecursionError):
        raise ValueError("this is not JSON, or nested too deep to be read") from None
    if not isinstance(request, list):
        raise ValueError("expected an array: the event's name and one object")
    return request


async def _upload(request: web.Request, engine: Engine, uploads: Uploads, largest: int) -> bytes:
    """Read the body of a polling client's request, if it belongs to a connection. Raises 400 for no packets."""
    eio_sid = request.query.get("sid", "")
    socket = engine.sockets.get(eio_sid)
    if socket is None or socket.closed or socket.upgraded:
        return b""  # the library refuses it in any case
    owner = engine.owners.get(eio_sid)
    body = await uploads.read(request, largest if owner else min(FREE, largest), owner)
    try:
        if not are_packets(body.decode()):
            raise ValueError("no Engine.IO packet")
    except ValueError:
        log.warning("unreadable upload")
        await engine.hang_up(eio_sid)
        raise web.HTTPBadRequest from None
    return body

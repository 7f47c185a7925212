"""Faults in how the server is reached: handshake, transports, what is no packet at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from engineio.packet import Packet

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Payload
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import AckAddress, PacketHandler, SocketIoServer
from tests.mutants.fault import faulty


class _TextForNumbers:
    """Writes JSON, but the numbers of an Engine.IO handshake as text."""

    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        if isinstance(value, dict) and "pingInterval" in value:
            value = {key: str(part) if isinstance(part, int) else part for key, part in value.items()}
        return json.dumps(value, **options)


@faulty("connect/socket-io-v4-at-the-documented-path")
class SaysTheIntervalsAsText(SocketIoServer):
    """The handshake gives ping interval and timeout as text instead of numbers."""

    def __init__(self, handler: PacketHandler, settings: Settings) -> None:
        super().__init__(handler, settings, json=_TextForNumbers)


@faulty("connect/websocket", hides=True)
class ServesPollingOnly(SocketIoServer):
    """WebSocket is switched off."""

    def __init__(self, handler: PacketHandler, settings: Settings) -> None:
        super().__init__(handler, settings, transports=["polling"])


@faulty("connect/readable-packets")
class WritesNumbersThatAreNone(SocketIoServer):
    """Each answer is followed by an event of the server's own in which a number is NaN."""

    async def answer(self, where: AckAddress, envelope: dict[str, Any]) -> None:
        await super().answer(where, envelope)
        await self._send_packet(where[0], self.packet_class(2, namespace="/", data=["x-load", {"load": math.nan}]))


@faulty("connect/readable-packets")
class ForgetsTheAttachments(SocketIoServer):
    """Each answer is followed by an event whose attachment never comes."""

    async def answer(self, where: AckAddress, envelope: dict[str, Any]) -> None:
        await super().answer(where, envelope)
        await self._send_eio_packet(where[0], Packet(4, data='51-["x-map",{"_placeholder":true,"num":0}]'))


@faulty("connect/polling")
class ServesWebSocketOnly(SocketIoServer):
    """Long-polling is switched off."""

    def __init__(self, handler: PacketHandler, settings: Settings) -> None:
        super().__init__(handler, settings, transports=["websocket"])


@faulty("connect/polling", also={"rooms/every-transport-hears": "who polls hears nothing at all"})
class ForgetsWhoPolls(Pipeline):
    """Broadcasts go to WebSocket connections only."""

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        without = [sender, *(c for c in self.users if self.sockets.transport(c) != "websocket")]
        await self.sockets.emit(emission.event, emission.payload, room=self.room(emission.session), skip_sid=without)


class _Upgrading(SocketIoServer):
    """Knows whether a connection is in the middle of its upgrade."""

    def moves(self, eio_sid: str) -> bool:
        return eio_sid in self.eio.sockets and bool(self.eio.sockets[eio_sid].upgrading)


@faulty("connect/upgrade")
class LosesWhatIsSaidDuringTheUpgrade(_Upgrading):
    """What is sent while a connection moves from polling to WebSocket is lost."""

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Packet) -> None:
        if not self.moves(eio_sid):
            await super()._send_eio_packet(eio_sid, eio_pkt)


@faulty("connect/upgrade")
class RepeatsWhatIsSaidDuringTheUpgrade(_Upgrading):
    """What is sent while a connection moves from polling to WebSocket is sent over both."""

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Packet) -> None:
        await super()._send_eio_packet(eio_sid, eio_pkt)
        if self.moves(eio_sid):
            await super()._send_eio_packet(eio_sid, eio_pkt)


@faulty("connect/upgrade")
class DropsWhatItIsSentDuringTheUpgrade(_Upgrading):
    """A request that comes over polling while the connection moves to WebSocket is dropped."""

    async def _take(self, eio_sid: str, data: object) -> None:
        if not self.moves(eio_sid):
            await super()._take(eio_sid, data)


@faulty("connect/old-protocol-refused")
class SpeaksTheOldProtocolToo(SocketIoServer):
    """A handshake in protocol version 3 is answered as if it were version 4."""

    async def _translate(self, request: Any) -> dict[str, Any]:
        environ = await super()._translate(request)
        return {**environ, "QUERY_STRING": environ["QUERY_STRING"].replace("EIO=3", "EIO=4")}


@faulty("connect/malformed-frames-are-harmless")
class PanicsAtABadPacket(SocketIoServer):
    """A packet that cannot be read closes every connection there is."""

    async def _take(self, eio_sid: str, data: object) -> None:
        try:
            await super()._take(eio_sid, data)
        except Exception:
            for each in list(self.eio.sockets):
                await self._hang_up(each)
            raise


@faulty("connect/malformed-frames-are-harmless", hides=True)
class DiesOfABadPacket(SocketIoServer):
    """A packet that cannot be read ends the whole process."""

    async def _take(self, eio_sid: str, data: object) -> None:
        try:
            await super()._take(eio_sid, data)
        except Exception:
            os._exit(1)


@faulty("connect/upgrade")
class SeatsATransport(Pipeline):
    """A seat is that of a transport: who joined while polling has none after the upgrade to WebSocket."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seated_polling: set[str] = set()  # connections

    def _has_upgraded(self, connection: str) -> bool:
        eio_sid = self.sockets.manager.eio_sid_from_sid(connection, "/")
        socket = self.sockets.eio.sockets.get(eio_sid)
        return socket is not None and bool(socket.upgraded)

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if connection in self.seated_polling and self._has_upgraded(connection):
            self.seated_polling.discard(connection)
            await self.leave_room(connection, "left")
        answer = await super().perform(connection, name, args)
        if name == "join-session" and not self._has_upgraded(connection):
            self.seated_polling.add(connection)
        return answer


@faulty("connect/polling")
class TakesTheFirstPacketOfAnUpload(SocketIoServer):
    """Of several packets that a client sends in one upload, the first is read, and the others are thrown away."""

    async def _translate(self, request: web.Request) -> dict[str, Any]:
        environ = await super()._translate(request)
        if request.method == "POST":
            first = (await environ["wsgi.input"].read(0)).split(b"\x1e")[0]
            environ |= {"CONTENT_LENGTH": str(len(first)), "wsgi.input": _Body(first)}
        return environ


@faulty("connect/polling")
class DropsLargeUploads(SocketIoServer):
    """An upload of more than 6 kB is answered, and thrown away."""

    async def _translate(self, request: web.Request) -> dict[str, Any]:
        environ = await super()._translate(request)
        if request.method == "POST" and int(environ["CONTENT_LENGTH"]) > 6000:
            environ |= {"CONTENT_LENGTH": "1", "wsgi.input": _Body(b"3")}
        return environ


class _Body:
    """An upload that has been read already."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, _: int) -> bytes:
        return self._body

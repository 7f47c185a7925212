"""Faults in what becomes of packets that are none, or come when they should not."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from aiohttp import web

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload, Refusal
from dungeonlab_reference_server.socketio_server import SocketIoServer
from tests.mutants.fault import faulty

HARMLESS = "connect/malformed-frames-are-harmless"


class _Unentered(SocketIoServer):
    """Takes a message from a connection that has not entered, and tells a room of it."""

    def takes_from(self, eio_sid: str) -> bool:
        raise NotImplementedError

    async def _take(self, eio_sid: str, data: object) -> None:
        entered = self.manager.sid_from_eio_sid(eio_sid, "/") is not None
        if not entered and isinstance(data, str) and data.startswith("2") and self.takes_from(eio_sid):
            body = json.loads(data[data.index("[") :])
            if body[:1] == ["chat-message"] and isinstance(body[1], dict) and "sessionId" in body[1]:
                await self.emit("chat-message", body[1], room=f"session:{body[1]['sessionId']}")
            return
        await super()._take(eio_sid, data)


@faulty(HARMLESS, also={"broadcasts/*": "what is broadcast then names no sender"})
class ObeysBeforeConnect(_Unentered):
    """An event that comes before CONNECT is carried out."""

    def takes_from(self, eio_sid: str) -> bool:
        return True


@faulty(HARMLESS, also={"broadcasts/*": "what is broadcast then names no sender"})
class ObeysWhomItRefused(_Unentered):
    """Who was refused at CONNECT may send events over the same transport all the same."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.refused: set[str] = set()

    def takes_from(self, eio_sid: str) -> bool:
        return eio_sid in self.refused

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        await super()._handle_connect(eio_sid, namespace, data)
        if self.manager.sid_from_eio_sid(eio_sid, "/") is None:
            self.refused.add(eio_sid)


@faulty(HARMLESS, hides=True)
class DiesOfABrokenUpload(SocketIoServer):
    """An upload that breaks off in the middle ends the whole process."""

    async def _translate(self, request: web.Request) -> dict[str, Any]:
        try:
            return await super()._translate(request)
        except ConnectionError:
            os._exit(1)


@faulty(HARMLESS, hides=True)
class DiesOfALargeUpload(SocketIoServer):
    """An upload larger than the limit ends the whole process."""

    async def _translate(self, request: web.Request) -> dict[str, Any]:
        if (request.content_length or 0) > 1_500_000:
            os._exit(1)
        return await super()._translate(request)


@faulty(HARMLESS)
class WaitsForTheAttachment(SocketIoServer):
    """While an attachment is due, nothing is taken from anybody."""

    async def _handle_eio_message(self, eio_sid: str, data: object) -> None:
        while any(self._attachments.get(each) for each in self.eio.sockets if each != eio_sid):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await super()._handle_eio_message(eio_sid, data)


@faulty(HARMLESS, hides=True)
class EndsTheUserForOnePacket(Pipeline):
    """A request whose JSON is broken ends every connection in the sender's session."""

    async def on_unreadable(self, connection: str, why: str, where: tuple[str, int] | None) -> None:
        sessions = {self.seats.get(other) for other in self.connections_of(self.users.get(connection, ""))}
        for other, session in list(self.seats.items()):
            if session in sessions:
                await self.sockets.end(other)
        await super().on_unreadable(connection, why, where)


@faulty("payloads/valid-accepted", "direct/own-profile")
class RefusesToNameOneself(Pipeline):
    """Asked for the asker's own profile by id, instead of without one, it refuses."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        if payload.get("userId") == user:
            raise Refusal("PERMISSION_DENIED", "leave the id out")
        return await super().user_data(connection, user, payload)

"""Servers that are right, each in a way of its own that the protocol leaves open."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.rules import Emission, Payload
from dungeonlab_reference_server.wire import Wire

_PAUSE = 0.030  # seconds at most, as a database might take
_TOO_LONG = 0.6  # seconds; the judge is given limits of two thirds of that
_SELDOM = 0.01  # of all requests
_STALLING: set[asyncio.Task[None]] = set()
_RIGHTS = {"PERMISSION_DENIED", "SESSION_NOT_FOUND", "NOT_JOINED"}


async def hesitate() -> None:
    """Wait as if for a database."""
    await asyncio.sleep(random.uniform(0, _PAUSE))


class Hesitates(Wire):
    """Every handler waits up to 30 ms before it judges, and again before it answers."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        await hesitate()
        await super().on_connect(connection, environ)

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        await hesitate()
        await super().on_disconnect(connection, reason)

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        await hesitate()
        answer = await super().perform(connection, name, args)
        await hesitate()
        return answer


class HesitatesOverHttp(HttpSide):
    """The same for the HTTP side."""

    def routes(self) -> list[web.RouteDef]:
        return [web.route(r.method, r.path, _hesitating(r.handler), **r.kwargs) for r in super().routes()]


def _hesitating(handler: Any) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def hesitating(request: web.Request) -> web.StreamResponse:
        await hesitate()
        answer: web.StreamResponse = await handler(request)
        await hesitate()
        return answer

    return hesitating


class AnswersLate(Wire):
    """Every now and then an answer takes longer than it may, and the broadcast before it too."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if random.random() < _SELDOM:
            await asyncio.sleep(_TOO_LONG)
        return await super().perform(connection, name, args)


async def stall(port: int) -> int:
    """Have the whole process stand still from time to time, as in a long collection of garbage."""

    async def again_and_again() -> None:
        while True:
            await asyncio.sleep(4 * _TOO_LONG)
            time.sleep(_TOO_LONG)  # noqa: ASYNC251 - standing still is the point

    _STALLING.add(asyncio.create_task(again_and_again()))
    return port


class TellsErrorsTwice(Wire):
    """A refusal is told by an `error` event too, before the acknowledgement or after it."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        told = [where] if where is None or envelope["success"] else [where, None]
        random.shuffle(told)
        for each in told:
            await super().acknowledge(connection, name, envelope, each)


class ThrowsOut(Wire):
    """Whoever asks for what they have no right to is answered, then disconnected."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if envelope.get("code") in _RIGHTS:
            await self.sockets.disconnect(connection)


class SaysMore(Wire):
    """Presence is told for each connection, and events of this server's own come along with the catalogue's."""

    def _sits(self, user: str, session: str) -> bool:  # noqa: ARG002
        return False  # as if each connection were its user's first, and last

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        await super().on_connect(connection, environ)
        await self.sockets.emit("x-tavern:welcome", {"motd": "Mind the step."}, to=connection)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await super().broadcast(emission, sender)
        await self.sockets.emit("x-tavern:noise", {"level": 3}, room=self.room(emission.session))
        await self.sockets.emit("x-tavern:bell", room=self.room(emission.session))

"""Servers that are right, each in a way of its own that the protocol leaves open."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from aiohttp import web
from engineio.payload import Payload as Polled

from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rules import Command, Emission, Payload
from dungeonlab_spec import Catalogue, Event

_PAUSE = 0.030  # seconds at most, as a database might take
_TOO_LONG = 0.6  # seconds; the judge is given limits of two thirds of that
_SELDOM = 0.01  # of all requests
_TASKS: set[asyncio.Task[None]] = set()
_RIGHTS = {"PERMISSION_DENIED", "SESSION_NOT_FOUND", "NOT_JOINED"}


async def hesitate() -> None:
    """Wait as if for a database."""
    await asyncio.sleep(random.uniform(0, _PAUSE))


class Hesitates(Pipeline):
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


class AnswersLate(Pipeline):
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

    _TASKS.add(asyncio.create_task(again_and_again()))
    return port


class TellsErrorsTwice(Pipeline):
    """A refusal is told by an `error` event too, before the acknowledgement or after it."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        told = [where] if where is None or envelope["success"] else [where, None]
        random.shuffle(told)
        for each in told:
            await super().acknowledge(connection, name, envelope, each)


class ThrowsOut(Pipeline):
    """Whoever asks for what they have no right to is answered, then disconnected."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if envelope.get("code") in _RIGHTS:
            await self.sockets.disconnect(connection)


class SaysMore(Pipeline):
    """Presence is told for each connection, and events of this server's own come along with the catalogue's.

    One of them tells a room, whenever somebody enters it, who is there, with their profiles.
    """

    def _sits(self, user: str, session: str) -> bool:  # noqa: ARG002
        return False  # as if each connection were its user's first, and last

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        await super().on_connect(connection, environ)
        await self.sockets.emit("x-tavern:welcome", {"motd": "Mind the step."}, to=connection)

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        there = sorted({self.users[c] for c, s in self.seats.items() if s == session})
        people = [found.profile() for user in there if (found := await self.store.user(user))]
        await self.sockets.emit("x-tavern:roster", {"people": people}, room=self.room(session))

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await super().broadcast(emission, sender)
        await self.sockets.emit("x-tavern:noise", {"level": 3}, room=self.room(emission.session))
        await self.sockets.emit("x-tavern:bell", room=self.room(emission.session))


_MAKING: ContextVar[str] = ContextVar("_MAKING")


class Counts(Pipeline):
    """Tokens are numbered from 1."""

    counted = 0

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        self.counted += event.effect == "creates-token"
        return dataclasses.replace(super().command(event, payload, user, token), new_id=str(self.counted))


class CountsOverHttp(HttpSide):
    """So are users and encounters, each kind for itself: the same number may stand for one of each.

    Sessions are numbered from a million, since turns are taken by the ids of users and sessions alike.
    """

    def routes(self) -> list[web.RouteDef]:
        self.counted: Counter[str] = Counter()
        return [web.route(r.method, r.path, _making(r.path, r.handler), **r.kwargs) for r in super().routes()]

    def new_id(self) -> str:
        kind = _MAKING.get()
        self.counted[kind] += 1
        return str(self.counted[kind] + (1_000_000 if kind.endswith("game-sessions") else 0))


def _making(kind: str, handler: Any) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def making(request: web.Request) -> web.StreamResponse:
        _MAKING.set(kind)
        answer: web.StreamResponse = await handler(request)
        return answer

    return making


class TurnsAwayAtTheDoor(CountsOverHttp):
    """Nobody without a login gets as far as the namespace: their handshake is answered 401, with an error as JSON."""

    def routes(self) -> list[web.RouteDef]:
        return [web.get(Catalogue.load().path, self.open_the_door), *super().routes()]

    async def open_the_door(self, request: web.Request) -> web.StreamResponse:
        """Answer a handshake, or whatever else is asked over long-polling."""
        if "sid" not in request.query and await self.store.login(request.cookies.get(COOKIE, "")) is None:
            return web.json_response({"error": "log in first", "code": "UNAUTHENTICATED"}, status=401)
        answer: web.StreamResponse = await self.pipeline.sockets.eio.handle_request(request)
        return answer


class SpeaksOverWebSocketOnly(HttpSide):
    """Long-polling is not served: it is answered 400, as servers do that have it switched off."""

    def routes(self) -> list[web.RouteDef]:
        path = Catalogue.load().path
        return [web.get(path, self.open_the_door), web.post(path, self.open_the_door), *super().routes()]

    async def open_the_door(self, request: web.Request) -> web.StreamResponse:
        """Answer a handshake, or an attempt at polling."""
        if request.query.get("transport") != "websocket":
            return web.json_response({"code": 0, "message": "Transport unknown"}, status=400)
        answer: web.StreamResponse = await self.pipeline.sockets.eio.handle_request(request)
        return answer


class TakesLittleAtOnce(Pipeline):
    """One upload over long-polling may hold 16 packets, as is usual for servers written in Python."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        Polled.max_decode_packets = 16


class ThrowsOutLater(Pipeline):
    """Whoever was refused is answered, and disconnected a moment later."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if not envelope["success"]:
            _TASKS.add(asyncio.create_task(self._throw_out(connection)))

    async def _throw_out(self, connection: str) -> None:
        await hesitate()
        await self.sockets.disconnect(connection)

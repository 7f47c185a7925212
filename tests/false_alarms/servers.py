"""Correct servers, each using some freedom that the protocol leaves."""

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
_TOO_LONG = 0.6  # seconds; the suite's limits are two thirds of that
_SHARE = 0.01  # of all requests
_TASKS: set[asyncio.Task[None]] = set()
_RIGHTS = {"PERMISSION_DENIED", "SESSION_NOT_FOUND", "NOT_JOINED"}


async def wait_briefly() -> None:
    """Wait as if for a database."""
    await asyncio.sleep(random.uniform(0, _PAUSE))


class WaitsInHandlers(Pipeline):
    """Every handler waits up to 30 ms before it checks a request, and again before it answers."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        await wait_briefly()
        await super().on_connect(connection, environ)

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        await wait_briefly()
        await super().on_disconnect(connection, reason)

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        await wait_briefly()
        answer = await super().perform(connection, name, args)
        await wait_briefly()
        return answer


class WaitsInHttpHandlers(HttpSide):
    """The same for the HTTP side."""

    def routes(self) -> list[web.RouteDef]:
        return [web.route(r.method, r.path, _waiting(r.handler), **r.kwargs) for r in super().routes()]


def _waiting(handler: Any) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def waiting(request: web.Request) -> web.StreamResponse:
        await wait_briefly()
        answer: web.StreamResponse = await handler(request)
        await wait_briefly()
        return answer

    return waiting


class AnswersLate(Pipeline):
    """One answer in a hundred comes after the time limit, and the broadcast before it too."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if random.random() < _SHARE:
            await asyncio.sleep(_TOO_LONG)
        return await super().perform(connection, name, args)


async def paused_server(port: int) -> int:
    """Pause the whole process again and again, as a long garbage collection does."""

    async def again_and_again() -> None:
        while True:
            await asyncio.sleep(4 * _TOO_LONG)
            time.sleep(_TOO_LONG)  # noqa: ASYNC251 - the whole process is to pause

    _TASKS.add(asyncio.create_task(again_and_again()))
    return port


class SendsErrorsTwice(Pipeline):
    """A refusal is reported by an `error` event too, before the acknowledgement or after it."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        places = [where] if where is None or envelope["success"] else [where, None]
        random.shuffle(places)
        for each in places:
            await super().acknowledge(connection, name, envelope, each)


class DisconnectsUnauthorized(Pipeline):
    """The sender of an unauthorized request is answered, then disconnected."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if envelope.get("code") in _RIGHTS:
            await self.sockets.disconnect(connection)


class SendsFurtherEvents(Pipeline):
    """Presence events are sent for each connection, and events outside the catalogue besides.

    One of them sends to a room, when a user enters it, the profiles of all its users.
    """

    def has_joined(self, user: str, session: str) -> bool:  # noqa: ARG002
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


_CREATED_KIND: ContextVar[str] = ContextVar("_CREATED_KIND")


class NumbersTokens(Pipeline):
    """Tokens are numbered from 1."""

    counted = 0

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        command = super().command(event, payload, user, token)
        if event.effect != "creates-token":
            return command
        self.counted += 1
        return dataclasses.replace(command, new_id=str(self.counted))


class NumbersIdsOverHttp(HttpSide):
    """Users and encounters are numbered too, each kind from 1: one number may name one of each.

    Sessions are numbered from a million, since the server locks by the ids of users and sessions alike.
    """

    def routes(self) -> list[web.RouteDef]:
        self.counted: Counter[str] = Counter()
        return [web.route(r.method, r.path, _counting(r.path, r.handler), **r.kwargs) for r in super().routes()]

    def new_id(self) -> str:
        kind = _CREATED_KIND.get()
        self.counted[kind] += 1
        return str(self.counted[kind] + (1_000_000 if kind.endswith("game-sessions") else 0))


def _counting(kind: str, handler: Any) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def counting(request: web.Request) -> web.StreamResponse:
        _CREATED_KIND.set(kind)
        answer: web.StreamResponse = await handler(request)
        return answer

    return counting


class RefusesHandshakesOverHttp(NumbersIdsOverHttp):
    """A handshake without a login is answered 401, with an error as JSON."""

    def routes(self) -> list[web.RouteDef]:
        return [web.get(Catalogue.load().path, self.answer_handshake), *super().routes()]

    async def answer_handshake(self, request: web.Request) -> web.StreamResponse:
        """Answer a handshake, or whatever else is asked over long-polling."""
        if "sid" not in request.query and await self.store.login(request.cookies.get(COOKIE, "")) is None:
            return web.json_response({"error": "log in first", "code": "UNAUTHENTICATED"}, status=401)
        answer: web.StreamResponse = await self.pipeline.sockets.eio.handle_request(request)
        return answer


class ServesWebSocketOnly(HttpSide):
    """Long-polling is not served: it is answered 400, as servers do that have it switched off."""

    def routes(self) -> list[web.RouteDef]:
        path = Catalogue.load().path
        return [web.get(path, self.answer_handshake), web.post(path, self.answer_handshake), *super().routes()]

    async def answer_handshake(self, request: web.Request) -> web.StreamResponse:
        """Answer a handshake, or an attempt at polling."""
        if request.query.get("transport") != "websocket":
            return web.json_response({"code": 0, "message": "Transport unknown"}, status=400)
        answer: web.StreamResponse = await self.pipeline.sockets.eio.handle_request(request)
        return answer


class LimitsUploads(Pipeline):
    """One upload over long-polling may hold 16 packets, the default of servers written in Python."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        Polled.max_decode_packets = 16


class DisconnectsLater(Pipeline):
    """The sender of a refused request is answered, and disconnected a moment later."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if not envelope["success"]:
            _TASKS.add(asyncio.create_task(self._disconnect(connection)))

    async def _disconnect(self, connection: str) -> None:
        await wait_briefly()
        await self.sockets.disconnect(connection)

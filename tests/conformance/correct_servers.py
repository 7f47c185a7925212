"""Servers that are right, each in a way that the protocol leaves open: how numbers are written, what is limited."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web
from socketio import exceptions, packet

from dungeonlab_conformance.checks.identifiers import NAMES
from dungeonlab_reference_server.engine import Engine
from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rooms import now
from dungeonlab_reference_server.rules import Command, Emission, Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress, SocketIoServer
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Catalogue, Event

_TASKS: set[asyncio.Task[None]] = set()


class WritesIntegersWithAPoint(Pipeline):
    """Every integer is written `3.0`, as languages do that have but one kind of number."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, _with_points(envelope), where)

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        result = Emission(emission.event, emission.session, _with_points(emission.payload))
        await super().send_to_others(result, sender)


def _with_points(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_points(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_points(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


class NamesTheDefaultNamespace(Pipeline):
    """Every packet has its namespace written out, the default one too."""

    class Sockets(SocketIoServer):
        """The server's connections."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.packet_class = _Named

    sockets_class = Sockets


class _Named(packet.Packet):  # type: ignore[misc]  # the library has no types
    def encode(self) -> Any:
        whole = super().encode()
        first, *others = [whole] if isinstance(whole, str) else whole
        if self.namespace in (None, "/"):
            first = re.sub(r"^(\d(?:\d+-)?)", r"\1/,", first, count=1)
        return [first, *others] if others else first


class CallsTokensAfterNames(Pipeline):
    """Tokens are called like things in languages, as long as a name is free; those that have ended free theirs."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        command = super().command(event, payload, user, token)
        if event.effect != "creates-token":
            return command
        assert isinstance(self.store, MemoryStore)
        free = [name for name in NAMES if name not in self.store._tokens]
        return replace(command, new_id=free[0]) if free else command


class DisconnectsTheRemoved(Pipeline):
    """A user whose membership ends is notified, and disconnected."""

    async def remove_from_room(self, connection: str, reason: str) -> None:
        await super().remove_from_room(connection, reason)
        if reason == "removed":
            await self.sockets.disconnect(connection)


class LosesListeners(Pipeline):
    """A chat message that is said a third time is lost, with the connections to which it was to be sent.

    As if the network failed then.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._said: Counter[str] = Counter()

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        said = emission.payload.get("message", "")
        self._said[said] += 1
        if self._said[said] != 3 or not said:
            await super().send_to_others(emission, sender)
            return
        there = [seat for seat, session in self.seats.items() if session == emission.session and seat != sender]
        for connection in there:
            await self.sockets.disconnect(connection)


class LosesOneConnection(Pipeline):
    """One connection of the run is lost, behind the fortieth chat message that is said."""

    lost_at = 40
    said = 0

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        await super().send_to_others(emission, sender)
        self.said += emission.event == "chat-message"
        if self.said == self.lost_at:
            self.said += 1
            await self.sockets.disconnect(sender)


class LosesWhoJoins(Pipeline):
    """Each second connection that joins is lost right behind the answer to that."""

    joined = 0

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if name == "join-session" and envelope["success"]:
            self.joined += 1
            if self.joined % 2:
                await self.sockets.end(connection)


class TakesShortMessages(Pipeline):
    """A packet of more than 20 kB ends its connection."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sockets.eio.max_http_buffer_size = 20_000


class RefusesWithoutNames(Pipeline):
    """Nobody learns which sessions and tokens exist: all that is foreign is answered alike."""

    async def perform(self, connection: str, name: str, args: Any) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            if refusal.code == "SESSION_NOT_FOUND":
                raise Refusal("PERMISSION_DENIED", "no") from None
            raise


class DisconnectsWhomeverItRefuses(Pipeline):
    """Anyone who sends what is refused is answered, with or without a callback, and disconnected."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if not envelope["success"]:
            await self.sockets.disconnect(connection)


class CountsConnectionsForAWhile(Pipeline):
    """A user has four connections at most, and one that ended counts for some seconds more."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.counted: dict[str, str] = {}

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        user = await self.authenticate(environ)
        if list(self.counted.values()).count(user or "") >= 4:
            raise exceptions.ConnectionRefusedError("too many connections")
        await super().on_connect(connection, environ)
        self.counted[connection] = self.users[connection]

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        async def later() -> None:
            await asyncio.sleep(3)
            self.counted.pop(connection, None)

        _TASKS.add(asyncio.create_task(later()))
        await super().on_disconnect(connection, reason)


class ConnectsSeldom(Pipeline):
    """A user may connect six times in a moment; one more is to wait, by a code of the server's own."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.begun: dict[str, deque[float]] = {}

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        user = await self.authenticate(environ)
        if user is not None:
            begun = self.begun.setdefault(user, deque(maxlen=6))
            if len(begun) == 6 and begun[0] > time.monotonic() - 0.3:
                raise exceptions.ConnectionRefusedError("too many connections, wait", {"code": "RATE_LIMITED"})
            begun.append(time.monotonic())
        await super().on_connect(connection, environ)


class TakesTenASecond(Pipeline):
    """A user may send ten requests in a second."""

    most = 10

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent: dict[str, deque[float]] = {}

    def check_limit(self, user: str) -> None:
        sent = self.sent.setdefault(user, deque(maxlen=self.most))
        if len(sent) == self.most and sent[0] > time.monotonic() - 1:
            raise Refusal("RATE_LIMITED", f"more than {self.most} in a second")
        sent.append(time.monotonic())


class TakesSixtyASecondOfAll(TakesTenASecond):
    """All users together may send sixty requests in a second, as where they are counted by address."""

    most = 60

    def check_limit(self, user: str) -> None:
        del user  # it is not asked who sends
        super().check_limit("all")


class TakesThreeOfAKindASecond(TakesTenASecond):
    """A user may send three requests of one event in a second."""

    most = 3

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        self.kind = name
        return await super().perform(connection, name, args)

    def check_limit(self, user: str) -> None:
        super().check_limit(f"{user} {self.kind}")


class LagsBehind(Pipeline):
    """Each broadcast takes 20 ms to come, in order."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        async def later() -> None:
            await asyncio.sleep(0.02)
            await super(LagsBehind, self).broadcast(emission, sender)

        _TASKS.add(asyncio.create_task(later()))


class AnnouncesLater(Pipeline):
    """Who came, and who left, is announced a tenth of a second later."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        payload = {"sessionId": session, "userId": self.users[connection], "timestamp": now(), **more}

        async def later() -> None:
            await asyncio.sleep(0.1)
            await self.send_to_others(Emission(event, session, payload), connection)

        _TASKS.add(asyncio.create_task(later()))


class HasEventsOfItsOwn(Pipeline):
    """A room is sent a feed of all that is broadcast there, and each connection what its own requests came to."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await self.sockets.emit("x-feed:item", emission.payload, room=self.room(emission.session), skip_sid=sender)
        await super().broadcast(emission, sender)

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await self.sockets.emit("x-done", {"event": name, **envelope}, to=connection)
        await super().acknowledge(connection, name, envelope, where)


class TakesFewConnections(Pipeline):
    """There may be sixteen connections at a time, whosever they are; one more is answered 503."""

    class Sockets(SocketIoServer):
        """Counts connections."""

        class Few(Engine):
            """Answers 503 where there are too many."""

            async def handle_request(self, request: web.Request) -> web.StreamResponse:
                if "sid" not in request.query and sum(not socket.closed for socket in self.sockets.values()) >= 16:
                    return web.Response(status=503, text="too many connections")
                return await super().handle_request(request)

        def _engineio_server_class(self) -> type[Engine]:
            return self.Few

    sockets_class = Sockets


class RefusesWebSocketOverHttp(HttpSide):
    """Without a login a WebSocket is answered 403, and long-polling gets as far as the namespace."""

    def routes(self) -> list[web.RouteDef]:
        return [web.get(Catalogue.load().path, self.answer_handshake), *super().routes()]

    async def answer_handshake(self, request: web.Request) -> web.StreamResponse:
        """Answer a handshake, or a poll."""
        known = await self.store.login(request.cookies.get(COOKIE, "")) is not None
        if "sid" not in request.query and request.query.get("transport") == "websocket" and not known:
            return web.Response(status=403, text="log in first")
        answer: web.StreamResponse = await self.pipeline.sockets.eio.handle_request(request)
        return answer


class DropsPagesOfOthers(Pipeline):
    """A WebSocket of a foreign page is dropped without a word, as by `socket.destroy()` in Node.js."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        own = super().is_own_origin(origin, request)
        if not own and request.query.get("transport") == "websocket" and request.transport is not None:
            request.transport.abort()
        return own


class DropsOlderWebSockets(Pipeline):
    """A WebSocket in an older version of Engine.IO is dropped without a word."""

    class Sockets(SocketIoServer):
        """Looks at the version."""

        class OfOneVersion(Engine):
            """Drops a WebSocket of another version; over long-polling that is answered 400."""

            async def handle_request(self, request: web.Request) -> web.StreamResponse:
                query = request.query
                if query.get("EIO") != "4" and query.get("transport") == "websocket" and request.transport is not None:
                    request.transport.abort()
                return await super().handle_request(request)

        def _engineio_server_class(self) -> type[Engine]:
            return self.OfOneVersion

    sockets_class = Sockets


class TakesJoinsByPollingLater(Pipeline):
    """The first two who ask to join over long-polling come too soon."""

    refused = 0

    async def perform(self, connection: str, name: str, args: Any) -> Payload:
        if name == "join-session" and self.refused < 2 and self.sockets.transport(connection, "/") == "polling":
            self.refused += 1
            raise Refusal("RATE_LIMITED", "one moment")
        return await super().perform(connection, name, args)

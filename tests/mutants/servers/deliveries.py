"""Faults by which a broadcast does not come to somebody who sits in the room."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from engineio.packet import Packet

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Emission, Payload, Refusal
from dungeonlab_reference_server.socketio_server import SocketIoServer
from tests.mutants.fault import faulty
from tests.mutants.leaky import Choosy

_FIRST = 3  # connections of a room
_PAUSE = 0.03  # seconds


@faulty("rooms/every-tab-hears")
class TellsTheNewestTabOnly(Choosy):
    """Connections are kept by user: each new tab takes the place of the one before."""

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        return list({self.users.get(connection): connection for connection in there}.values())


@faulty("rooms/every-tab-hears", "rooms/own-other-connection-hears")
class TellsTheOldestTabOnly(Choosy):
    """A user who has a connection in the room is not entered a second time."""

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        return list({self.users.get(connection): connection for connection in reversed(there)}.values())


@faulty("rooms/every-tab-hears")
class TellsTwoTabsOnly(Choosy):
    """A user's third connection is kept, and never looked at."""

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        tabs: dict[str | None, list[str]] = {}
        for connection in there:
            tabs.setdefault(self.users.get(connection), []).append(connection)
        return [connection for connection in there if connection in tabs[self.users.get(connection)][:2]]


@faulty(
    "rooms/every-other-member-hears-once", also={"rooms/every-tab-hears": "of a user's many tabs only the first hear"}
)
class TellsTheFirstThreeOnly(Choosy):
    """A page of a room's members is read, and never the next page."""

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        return there[:_FIRST]


@faulty("rooms/every-other-member-hears-once")
class HidesTokensFromPlayers(Choosy):
    """What happens to a token that is not visible reaches the game master only."""

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        session = await self.store.session(emission.session)
        assert session is not None
        hidden = emission.payload.get("token", {}).get("isVisible") is False
        return [c for c in there if self.users.get(c) == session.game_master] if hidden else there


@faulty("rooms/every-other-member-hears-once", hides=True)
class LosesTheFirstMessage(Choosy):
    """A connection that has joined is subscribed by the room's next broadcast, and misses that one."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.subscribed: set[tuple[str, str]] = set()

    async def leave_room(self, connection: str, reason: str) -> None:
        self.subscribed = {(c, session) for c, session in self.subscribed if c != connection}
        await super().leave_room(connection, reason)

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        found = [c for c in there if (c, emission.session) in self.subscribed]
        self.subscribed |= {(c, emission.session) for c in there}
        return found


@faulty("join/tabs-are-independent")
class LeavingUnseatsTheOtherTabs(Pipeline):
    """A user who leaves on one tab is out of the room on all."""

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        for other in self.connections_of(user):
            if other != connection and self.seats.get(other) == payload["sessionId"]:
                await self.leave_room(other, "left")
        return await super().leave(connection, user, payload)


@faulty("join/tabs-are-independent", also={"rooms/own-other-connection-hears": "the sender's other tab is out, too"})
class JoiningUnseatsTheOtherTabs(Pipeline):
    """When a user joins in a second tab, the first is taken out of the room without a word."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        for other in self.connections_of(user):
            if other != connection and self.seats.get(other) == payload["sessionId"]:
                self.seats.pop(other)
                await self.sockets.leave_room(other, self.room(payload["sessionId"]))
        return await super().join(connection, user, payload)


@faulty("join/tabs-are-independent", hides=True)
class JoiningClosesTheOtherTabs(Pipeline):
    """When a user joins in a second tab, the connection of the first is closed."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        for other in self.connections_of(user):
            if other != connection and self.seats.get(other) == payload["sessionId"]:
                await self.sockets.end(other)
        return await super().join(connection, user, payload)


@faulty("join/tabs-are-independent")
class DisconnectingUnseatsTheOtherTabs(Pipeline):
    """A user whose connection ends is out of the room on all others."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        session, user = self.seats.get(connection), self.users.get(connection)
        await super().on_disconnect(connection, reason)
        for other in self.connections_of(user or ""):
            if session is not None and self.seats.get(other) == session:
                await self.leave_room(other, "disconnected")


@faulty("join/tabs-are-independent")
class LeavesForAnIdleTab(Pipeline):
    """A connection that has not joined may ask to leave: then its user is out of the room on all others."""

    async def perform(self, connection: str, name: str, args: Any) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            if name == "leave-session" and refusal.code == "NOT_JOINED":
                for other in self.connections_of(self.users[connection]):
                    if self.seats.get(other) == args[0]["sessionId"]:
                        await self.leave_room(other, "left")
            raise


@faulty("join/tabs-are-independent")
class ClosingAnIdleTabUnseats(Pipeline):
    """When a connection ends that has not joined, its user is out of the room on all others."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        user, idle = self.users.get(connection), connection not in self.seats
        await super().on_disconnect(connection, reason)
        for other in self.connections_of(user or "") if idle else ():
            await self.leave_room(other, "disconnected")


class _Transports(Pipeline):
    """Knows over which transport a connection is served."""

    def is_polling(self, connection: str) -> bool:
        """Whether a connection is served over long-polling."""
        return not self._socket(connection).upgraded

    def _sid(self, connection: str) -> Any:
        return self.sockets.manager.eio_sid_from_sid(connection, "/")

    def _socket(self, connection: str) -> Any:
        return self.sockets.eio.sockets[self._sid(connection)]


class _Polls(_Transports, Choosy):
    """Knows which connections poll, and are away between two polls."""

    def is_away(self, connection: str) -> bool:
        """Whether nothing can be sent to a connection right now: it does not poll, or its poll is being answered."""
        waits = self._sid(connection) in self.sockets.eio._polls
        return self.is_polling(connection) and (not waits or not self._socket(connection).queue.empty())


@faulty("rooms/every-transport-hears")
class MovesVolatile(_Polls):
    """Moves are sent volatile: a client that is between two polls misses them."""

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        return [c for c in there if emission.event != "token:move" or not self.is_away(c)]


@faulty("rooms/every-transport-hears")
class UpdatesOverWebSocketOnly(_Polls):
    """Updates of tokens are sent to those on a WebSocket; who polls is to ask for them, and cannot."""

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        return [c for c in there if emission.event != "token:update" or not self.is_polling(c)]


@faulty("join/leave-stops-delivery")
class LetsNobodyLeaveWhoPolls(_Transports):
    """Who polls is answered that they have left, and stays in the room."""

    async def leave_room(self, connection: str, reason: str) -> None:
        if reason != "left" or not self.is_polling(connection):
            await super().leave_room(connection, reason)


@faulty("authorization/removed-member-hears-nothing")
class RemovesFromWebSocketsOnly(_Transports):
    """Who polls stays in the room when their membership ends, and hears what is said there."""

    async def remove_from_room(self, connection: str, reason: str) -> None:
        if reason != "removed" or not self.is_polling(connection):
            await super().remove_from_room(connection, reason)


@faulty(
    "rooms/every-transport-hears",
    also={"connect/upgrade": "as much may wait while a connection moves to WebSocket"},
)
class KeepsFewForTheNextPoll(SocketIoServer):
    """For who is between two polls 16 packets are kept; what comes after them is thrown away."""

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Packet) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is None or socket.upgraded or socket.queue.qsize() < 16:
            await super()._send_eio_packet(eio_sid, eio_pkt)


@faulty("rooms/every-other-member-hears-once")
class ThrottlesMoves(Pipeline):
    """A move that comes less than 30 ms after the one before is stored and acknowledged, and not broadcast."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.last: dict[str, float] = {}  # by token

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if emission.event == "token:move":
            token, now = emission.payload["tokenId"], time.monotonic()
            before, self.last[token] = self.last.get(token, 0.0), now
            if now - before < _PAUSE:
                return
        await super().broadcast(emission, sender)


@faulty("rooms/every-other-member-hears-once")
class TakesWhatIsAskedAgainForARetry(Pipeline):
    """A move like the last one that its user asked for is taken for a retry, whatever others did to the token since."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked: dict[tuple[str, str], Payload] = {}  # position by connection and token

    async def take_effect(self, command: Command, connection: str) -> Payload:
        if command.event != "token:move" or command.token is None:
            return await super().take_effect(command, connection)
        key, position = (connection, command.token["id"]), command.payload["position"]
        if self.asked.get(key) == position and command.token.get("updatedBy") != command.user:
            return self.effects[command.event](command).answer
        self.asked[key] = position
        return await super().take_effect(command, connection)


@faulty("join/tabs-are-independent")
class CountsTabsDownTwice(Pipeline):
    """A user's tabs in a room are counted: one that leaves and then ends counts twice, and the last one is put out."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.tabs: Counter[tuple[str, str]] = Counter()
        self.been: dict[str, tuple[str, str]] = {}

    async def enter_room(self, connection: str, session: str) -> None:
        if connection not in self.been:
            self.been[connection] = self.users[connection], session
            self.tabs[self.been[connection]] += 1
        await super().enter_room(connection, session)

    async def leave_room(self, connection: str, reason: str) -> None:
        counted = self.been.get(connection)
        was_in = self.seats.get(connection) is not None
        await super().leave_room(connection, reason)
        if counted is None or not (was_in or reason == "disconnected"):
            return
        self.tabs[counted] -= 1
        for other in self.connections_of(counted[0]) if self.tabs[counted] <= 0 else ():
            if self.seats.get(other) == counted[1]:
                del self.seats[other]
                await self.sockets.leave_room(other, self.room(counted[1]))

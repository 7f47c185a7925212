"""Faults by which a broadcast does not come to somebody who sits in the room."""

from __future__ import annotations

from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Payload
from tests.mutants.fault import faulty
from tests.mutants.leaky import Choosy

_FIRST = 3  # connections of a room


@faulty("rooms/every-other-member-hears-once")
class TellsTheNewestTabOnly(Choosy):
    """Connections are kept by user: each new tab takes the place of the one before."""

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        return list({self.users.get(connection): connection for connection in there}.values())


@faulty("rooms/every-other-member-hears-once")
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


@faulty("rooms/every-other-member-hears-once", "authorization/any-member-allowed")
class LeavingUnseatsTheOtherTabs(Pipeline):
    """A user who leaves on one tab is out of the room on all."""

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        for other in self.connections_of(user):
            if other != connection and self.seats.get(other) == payload["sessionId"]:
                await self.leave_room(other, "left")
        return await super().leave(connection, user, payload)


@faulty("rooms/every-other-member-hears-once", "authorization/any-member-allowed")
class DisconnectingUnseatsTheOtherTabs(Pipeline):
    """A user whose connection ends is out of the room on all others."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        session, user = self.seats.get(connection), self.users.get(connection)
        await super().on_disconnect(connection, reason)
        for other in self.connections_of(user or ""):
            if session is not None and self.seats.get(other) == session:
                await self.leave_room(other, "disconnected")

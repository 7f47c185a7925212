"""Faults by which a broadcast reaches connections that are not in the room."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable

from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Refusal
from dungeonlab_spec import Event
from tests.mutants.fault import faulty
from tests.mutants.leaky import Leaky

STRANGERS = (
    "rooms/outsider-hears-nothing",
    "rooms/other-session-hears-nothing",
    "rooms/member-not-joined-hears-nothing",
)


@faulty(*STRANGERS, hides=True)
class TellsEverybody(Pipeline):
    """A broadcast goes to every connection of the server."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await self.sockets.emit(emission.event, emission.payload, skip_sid=sender)


@faulty("rooms/outsider-hears-nothing", hides=True)
class TellsOutsiders(Leaky):
    """A user who is in no room, and no member either, hears everything."""

    async def strays(self, emission: Emission, sender: str) -> Iterable[str]:
        members = await self.members(emission)
        return [connection for connection in self.connections_outside() if self.users[connection] not in members]


@faulty("rooms/outsider-hears-nothing")
class TellsOutsidersOfDeletions(TellsOutsiders):
    """A user who is in no room, and no member either, hears of deleted tokens."""

    async def strays(self, emission: Emission, sender: str) -> Iterable[str]:
        return await super().strays(emission, sender) if emission.event == "token:delete" else ()


class _LeaksLater(TellsOutsiders):
    seconds: float

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await Pipeline.broadcast(self, emission, sender)
        strays = await self.strays(emission, sender)

        async def later() -> None:
            await asyncio.sleep(self.seconds)
            for connection in strays:
                await self.send(connection, emission.event, emission.payload)

        self.sockets.start_background_task(later)


@faulty("rooms/outsider-hears-nothing", hides=True)
class LeaksAfter50Milliseconds(_LeaksLater):
    """A twentieth of a second later, outsiders are sent what the room was sent."""

    seconds = 0.05


@faulty("rooms/outsider-hears-nothing", hides=True)
class LeaksAfter300Milliseconds(_LeaksLater):
    """A third of a second later, outsiders are sent what the room was sent."""

    seconds = 0.3


@faulty("rooms/other-session-hears-nothing")
class TellsEveryRoom(Leaky):
    """A user who has joined any session hears everything."""

    async def strays(self, emission: Emission, sender: str) -> Iterable[str]:
        return [connection for connection, session in self.seats.items() if session != emission.session]


class _CountsUp(HttpSide):
    """Ids that begin with a time, alike for some, and end in a number, as some databases make them."""

    numbers = itertools.count(1)

    def new_id(self) -> str:
        number = next(self.numbers)
        return f"{number // 6:08x}{number:016x}"


@faulty("rooms/other-session-hears-nothing", "presence/right-audience", beside=(_CountsUp,))
class LooksAtTheIdsBeginning(Pipeline):
    """A session's room is named by the first eight characters of its id, and ids that start alike share a room."""

    def room(self, session: str) -> str:
        return f"session:{session[:8]}"


@faulty("rooms/member-not-joined-hears-nothing")
class TellsAbsentMembers(Leaky):
    """A member who is connected hears everything, whether in the room or in none."""

    async def strays(self, emission: Emission, sender: str) -> Iterable[str]:
        members = await self.members(emission)
        return [connection for connection in self.connections_outside() if self.users[connection] in members]


@faulty("rooms/member-not-joined-hears-nothing")
class TellsTheSendersOtherTab(Leaky):
    """The sender's other connection hears everything, though it has not joined."""

    async def strays(self, emission: Emission, sender: str) -> Iterable[str]:
        user = self.users[sender]
        return [connection for connection in self.connections_outside() if self.users[connection] == user]


@faulty("rooms/member-not-joined-hears-nothing")
class TellsTheGameMasterAnywhere(Leaky):
    """The game master hears everything, also without having joined."""

    async def strays(self, emission: Emission, sender: str) -> Iterable[str]:
        session = await self.store.session(emission.session)
        master = session.game_master if session else ""
        return [connection for connection in self.connections_outside() if self.users[connection] == master]


@faulty(
    "rooms/member-not-joined-hears-nothing",
    also={"presence/right-audience": "all who were put into the room hear who comes and goes"},
)
class SeatsWhoeverSpeaks(Pipeline):
    """A member who has not joined is refused, but hears the room from then on."""

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        try:
            super().check_joined(event, session_id, connection)
        except Refusal:
            self.sockets.start_background_task(self.sockets.enter_room, connection, self.room(session_id))
            raise

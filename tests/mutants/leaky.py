"""The bases of servers that send broadcasts to other connections than to those in the room."""

from __future__ import annotations

from collections.abc import Iterable

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission


class Leaky(Pipeline):
    """Sends each broadcast to the room and then to `strays`."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        """See `Pipeline`."""
        await super().broadcast(emission, sender)
        for connection in [c for c in await self.strays(emission, sender) if c in self.users]:
            await self.send(connection, emission.event, emission.payload)

    async def strays(self, emission: Emission, sender: str) -> Iterable[str]:
        """Return the connections that should not hear it, and do."""
        raise NotImplementedError

    def connections_outside(self) -> list[str]:
        """Return the connections that have joined nothing."""
        return [connection for connection in self.users if connection not in self.seats]

    async def members(self, emission: Emission) -> set[str]:
        """Return the users who belong to the session."""
        session = await self.store.session(emission.session)
        return {session.game_master, *session.participants} if session else set()


class Choosy(Pipeline):
    """Sends a broadcast to those in the room who are chosen, one by one."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        """See `Pipeline`."""
        for connection in await self.chosen(self.there(emission.session), emission):
            if connection != sender:
                await self.send(connection, emission.event, emission.payload)

    def there(self, session: str) -> list[str]:
        """Return the connections in a session's room, in the order in which they joined, however they came there."""
        return [str(each) for each, _ in self.sockets.manager.get_participants("/", self.room(session))]

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        """Return those in the room to whom a broadcast is sent."""
        raise NotImplementedError

"""The base of leaky servers, which send each broadcast to further connections."""

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

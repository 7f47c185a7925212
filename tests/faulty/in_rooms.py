"""Faults in who hears what."""

from __future__ import annotations

from dungeonlab_reference_server.rules import Emission
from dungeonlab_reference_server.wire import Wire
from tests.faulty.fault import faulty


@faulty("rooms/sender-hears-nothing")
class EchoesToTheSender(Wire):
    """Whoever sends something hears it back."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await self.sockets.emit(emission.event, emission.payload, room=self.room(emission.session))

"""Faults in which order things take effect and arrive."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Payload, Refusal
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import Store
from tests.mutants.fault import faulty

LATE = 0.02  # seconds


class Later(Pipeline):
    """Does some things later, each in a task of its own."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.tasks: set[asyncio.Task[None]] = set()

    def later(self, act: Any) -> None:
        """Let an act go its own way."""
        task = asyncio.get_running_loop().create_task(act)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def broadcast_late(self, emission: Emission, sender: str) -> None:
        """Let others go first."""
        await asyncio.sleep(LATE)
        await super().broadcast(emission, sender)


@faulty("order/one-sender-in-order")
class BroadcastsInTasks(Later):
    """Every other broadcast of a session waits for a log to be written, and is overtaken by the next in a burst."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.number: defaultdict[tuple[str, str], int] = defaultdict(int)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        key = emission.session, emission.event
        self.number[key] += 1
        if self.number[key] % 2 == 0:
            self.later(self.broadcast_late(emission, sender))
        else:
            await super().broadcast(emission, sender)


@faulty("order/one-sender-in-order")
class CompressesLargeOnesApart(Later):
    """A broadcast of more than 1500 letters is compressed by somebody else, and overtaken by the next small one."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if len(json.dumps(emission.payload)) > 1500:
            self.later(self.broadcast_late(emission, sender))
        else:
            await super().broadcast(emission, sender)


@faulty("order/one-sender-in-order")
class SendsCreationsApart(Later):
    """Tokens that are created reach the room by a queue of their own, and are overtaken by what is done after that."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if emission.event == "token:create":
            self.later(self.broadcast_late(emission, sender))
        else:
            await super().broadcast(emission, sender)


@faulty(
    "order/answers-in-order",
    also={"order/one-sender-in-order": "moves that are sent after an update are broadcast before it"},
    hides=True,
)
class UpdatesSlowly(Later):
    """Updates are carried out one after the other, but slowly, and overtaken by moves and deletions sent after them."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.queues: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if data[:1] == ["token:update"]:
            self.later(self._update(connection, data, where))
        else:
            await super().on_event(connection, data, where)

    async def _update(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        async with self.queues[connection]:
            await asyncio.sleep(0.002)
            await super().on_event(connection, data, where)


@faulty("order/answers-in-order", "order/one-sender-in-order")
class HandlesInTasks(Later):
    """Every event runs in a task of its own, and every other one awaits something first."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.number: defaultdict[str, int] = defaultdict(int)

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        self.number[connection] += 1
        self.later(self._handle(connection, data, where, LATE if self.number[connection] % 2 else 0.0))

    async def _handle(self, connection: str, data: Sequence[Any], where: AckAddress | None, delay: float) -> None:
        await asyncio.sleep(delay)
        await super().on_event(connection, data, where)


@faulty("order/concurrent-moves-converge")
class TellsSomeLate(Later):
    """Broadcasts of each user go through a queue of the user's own; that of a session's first speaker is slow."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.queues: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.first: dict[str, str] = {}  # connection by session

    async def broadcast(self, emission: Emission, sender: str) -> None:
        slow = self.first.setdefault(emission.session, sender) == sender and emission.event == "token:move"
        self.later(self._broadcast(emission, sender, LATE if slow else 0.0))

    async def _broadcast(self, emission: Emission, sender: str, delay: float) -> None:
        async with self.queues[sender]:
            await asyncio.sleep(delay)
            await super().broadcast(emission, sender)


@faulty("payloads/valid-accepted")
class FailsOfAConflict(Pipeline):
    """A change of a token that another user is changing at the moment fails: nobody tries it again."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.changing: dict[str, str] = {}  # user by token

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if name not in ("token:move", "token:update") or len(args) != 1 or not isinstance(args[0], dict):
            return await super().perform(connection, name, args)
        token, user = str(args[0].get("tokenId")), self.users[connection]
        if self.changing.setdefault(token, user) != user:
            raise Refusal("INTERNAL_ERROR", "the token was changed meanwhile")
        try:
            await asyncio.sleep(0.005)
            return await super().perform(connection, name, args)
        finally:
            self.changing.pop(token, None)

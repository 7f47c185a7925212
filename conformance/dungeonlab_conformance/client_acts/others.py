"""The others in the room of a client under test: members who talk, and make, move and remove tokens."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import acknowledged_token
from dungeonlab_conformance.target.identity import Identity

# What they do differs each time: a client may do with it what it may not do with everything.
_SAID = (
    "Roll for initiative.",
    "A door creaks:\n  »Who has the torch?«",
    "<b>2</b> & 3",
    "The \N{DRAGON} looks at you.",
)
_PLACES = ({"x": 5, "y": 6}, {"x": 0, "y": 3, "elevation": 2.5}, {"x": 40_000, "y": 7, "elevation": -0.1})
_CHANGES: tuple[dict[str, Any], ...] = (
    {"name": "Wounded goblin"},
    {"data": {"hp": None, "notes": ["a", {"b": []}], "speed": 1.5}, "isVisible": False},
    {"size": "large", "imageUrl": "https://example.org/goblin.png"},
)
_CHESTS = 3  # tokens that are there before a client comes, and are deleted one by one


class Others:
    """The game master and bob, who have joined the session of a stage. `token` is one that they move, and keep."""

    def __init__(self, stage: Stage, encounter: str, master: Actor, bob: Actor) -> None:
        self.encounter = encounter
        self.token = ""
        self._stage = stage
        self._master, self._bob = master, bob
        self._chests: list[str] = []
        self._said, self._places, self._changes = map(itertools.cycle, (_SAID, _PLACES, _CHANGES))

    @classmethod
    async def come(cls, stage: Stage) -> Others:
        """Connect them, have them join, and make the token. Raises `Unjudged` or `TargetFault` if that fails."""
        master, bob = await stage.joined("gamemaster", "bob")
        others = cls(stage, await stage.encounter(stage.game), master, bob)
        others.token = await others.create("Guardian")
        others._chests = [await others.create(f"Chest {number}") for number in range(_CHESTS)]
        return others

    async def create(self, name: str) -> str:
        """Make a token; returns its id."""
        answer = await self._ask(self._master, "token:create", token={"name": name, "position": {"x": 3, "y": 4}})
        return str(acknowledged_token(answer)["id"])

    async def act(self) -> None:
        """Do once what members do in a session, each thing after the other."""
        await self._say(self._bob)
        token = await self.create("Goblin")
        await self._ask(self._master, "token:move", tokenId=token, position=next(self._places))
        await self._ask(self._bob, "token:update", tokenId=token, updates=next(self._changes))
        await self._ask(self._bob, "token:move", tokenId=self.token, position=next(self._places))
        for gone in (token, *self._chests[:1]):
            await self._ask(self._master, "token:delete", tokenId=gone)
        del self._chests[:1]
        await self._say(self._master)

    async def _leave(self) -> None:
        await self._bob.leave()
        await self._bob.join(self._stage.session)

    async def _lose_the_connection(self) -> None:
        await self._bob.close()
        await self._bob.connect()
        await self._bob.join(self._stage.session)

    async def _switch(self) -> None:
        elsewhere = await self._stage.other_game()
        await self._stage.games.take_in(elsewhere, self._identity)
        await self._bob.join(elsewhere.session)
        await self._bob.join(self._stage.session)

    async def _be_removed(self) -> None:
        await self._stage.revoke(self._bob)
        await self._stage.take_in(self._identity)
        await self._bob.join(self._stage.session)

    # The ways in which one of them goes and comes back, by the reason that the others hear.
    WAYS_TO_GO: ClassVar[Mapping[str, Callable[[Others], Awaitable[None]]]] = {
        "left": _leave,
        "disconnected": _lose_the_connection,
        "switched": _switch,
        "removed": _be_removed,
    }

    async def come_and_go(self, reason: str) -> None:
        """Have one of them go and come back, in the way of that reason."""
        await self.WAYS_TO_GO[reason](self)

    @property
    def _identity(self) -> Identity:
        assert self._bob.identity is not None
        return self._bob.identity

    async def go_on(self, pause: float) -> None:
        """Do what members do again and again, and come and go, with half of a pause in seconds after each."""
        for reason in itertools.cycle(self.WAYS_TO_GO):
            await self.act()
            await asyncio.sleep(pause / 2)
            await self.come_and_go(reason)
            await asyncio.sleep(pause / 2)

    async def _say(self, who: Actor) -> None:
        payload = {"sessionId": self._stage.session, "message": next(self._said)}
        await who.try_send(Request("chat-message", (payload,), None, self._stage.session))

    async def _ask(self, who: Actor, event: str, **more: Any) -> Any:
        payload = {"sessionId": self._stage.session, "encounterId": self.encounter, **more}
        return await who.try_send(Request(event, (payload,), None, self._stage.session))

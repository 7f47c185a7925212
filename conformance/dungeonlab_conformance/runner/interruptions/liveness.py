"""Whether the server that a run began with still answers, and whether it is still that one. Judges no requirement."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.handshake import reach
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Gone, NotUp, TargetFault, Unjudged, Unreachable
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.target.workarounds import NAMESPACE

_TOGETHER = 1.0  # seconds within which all connections of a server that ends are closed
_ASKED = 3  # logged-in users of whom at least one must be recognised


class Replaced(TargetFault):
    """Another server answers, or the same one was started anew and has forgotten everybody."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the server was gone, on the monotonic clock; `silent` if it closed no connection as it went."""

    ended: float
    silent: bool
    back: float = math.inf


class Liveness:
    """What is known of the server's life. `ended` is when it was gone at the latest, on the monotonic clock, or None.

    A connection that the server closes puts it in doubt, until it is reached again and recognised. `outages` are those
    after which it came back.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.ended: float | None = None
        self.silent = False  # whether it ended without closing connections
        self.outages: list[Outage] = []
        self._closings: list[float] = []  # of connections since the server was last recognised
        self._settled: list[float] = []  # of connections before that, since the time before
        self._guard: Actor | None = None
        self._looking = asyncio.Lock()

    async def post_guard(self, identity: Identity) -> None:
        """Connect somebody who takes part in nothing: if that connection falls with all others, the server died.

        It may be back, and know everybody, before anybody asks. Raises `Unjudged` if the server does not let it in.
        """
        guard = Actor(identity.name, identity, self.target, Journal())
        await guard.connect()
        self._guard = guard

    async def dismiss_guard(self) -> None:
        """Close the guard's connection."""
        guard, self._guard = self._guard, None
        if guard is not None:
            await guard.close()

    def follow(self, stage: Stage) -> None:
        """Take note of connections of this stage that the server closes."""
        stage.journal.subscribe(self._note)

    @property
    def in_doubt(self) -> bool:
        """Whether a connection was closed since the server was last recognised."""
        return bool(self._closings)

    def heard_last(self, stages: Iterable[Stage]) -> float:
        """Return when any of these stages last heard of the server; 0 if none ever did."""
        return max((stage.journal.heard_last() for stage in stages), default=0.0)

    async def look(self, stages: Iterable[Stage], identities: Iterable[Identity]) -> None:
        """Make sure that the server answers, and knows who is logged in; `stages` are those that still stand.

        Raises `TargetFault` with one sentence if it does not; from then on it has `ended`.
        """
        if self.ended is not None:
            raise TargetFault(f"{self.target.url} stopped answering")
        doubted = self.in_doubt
        async with self._looking:
            if doubted and not self.in_doubt:
                return  # another lane has looked meanwhile
            if self.ended is not None:
                raise TargetFault(f"{self.target.url} stopped answering")
            asked, stages = time.monotonic(), list(stages)
            try:
                await self._reach(stages)
                if self.in_doubt and not any(self._still_connected(stage) for stage in stages):
                    await self._be_recognised(identities)
                    self._ask_guard()
            except TargetFault:
                self.end(stages)
                raise
            self._settled = [at for at in self._closings if at <= asked]
            self._closings = [at for at in self._closings if at > asked]

    async def _reach(self, stages: Sequence[Stage]) -> None:
        """Reach the server; once more if the connection broke: that may be the moment at which it went.

        One that takes no more connections is there as long as it keeps one.
        """
        try:
            await reach(self.target)
        except Unreachable:
            await reach(self.target)
        except NotUp as fault:
            if not fault.is_busy or not any(map(self._stands, stages)):
                raise

    def end(self, stages: Iterable[Stage]) -> None:
        """Record that the server is gone: since it first closed a connection, or since it was last heard of.

        A connection that was closed just before belongs to that, even if another one seemed to stand then.
        """
        if self.ended is None:
            self.silent = not self._closings
            first = min(self._closings, default=self.heard_last(stages) or time.monotonic())
            self.ended = min([first, *(at for at in self._settled if at > first - _TOGETHER)])

    def revive(self) -> None:
        """Record that the server is back; nothing that acted on it before is there any more."""
        if self.ended is not None:
            self.outages.append(Outage(self.ended, self.silent, time.monotonic()))
        self.ended, self.silent, self._closings, self._settled = None, False, [], []

    def outage_at(self, at: float) -> Outage | None:
        """Return the time without a server in which a moment lies; None if it was there then."""
        return next((each for each in self.all_outages if each.ended <= at <= each.back), None)

    @property
    def all_outages(self) -> Sequence[Outage]:
        """The times without a server, with the one that lasts."""
        return (*self.outages, *([] if self.ended is None else [Outage(self.ended, self.silent)]))

    def _note(self, seen: Observation) -> None:
        if seen.act == "is closed":
            self._closings.append(seen.at)

    def _still_connected(self, stage: Stage) -> bool:
        """Whether the stage has a connection that stood before the first one was closed: its server is still there."""
        since = {seen.connection: seen.at for seen in stage.journal.observations if seen.act == "connects"}
        return any(
            not actor.closed and since.get(actor.connection, self._closings[0]) < self._closings[0]
            for actor in stage.actors
        )

    def _stands(self, stage: Stage) -> bool:
        """Whether the stage has a connection to a server that is still there."""
        return self._still_connected(stage) if self.in_doubt else any(not actor.closed for actor in stage.actors)

    def _ask_guard(self) -> None:
        """Raise `Replaced` if the guard's connection was closed together with the others."""
        seen = self._guard.journal.observations if self._guard is not None else ()
        if any(each.act == "is closed" and abs(each.at - self._closings[0]) < _TOGETHER for each in seen):
            raise Replaced(f"the server at {self.target.url} was restarted during the run: all connections were closed")

    async def _be_recognised(self, identities: Iterable[Identity]) -> None:
        """Connect as users who are logged in. Raises `TargetFault` if the server lets none of them in any more."""
        why: Exception | None = None
        try:
            async with asyncio.timeout(2 * self.target.limits.answer):
                for identity in islice(identities, _ASKED):
                    why = await self._does_not_know(identity)
                    if why is None:
                        return
        except TimeoutError:
            why = why or Unjudged("it took too long")
        if isinstance(why, Refused):
            raise Replaced(
                f"the server at {self.target.url} was restarted during the run, or another one has taken its "
                f"place: it knows none of the users who were logged in ({why}); keep one server up for the whole run"
            )
        if why is not None:
            raise TargetFault(f"nobody can connect any more: {why}")

    async def is_forgetful(self, identities: Iterable[Identity]) -> bool:
        """Whether a server that came back knows none of those who were logged in."""
        try:
            await self._be_recognised(identities)
        except Replaced:
            return True
        except TargetFault:
            return False
        return False

    async def _does_not_know(self, identity: Identity) -> Exception | None:
        """Return why a user cannot talk to the server any more; None if it goes as before."""
        actor = Actor(identity.name, identity, self.target, Journal())
        try:
            await actor.connect()
            if not await actor.fence():
                return Gone("the connection was closed")
            found = self.target.workarounds
            is_any = found.fences[0] == NAMESPACE and found.came_back  # which each Socket.IO server answers
            if is_any and await actor.first_to_come_back(sorted(found.came_back)) is None:
                return Unjudged("requests are not answered any more")
            return None
        except (Refused, Gone) as refused:
            return refused
        except Unjudged as silent:
            return silent if self.target.limits.has_answered else None  # else that is nothing new
        finally:
            await actor.close()

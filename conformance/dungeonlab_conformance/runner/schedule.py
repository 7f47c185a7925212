"""The schedule of a run: which scene is played next, in how many lanes side by side, and with which accounts.

A scene may be observed after its end; until then its accounts rest. A lane goes on with others meanwhile, where more
can be had; so such scenes come first, and little is left to be waited for at the end.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from dungeonlab_conformance.runner.concurrency import Pace
from dungeonlab_conformance.runner.interruptions.watch import Watch
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target

_ONE_BY_ONE = 3.0  # seconds for scenes that are played alone; then those of one check are played together


class AccountPools:
    """The accounts that scenes are played with: `all`, those that are used no more too, and which of them are free."""

    def __init__(self, provisioner: Provisioner) -> None:
        self.provisioner = provisioner
        self.all: list[AccountPool] = []
        self._usable: list[AccountPool] = []
        self._free: deque[AccountPool] = deque()  # the one that has been free for longest first
        self._dropped: list[AccountPool] = []

    def new(self) -> AccountPool:
        """Return accounts that are nobody's yet."""
        self.all.append(AccountPool(len(self.all), self.provisioner))
        self._usable.append(self.all[-1])
        return self.all[-1]

    def take(self, most: float) -> AccountPool:
        """Return accounts that are free: rested ones, or new ones up to `most`, or those that are rested next."""
        now = time.monotonic()
        pool = next((pool for pool in self._free if pool.busy_until <= now), None)
        if pool is None and (len(self._usable) < most or not self._free):
            return self.new()
        pool = pool or min(self._free, key=lambda pool: pool.busy_until)
        self._free.remove(pool)
        return pool

    def give_back(self, pool: AccountPool) -> None:
        """Let accounts be used by others."""
        self._free.append(pool)

    def take_free(self) -> list[AccountPool]:
        """Return all accounts that are free."""
        free = list(self._free)
        self._free.clear()
        return free

    def drop(self, pool: AccountPool) -> None:
        """Let accounts that were taken be used no more."""
        self._usable.remove(pool)
        self._dropped.append(pool)

    def take_dropped(self) -> list[AccountPool]:
        """Return those that were dropped, each once: what was done with them may still be observed."""
        dropped, self._dropped = self._dropped, []
        return dropped

    @property
    def resting(self) -> int:
        """How many are free, and not rested yet."""
        now = time.monotonic()
        return sum(pool.busy_until > now for pool in self._free)

    def rest(self) -> float:
        """Return for how many seconds some are still to rest."""
        return max((pool.busy_until for pool in self.all), default=0.0) - time.monotonic()

    async def guard(self) -> Identity:
        """Return somebody who plays in no scene."""
        pool = AccountPool(len(self.all), self.provisioner)
        self.all.append(pool)
        return await pool.identity(next(iter(self.provisioner.target.accounts)))

    def renew(self) -> None:
        """Let nobody be used any more: the server was restarted, and may have forgotten everybody."""
        self._usable.clear()
        self._free.clear()

    def forget(self) -> None:
        """Leave all that was made by anybody so far to a server that has forgotten it."""
        for pool in self.all:
            pool.kept.clear()
        self.provisioner.forget()

    def known(self) -> Iterator[Identity]:
        """Yield everybody who has been logged in so far, and is still to act."""
        for pool in self._usable:
            yield from pool.known().values()


class Queue:
    """The scenes of one phase, in the order in which they are played."""

    def __init__(self, waiting: Iterable[Scene], spare: int, pools: AccountPools) -> None:
        """So many accounts as `spare` may rest while there are other scenes; with none, what is observed comes last."""
        waiting = sorted(waiting, key=lambda scene: not scene.check.slow)
        self._observed = deque(scene for scene in waiting if scene.check.observe_after)
        self._others = deque(scene for scene in waiting if not scene.check.observe_after)
        self._spare = spare
        self._pools = pools
        self._observing = 0  # scenes that are being played, after which their accounts rest

    def next(self) -> Scene | None:
        """Return the next scene; None if there is no more."""
        if self._observed and (not self._others or self._observing + self._pools.resting < self._spare):
            self._observing += 1
            return self._observed.popleft()
        return self._others.popleft() if self._others else None

    def is_over(self, scene: Scene) -> None:
        """Note that a scene is over."""
        self._observing -= scene.check.observe_after


class Schedule:
    """Has all scenes of a run played, in three phases: what any server survives, what may end it, what does both."""

    def __init__(
        self,
        target: Target,
        pace: Pace,
        pools: AccountPools,
        watch: Watch,
        play: Callable[[Scene, AccountPool], Awaitable[AccountPool]],
    ) -> None:
        """`play` plays one scene with some accounts, and returns those to go on with."""
        self.target = target
        self._pace = pace
        self._pools = pools
        self._watch = watch
        self._play = play
        self._lanes = pace.first

    async def play(self, chosen: Sequence[Scene], alone: Sequence[Scene] = ()) -> None:
        """Play all scenes, at first those that are to be played alone.

        Raises `TargetFault` if the target ends the run before that.
        """
        for scene in alone:
            await self._by_itself(scene)
        destructive = sorted((s for s in chosen if s.check.destructive), key=lambda s: s.check.destructive)
        main, last = (
            [s for s in chosen if not s.check.destructive and s.check.phase == phase] for phase in ("main", "last")
        )
        await self._side_by_side(main)
        await self._one_by_one(destructive)
        await self._side_by_side(last)

    async def _one_by_one(self, destructive: Sequence[Scene]) -> None:
        """Play scenes of which each may bring the server down.

        Where that takes long, those of one check are played together, so that the requirement is known at least;
        over a far link all that send payloads are, and all that do not. Never, once the server died.
        """
        began = time.monotonic()
        careful = self.target.workarounds.deadly.cautious
        far = self.target.limits.far and not careful
        if far:
            destructive = sorted(destructive, key=_sends_payloads, reverse=True)  # and bare frames last, here too
        for _, some in itertools.groupby(destructive, _sends_payloads if far else lambda scene: scene.check):
            if far or (time.monotonic() - began > _ONE_BY_ONE and not careful):
                await self._side_by_side(some)
                continue
            for scene in some:
                await self._by_itself(scene)

    async def _by_itself(self, scene: Scene) -> None:
        if not self._is_over():
            await self._with_accounts(scene)
        self._watch.check()

    async def _side_by_side(self, waiting: Iterable[Scene]) -> None:
        """Play scenes in as many lanes as the link allows; in more, one by one, while the judge has little to do."""
        queue = Queue(waiting, self._pace.spare, self._pools)
        self._lanes = self._pace.first

        async def lane(number: int) -> None:
            while number < self._pace.most and not self._is_over() and (scene := queue.next()) is not None:
                await self._with_accounts(scene)
                queue.is_over(scene)
                if not self._is_over() and self._pace.allows_another(self._lanes):
                    group.create_task(lane(self._lanes))
                    self._lanes += 1

        async with asyncio.TaskGroup() as group:
            for number in range(self._lanes):
                group.create_task(lane(number))
        self._watch.run.concurrency = max(self._watch.run.concurrency, self._lanes)
        self._watch.check()

    async def _with_accounts(self, scene: Scene) -> None:
        most = self._pace.most if self._pace.spare else self._lanes
        self._pools.give_back(await self._play(scene, self._pools.take(most)))

    def _is_over(self) -> bool:
        """Whether nothing more is to be played: a lane may have been cancelled where that was taken for its scene's."""
        task = asyncio.current_task()
        return self._watch.is_over or (task is not None and task.cancelling() > 0)


def _sends_payloads(scene: Scene) -> bool:
    return scene.check.requirements[0].startswith("payloads/")

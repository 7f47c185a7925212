"""The schedule of a run: which scene is played next, in how many lanes side by side, and with which accounts."""

from __future__ import annotations

import asyncio
import itertools
import time
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
    """The accounts of all lanes: of which lane are which. `all` are those that are used no more, too."""

    def __init__(self, provisioner: Provisioner) -> None:
        self.provisioner = provisioner
        self.all: list[AccountPool] = []
        self._lanes: list[AccountPool] = []

    def new(self) -> AccountPool:
        """Return accounts that are nobody's yet."""
        self.all.append(AccountPool(len(self.all), self.provisioner))
        return self.all[-1]

    def of(self, lane: int) -> AccountPool:
        """Return the accounts of a lane."""
        while len(self._lanes) <= lane:
            self._lanes.append(self.new())
        return self._lanes[lane]

    def replace(self, lane: int, fresh: AccountPool) -> None:
        """Give a lane other accounts."""
        self._lanes[lane] = fresh

    def known(self) -> Iterator[Identity]:
        """Yield everybody who has been logged in so far, and is still to act."""
        for pool in self._lanes:
            yield from pool.known().values()


class Schedule:
    """Has all scenes of a run played, in three phases: what any server survives, what may end it, what does both."""

    def __init__(
        self,
        target: Target,
        pace: Pace,
        pools: AccountPools,
        watch: Watch,
        play: Callable[[Scene, int], Awaitable[None]],
    ) -> None:
        """`play` plays one scene in one lane."""
        self.target = target
        self._pace = pace
        self._pools = pools
        self._watch = watch
        self._play = play

    async def play(self, chosen: Sequence[Scene]) -> None:
        """Play all scenes. Raises `TargetFault` if the target ends the run before that."""
        lanes = self._pace.first
        destructive = sorted((s for s in chosen if s.check.destructive), key=lambda s: s.check.destructive)
        main, last = (
            [s for s in chosen if not s.check.destructive and s.check.phase == phase] for phase in ("main", "last")
        )
        await self._side_by_side(sorted(main, key=_observed_after_last), lanes)
        await self._one_by_one(destructive, lanes)
        await self._side_by_side(sorted(last, key=_observed_after_last), lanes)

    async def _one_by_one(self, destructive: Sequence[Scene], lanes: int) -> None:
        """Play scenes of which each may bring the server down.

        Where that takes long, those of one check are played together, so that the requirement is known at least;
        over a far link all that send payloads are, and all that do not.
        """
        began = time.monotonic()
        far = self.target.limits.far
        if far:
            destructive = sorted(destructive, key=_sends_payloads, reverse=True)  # and bare frames last, here too
        for _, some in itertools.groupby(destructive, _sends_payloads if far else lambda scene: scene.check):
            if far or time.monotonic() - began > _ONE_BY_ONE:
                await self._side_by_side(some, lanes)
                continue
            for scene in some:  # each in the lane that has been idle for longest: what is still observed there may stay
                longest = min(range(lanes), key=lambda number: self._pools.of(number).busy_until)
                await self._side_by_side([scene], 1, first=longest, growing=False)

    async def _side_by_side(
        self, waiting: Iterable[Scene], lanes: int, *, first: int = 0, growing: bool = True
    ) -> None:
        """Play scenes in so many lanes from the first; in more, one by one, while the judge has little to do."""
        queue = iter(waiting)
        lanes = min(lanes, self._pace.most)

        async def lane(number: int) -> None:
            nonlocal lanes
            while number - first < self._pace.most and (scene := next(queue, None)) is not None:
                if self._is_over():
                    return
                await self._play(scene, number)
                if growing and not self._is_over() and self._pace.allows_another(lanes):
                    group.create_task(lane(lanes))
                    lanes += 1

        async with asyncio.TaskGroup() as group:
            for number in range(first, first + lanes):
                group.create_task(lane(number))
        self._watch.run.concurrency = max(self._watch.run.concurrency, lanes)
        self._watch.check()

    def _is_over(self) -> bool:
        """Whether nothing more is to be played: a lane may have been cancelled where that was taken for its scene's."""
        task = asyncio.current_task()
        return self._watch.is_over or (task is not None and task.cancelling() > 0)


def _observed_after_last(scene: Scene) -> tuple[bool, bool]:
    """Sort slow scenes first, and last those observed after, so that others go on meanwhile."""
    return scene.check.observe_after, not scene.check.slow


def _sends_payloads(scene: Scene) -> bool:
    return scene.check.requirements[0].startswith("payloads/")

"""Carries plays out on one target outside of a run: several side by side, each on a stage of its own."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from dungeonlab_conformance.invariants.breaches import Breach
from dungeonlab_conformance.plays.acts import Play
from dungeonlab_conformance.plays.executor import Executor
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import name_marks_after
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.runner.evaluation import Recording, breaks, recording_of
from dungeonlab_conformance.runner.selection import Scene, play_scenes
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.cleanup import clear_away
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.survey import Survey
from dungeonlab_conformance.target.limits import Capacity
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.target.workarounds import Workarounds

LANES = 4  # plays side by side
_FEW = 8  # plays after which accounts are replaced
_CLEARING = 30.0  # seconds for clearing everything away
_CUT = "the time was over"  # why a play ended early that was cut


@dataclass(frozen=True, slots=True)
class Carried:
    """A play that was carried out: on which stage, for how many seconds, and why it ended early, if it did."""

    play: Play
    scene: Scene
    stage: Stage
    seconds: float
    ended_early: str = ""

    @property
    def was_cut(self) -> bool:
        """Whether the play ended because there was no time left for it."""
        return self.ended_early == _CUT


class Playing:
    """Plays on one target, in so many lanes as it allows."""

    def __init__(self, target: Target, lanes: int = LANES) -> None:
        target.room, target.workarounds = Room(), Workarounds()
        name_marks_after(target.run)
        self.target = target
        self.lanes = min(lanes, target.lanes or lanes)
        self.until = math.inf  # monotonic time, in seconds, at which plays are cut, and after which none begins
        self.left: list[str] = []  # what could not be torn down after a play
        self._provisioner = Provisioner(target)
        self._free = asyncio.Semaphore(self.lanes)
        self._pools: list[AccountPool] = []  # all of them
        self._rested: list[tuple[AccountPool, int]] = []  # those that nobody plays with, and in how many plays each was
        self._kept: list[Journal] = []  # of sessions that last, in which there may be something left
        self._numbers = 0

    async def survey(self) -> None:
        """Find out what plays have to do otherwise on this server. Raises `TargetFault`."""
        stage = Stage(self._pool(), self.target)
        await Survey(stage).carry_out()
        await self._tear_down(stage)

    async def together(self, plays: Iterable[Play]) -> list[Carried]:
        """Carry plays out, and return those that began in time, in their order."""
        self.target.capacity = Capacity()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.one(play)) for play in plays]
        return [carried for task in tasks if (carried := task.result())]

    async def one(self, play: Play) -> Carried | None:
        """Carry out a play as soon as a lane is free, if that is in time.

        Raises what is neither `Unjudged` nor `TargetFault`.
        """
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._free)
            if time.monotonic() >= self.until:
                return None
            pool, plays = self._rested.pop() if self._rested else (self._pool(), 0)
            [scene], stage = play_scenes([play]), Stage(pool, self.target)
            stack.push_async_callback(self._tear_down, stage)
            began = time.monotonic()
            early = await self._carry_out(play, stage, self.target.limits.scene * scene.check.timeout_factor)
            if plays + 1 < _FEW:
                self._rested.append((pool, plays + 1))
        return Carried(play, scene, stage, time.monotonic() - began, early)

    async def _carry_out(self, play: Play, stage: Stage, limit: float) -> str:
        """Carry out a play; returns why it ended early, if it did."""
        left = self.until - time.monotonic()
        try:
            async with asyncio.timeout(min(limit, left)):
                await Executor(stage).carry_out(play)
        except (Unjudged, TargetFault) as why:
            return f"{type(why).__name__}: {why}"[:200]
        except TimeoutError:
            return _CUT if left < limit else "it took too long"
        return ""

    def _pool(self) -> AccountPool:
        fixed = any(account is not None for account in self.target.accounts.values())
        self._numbers += 0 if fixed and self._numbers else 1
        self._pools.append(AccountPool(self._numbers, self._provisioner))
        return self._pools[-1]

    async def _tear_down(self, stage: Stage) -> None:
        if any(game.ready_made for game in stage.pool.kept.values()):
            self._kept.append(stage.journal)
        try:
            async with asyncio.timeout(5 * self.target.limits.answer):
                await stage.tear_down()
        except (TimeoutError, Unjudged, TargetFault) as why:
            self.left.append(str(why) or "it took too long")

    async def clear_away(self) -> list[str]:
        """Delete everything that was created; returns what could not be deleted, in one sentence each."""
        try:
            async with asyncio.timeout(_CLEARING):
                return await clear_away(self._provisioner, self._pools, self._kept)
        except TimeoutError:
            return [f"all that has {self.target.run} in its name: it took longer than {_CLEARING:.0f} s"]


@dataclass(frozen=True, slots=True)
class Judged:
    """Plays that were carried out, and judged together: their recording, and all that the rules find in it."""

    carried: Sequence[Carried]
    recording: Recording
    breaches: Sequence[Breach]

    @property
    def plays(self) -> dict[Journal, Carried]:
        """The plays by their journals."""
        return {each.stage.journal: each for each in self.carried}


def judged(carried: Sequence[Carried]) -> Judged:
    """Hold plays against the rules, of the model and of the invariants; there is one at least."""
    recording = recording_of([(each.scene, each.stage) for each in carried], ())
    return Judged(carried, recording, [*breaks(recording)])

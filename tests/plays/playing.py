"""Plays on one server, several side by side, and what was found: by the model, and by the invariants."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dungeonlab_conformance.plays.acts import Play
from dungeonlab_conformance.plays.executor import Executor
from dungeonlab_conformance.record.marks import name_marks_after
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.runner.evaluation import breaks, recording_of
from dungeonlab_conformance.runner.selection import Scene, play_scenes
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.survey import Survey
from dungeonlab_conformance.target.limits import Capacity
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.target.workarounds import Workarounds

_LANES = 4  # plays side by side
_TOGETHER = 40  # plays whose recordings are judged at a time, and forgotten
_FEW = 8  # plays after which the accounts of a lane are replaced


@dataclass(slots=True)
class Outcomes:
    """What came of some plays: how many there were, what was found in which, and how many ended early, and why."""

    plays: int = 0
    acts: int = 0
    seconds: float = 0.0
    longest: float = 0.0  # seconds that a play took
    findings: list[str] = field(default_factory=list)
    ended_early: Counter[str] = field(default_factory=Counter)

    @property
    def summary(self) -> str:
        """The figures, in one line."""
        early = "".join(f"; {count} ended early: {why}" for why, count in self.ended_early.items())
        took = f"{self.seconds:.0f} s, the longest play {self.longest:.1f} s"
        return f"{self.plays} plays of {self.acts} acts, {len(self.findings)} findings, {took}{early}"


def play_on(target: Target, plays: Iterable[Play], lanes: int = _LANES) -> Outcomes:
    """Carry plays out on a server and judge them. Raises what is neither `Unjudged` nor `TargetFault`."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return asyncio.run(_Playing(target, lanes).carry_out(plays))


class _Playing:
    def __init__(self, target: Target, lanes: int) -> None:
        target.room, target.workarounds = Room(), Workarounds()
        name_marks_after(target.run)
        self.target = target
        self.provisioner = Provisioner(target)
        self.lanes = min(lanes, target.lanes or lanes)
        self.came = Outcomes()
        self._pools = 0

    async def carry_out(self, plays: Iterable[Play]) -> Outcomes:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        began = time.monotonic()
        try:
            await self._survey()
            known = list(plays)
            waiting = list(zip(known, play_scenes(known), strict=True))
            while waiting:
                some, waiting = waiting[:_TOGETHER], waiting[_TOGETHER:]
                self.target.capacity = Capacity()
                self._judge(await self._all(some))
        finally:
            await self.provisioner.close()
        self.came.seconds = time.monotonic() - began
        return self.came

    def _pool(self) -> AccountPool:
        fixed = any(account is not None for account in self.target.accounts.values())
        self._pools += 0 if fixed and self._pools else 1
        return AccountPool(self._pools, self.provisioner)

    async def _survey(self) -> None:
        stage = Stage(self._pool(), self.target)
        await Survey(stage).carry_out()
        await self._tear_down(stage)

    async def _all(self, some: Sequence[tuple[Play, Scene]]) -> list[tuple[Scene, Stage]]:
        queue, done = iter(some), list[tuple[Scene, Stage]]()
        async with asyncio.TaskGroup() as group:
            for _ in range(self.lanes):
                group.create_task(self._lane(queue, done))
        return done

    async def _lane(self, queue: Iterator[tuple[Play, Scene]], done: list[tuple[Scene, Stage]]) -> None:
        pool = self._pool()
        for number, (play, scene) in enumerate(queue, 1):
            stage = Stage(pool, self.target)
            done.append((scene, stage))
            began = time.monotonic()
            await self._one(play, stage, self.target.limits.scene * scene.check.timeout_factor)
            self.came.longest = max(self.came.longest, time.monotonic() - began)
            await self._tear_down(stage)
            if number % _FEW == 0:
                pool = self._pool()

    async def _one(self, play: Play, stage: Stage, limit: float) -> None:
        executor = Executor(stage)
        try:
            async with asyncio.timeout(limit):
                await executor.carry_out(play)
        except (Unjudged, TargetFault) as why:
            self.came.ended_early[f"{type(why).__name__}: {why}"[:200]] += 1
        except TimeoutError:
            self.came.ended_early["it took too long"] += 1
        self.came.plays += 1
        self.came.acts += stage.acts

    async def _tear_down(self, stage: Stage) -> None:
        try:
            async with asyncio.timeout(5 * self.target.limits.answer):
                await stage.tear_down()
        except (TimeoutError, Unjudged, TargetFault):
            return

    def _judge(self, done: Sequence[tuple[Scene, Stage]]) -> None:
        names = {stage.journal: scene.check.name for scene, stage in done}
        for found in breaks(recording_of(done, ())):
            said = f"expected {found.broken.expected}; got {found.broken.got}"
            line = f"{names[found.journal]}: {found.requirement} [{found.event}] {said}"
            self.came.findings.append(line[:600])

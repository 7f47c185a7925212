"""Plays on one server, several side by side, and what was found: by the model, and by the invariants."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dungeonlab_conformance.plays.acts import Play
from dungeonlab_conformance.runner.search.playing import LANES, Carried, Playing, judged
from dungeonlab_conformance.target.target import Target

_TOGETHER = 40  # plays whose recordings are judged at a time, and forgotten


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


def play_on(target: Target, plays: Iterable[Play], lanes: int = LANES) -> Outcomes:
    """Carry plays out on a server and judge them. Raises what is neither `Unjudged` nor `TargetFault`."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return asyncio.run(_carry_out(target, list(plays), lanes))


async def _carry_out(target: Target, plays: list[Play], lanes: int) -> Outcomes:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    began, playing, came = time.monotonic(), Playing(target, lanes), Outcomes()
    try:
        await playing.survey()
        while plays:
            some, plays = plays[:_TOGETHER], plays[_TOGETHER:]
            _enter(came, await playing.together(some))
    finally:
        await playing.clear_away()
    came.seconds = time.monotonic() - began
    return came


def _enter(came: Outcomes, carried: list[Carried]) -> None:
    came.plays += len(carried)
    came.acts += sum(len(each.stage.acts) for each in carried)
    came.longest = max(came.longest, *(each.seconds for each in carried))
    came.ended_early.update(each.ended_early for each in carried if each.ended_early)
    all_that_came = judged(carried)
    names = {journal: each.play.name for journal, each in all_that_came.plays.items()}
    for found in all_that_came.breaches:
        said = f"expected {found.broken.expected}; got {found.broken.got}"
        came.findings.append(f"{names[found.journal]}: {found.requirement} [{found.event}] {said}"[:600])

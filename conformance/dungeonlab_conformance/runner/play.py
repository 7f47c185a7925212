"""Plays one run from beginning to end in this process: starts what must be started, heeds signals."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Protocol

from dungeonlab_conformance.results.claim import conclude
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.results.known_failures import KnownFailure
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Verdict
from dungeonlab_conformance.runner.embedded import reference_server
from dungeonlab_conformance.runner.interruptions.signals import Signals
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.target.target import EMBEDDED, Target
from dungeonlab_conformance.text.system import allow_resources


def play(
    target: Target,
    chosen: Sequence[Scene],
    run: Run | None = None,
    *,
    on_scene: Callable[[list[Verdict]], None] = lambda *_: None,
    signals: Signals | None = None,
    known: Sequence[KnownFailure] = (),
    recorded: bool = False,
) -> Run:
    """Judge a target; the embedded reference server is started for the purpose, and stopped again.

    Returns what the run came to, compared with the failures that are `known` and with the claim that follows from it;
    also when the server cannot be tested, when Ctrl-C or another signal cuts it short, or when the suite itself fails.
    `run` is what to fill in, with its options: `target.new_run(RunOptions(...))`. `signals` are given by a caller that
    heeds them for longer than the playing takes. A run that is `recorded` holds all that `recheck` needs.
    """
    gc.collect()  # an earlier run, which remembers itself in circles
    return to_its_end(Runner(target, chosen, run, on_scene, recorded=recorded), signals, known)


class Playable(Protocol):
    """What plays on a target, and fills in a run."""

    target: Target
    run: Run

    async def play(self) -> Run:
        """Play, and clear everything away; what goes wrong is in the run."""

    def settle(self) -> None:
        """Have the run hold all that was found, also if `play` never began."""


def to_its_end(runner: Playable, signals: Signals | None = None, known: Sequence[KnownFailure] = ()) -> Run:
    """Have something played as `play` says."""
    allow_resources()
    _spare_the_collector()
    loops = asyncio.Runner(loop_factory=fast_loop(runner.target.url))
    with nullcontext(signals) if signals else Signals() as heeded, loops:
        return conclude(loops.run(_until_interrupted(runner, heeded)), known)


def fast_loop(url: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes a loop of uvloop, where that is installed; None for one of asyncio.

    A server at a `url` that is reached by TLS is judged with asyncio's, whose TLS is the interpreter's own.
    """
    if url.startswith("https:"):
        return None
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


@cache
def _spare_the_collector() -> None:
    """Have what was imported be looked through no more: once, or what each run remembers would stay for ever."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _until_interrupted(runner: Playable, signals: Signals) -> Run:
    """Play, and on a signal stop and still return what was found; a second one leaves off clearing away."""
    try:
        await signals.until_stopped(_whole(runner))
    except asyncio.CancelledError:
        runner.run.interrupted = True
    runner.settle()
    return runner.run


async def _whole(runner: Playable) -> None:
    if runner.target.url != EMBEDDED:
        await runner.play()
        return
    try:
        async with reference_server() as url:
            runner.target.url = url
            await runner.play()
    except TargetFault as fault:
        runner.run.fault = str(fault)

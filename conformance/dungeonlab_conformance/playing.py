"""Plays one run from beginning to end in this process: starts what must be started, heeds signals."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from dungeonlab_conformance.embedded import reference_server
from dungeonlab_conformance.run import Run
from dungeonlab_conformance.runner import Runner
from dungeonlab_conformance.selection import Scene
from dungeonlab_conformance.target import EMBEDDED, Target
from dungeonlab_conformance.verdict import TargetFault, Verdict

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # that end a run early


class Signals:
    """What ends a run early. While the block lasts a signal does nothing but stop what is played.

    `came` says whether there was one, be it that nothing was played yet.
    """

    def __init__(self) -> None:
        self.came = False
        self._stop: Callable[[], object] | None = None

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._heed) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def stopping(self, stop: Callable[[], object]) -> Iterator[None]:
        """Have each further signal do this while the block runs."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def _heed(self, *_: object) -> None:
        self.came = True
        if self._stop:
            self._stop()


def play(
    target: Target,
    chosen: Sequence[Scene],
    concurrency: int | None = None,
    fail_fast: bool = False,
    on_scene: Callable[[Scene, list[Verdict]], None] = lambda *_: None,
    run: Run | None = None,
    signals: Signals | None = None,
) -> Run:
    """Judge a target; the embedded reference server is started for the purpose, and stopped again.

    Returns what the run came to, also when the server cannot be tested, when Ctrl-C or another signal cuts it short, or
    when the suite itself fails. `signals` are given by whoever heeds them for longer than the playing takes.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))
    gc.freeze()  # what was imported stays; a run remembers much, and looking through it again and again is slow
    gc.set_threshold(50_000, 20, 50)
    runner = Runner(target, chosen, concurrency=concurrency, fail_fast=fail_fast, on_scene=on_scene, run=run)
    with nullcontext(signals) if signals else Signals() as heeded:
        return asyncio.run(_until_interrupted(runner, heeded))


async def _until_interrupted(runner: Runner, signals: Signals) -> Run:
    """Play, and on a signal stop and still return what was found; a second one leaves off clearing away."""
    task = asyncio.ensure_future(_whole(runner))
    loop = asyncio.get_running_loop()
    with signals.stopping(lambda: loop.call_soon_threadsafe(task.cancel)):
        if signals.came:
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            runner.run.interrupted = True
    runner.settle()
    return runner.run


async def _whole(runner: Runner) -> None:
    if runner.target.url != EMBEDDED:
        await runner.play()
        return
    try:
        async with reference_server() as url:
            runner.target.url = url
            await runner.play()
    except TargetFault as fault:
        runner.run.fault = str(fault)

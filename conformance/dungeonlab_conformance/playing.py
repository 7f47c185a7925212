"""Plays one run from beginning to end in this process: starts what must be started, heeds signals."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dungeonlab_conformance.embedded import reference_server
from dungeonlab_conformance.run import Run
from dungeonlab_conformance.runner import Runner
from dungeonlab_conformance.selection import Scene
from dungeonlab_conformance.target import EMBEDDED, Target
from dungeonlab_conformance.verdict import TargetFault, Verdict

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # that end a run early


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no further signal keep a run that is over from being told while the block runs."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def play(
    target: Target,
    chosen: Sequence[Scene],
    concurrency: int | None = None,
    fail_fast: bool = False,
    on_scene: Callable[[Scene, list[Verdict]], None] = lambda *_: None,
    run: Run | None = None,
) -> Run:
    """Judge a target; the embedded reference server is started for the purpose, and stopped again.

    Returns what the run came to, also when the server cannot be tested, when Ctrl-C or another signal cuts it short, or
    when the suite itself fails.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))
    gc.freeze()  # what was imported stays; a run remembers much, and looking through it again and again is slow
    gc.set_threshold(50_000, 20, 50)
    runner = Runner(target, chosen, concurrency=concurrency, fail_fast=fail_fast, on_scene=on_scene, run=run)
    return asyncio.run(_until_interrupted(runner))


async def _until_interrupted(runner: Runner) -> Run:
    """Play, and on a signal stop and still return what was found; a second one leaves off clearing away."""
    task = asyncio.ensure_future(_whole(runner))
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, task.cancel)
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
            runner.target.url = runner.run.target = url
            await runner.play()
    except TargetFault as fault:
        runner.run.target, runner.run.fault = "the embedded reference server", str(fault)

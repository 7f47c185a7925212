"""Plays one run from beginning to end in this process: starts what must be started, heeds signals."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections.abc import Callable, Sequence

from dungeonlab_conformance.embedded import reference_server
from dungeonlab_conformance.runner import Run, Runner, Scene
from dungeonlab_conformance.target import EMBEDDED, Target
from dungeonlab_conformance.verdict import TargetFault, Verdict


def play(
    target: Target,
    chosen: Sequence[Scene],
    concurrency: int | None = None,
    fail_fast: bool = False,
    on_scene: Callable[[Scene, list[Verdict]], None] = lambda *_: None,
) -> Run:
    """Judge a target; the embedded reference server is started for the purpose, and stopped again.

    Returns what the run came to, also when the server cannot be tested or Ctrl-C or SIGTERM cuts it short.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))
    gc.freeze()  # what was imported stays; a run remembers much, and looking through it again and again is slow
    gc.set_threshold(50_000, 20, 50)

    async def whole() -> Run:
        runner = Runner(target, chosen, concurrency=concurrency, fail_fast=fail_fast, on_scene=on_scene)
        if target.url != EMBEDDED:
            return await _until_interrupted(runner)
        try:
            async with reference_server() as url:
                target.url = runner.run.target = url
                return await _until_interrupted(runner)
        except TargetFault as fault:
            return Run("the embedded reference server", fault=str(fault))

    return asyncio.run(whole())


async def _until_interrupted(runner: Runner) -> Run:
    """Play, and on Ctrl-C or SIGTERM stop and still return what was found."""
    task = asyncio.ensure_future(runner.play())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    result: Run = await task
    return result

"""What runs beside a trial: other users, or a process that loads or pauses processors."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue
from tests.serving import end_with_parent

_GAMES = 3  # games going on
_RUNNING, _PAUSED = 1.5, 0.6  # seconds
_BETWEEN = 0.005  # seconds between two requests of one game


@contextmanager
def beside(work: Callable[[str], None], url: str) -> Iterator[None]:
    """Have a process of its own do something while the block runs."""
    process = multiprocessing.get_context("fork").Process(target=_work, args=(work, url), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _work(work: Callable[[str], None], url: str) -> None:
    end_with_parent()
    work(url)


def play_other_games(url: str) -> None:
    """Play several games on a server, without end; a server that goes away ends them."""
    asyncio.run(_games(url))


async def _games(url: str) -> None:
    target = Target(url)
    provisioner = Provisioner(target)
    await asyncio.gather(*(_game(AccountPool(1000 + number, provisioner), target) for number in range(_GAMES)))


async def _game(pool: AccountPool, target: Target) -> None:
    events = [event for event in Catalogue.load() if event.is_broadcast]
    try:
        while True:
            stage = Stage(pool, target)
            await stage.set_up()
            players = await stage.joined("gamemaster", "alice", "bob")
            for _ in range(20):
                for event in events:
                    for player in players:
                        await player.try_send(await stage.request(event))
                        await asyncio.sleep(_BETWEEN)
            await stage.tear_down()
    except (Unjudged, TargetFault, OSError):
        return


def pause_suite(_: str) -> None:
    """Pause the suite's process again and again, for longer than an answer may take."""
    while True:
        time.sleep(_RUNNING)
        os.kill(os.getppid(), signal.SIGSTOP)
        time.sleep(_PAUSED)
        os.kill(os.getppid(), signal.SIGCONT)


def load_other_cores(_: str) -> None:
    """Keep every processor busy that server and suite are not pinned to; all of them if they are pinned to none.

    Other tests, which may need these processors meanwhile, go first.
    """
    os.nice(19)
    free = set(range(os.cpu_count() or 1)) - os.sched_getaffinity(0)
    if free:
        os.sched_setaffinity(0, free)
    while True:
        pass

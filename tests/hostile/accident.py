"""Runs in which the server is killed, hangs, or is replaced at a random moment, repeatably by a seed."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import socketio
from aiohttp import web

from tests.hostile.front import ACCIDENTS, front
from tests.hostile.suite_run import SuiteRun, judge
from tests.serving import end_with_parent, reference_server

RUN = 4.5  # seconds that an undisturbed run takes on an idle machine
_BEGINS = 60  # seconds for a run to send its first request


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens to the server, one of `ACCIDENTS`, so many seconds after the first request; 0 for before it."""

    name: str
    moment: float

    @classmethod
    def of(cls, seed: int, name: str | None = None) -> Accident:
        """Return the accident that belongs to a seed; of this name, if one is wanted."""
        dice = random.Random(seed)
        return cls(name or list(ACCIDENTS)[seed % len(ACCIDENTS)], dice.uniform(0.05, RUN))

    def __str__(self) -> str:
        return f"{self.name} after {self.moment:.2f} s"


def judge_through(accident: Accident, *words: object) -> SuiteRun:
    """Judge a reference server to which the accident happens."""
    with (
        reference_server() as (_, url),
        greeter() if accident.name == "greeter" else reference_server() as other,
        front(url, other if isinstance(other, str) else other[1]) as (address, control),
    ):
        if not accident.moment:
            _let(accident.name, control)
        return judge(address, *words, meanwhile=lambda _: _wait_and_let(accident, control))


def _wait_and_let(accident: Accident, control: Connection) -> None:
    if accident.moment and control.poll(_BEGINS) and control.recv() == "begun":
        time.sleep(accident.moment)  # the moment is what is drawn, there is no condition to wait for
        _let(accident.name, control)


def _let(name: str, control: Connection) -> None:
    control.send(name)
    while control.recv() != "happened":
        pass


@contextmanager
def greeter() -> Iterator[str]:
    """Serve Socket.IO that lets anybody in and answers nothing, while the block runs; yields the URL."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_greet, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


def _greet(pipe: Connection) -> None:
    end_with_parent()

    async def forever() -> None:
        app = web.Application()
        socketio.AsyncServer(async_mode="aiohttp").attach(app)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(forever())

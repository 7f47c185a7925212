"""Playing a run to its end, whatever signal comes in between."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import pytest
import uvloop
from tests.mutants.judge import served

from dungeonlab_conformance.results.known_failures import KnownFailure
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.runner import play
from dungeonlab_conformance.runner.interruptions import signals
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue


class Clearing:
    """A runner that never ends by itself, and then clears away for ever."""

    def __init__(self) -> None:
        self.target = Target("http://127.0.0.1:9")
        self.run = Run(self.target.url)
        self.playing, self.clearing = asyncio.Event(), asyncio.Event()
        self.settled = False

    async def play(self) -> None:
        """Wait until interrupted, and wait again."""
        try:
            self.playing.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.clearing.set()
            await asyncio.Event().wait()

    def settle(self) -> None:
        """Take note."""
        self.settled = True


async def test_a_second_signal_leaves_off_clearing_away() -> None:
    """The first one stops the run and clears away; nobody has to wait for that."""
    runner: Any = Clearing()
    with signals.Signals() as heeded:
        ending = asyncio.ensure_future(play._until_interrupted(runner, heeded))
        await runner.playing.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await runner.clearing.wait()
        assert not ending.done()
        os.kill(os.getpid(), signal.SIGTERM)
        run = await asyncio.wait_for(ending, 20)
    assert run.interrupted
    assert runner.settled
    assert heeded._ending is not None
    assert heeded._ending.finished.is_set()  # or the process would end some seconds later, whatever it does by then


async def test_a_signal_that_comes_before_anything_is_played_is_heeded() -> None:
    """Nothing is played then, and a result is there all the same."""
    runner: Any = Clearing()
    with signals.Signals() as heeded:
        os.kill(os.getpid(), signal.SIGINT)
        run = await asyncio.wait_for(play._until_interrupted(runner, heeded), 20)
    assert run.interrupted
    assert runner.settled
    assert not runner.playing.is_set()


@pytest.mark.usefixtures("heeded_signals")
def test_the_first_signal_disturbs_nothing_that_must_be_reported() -> None:
    """It ends nothing that is not played; afterwards signals are what they were."""
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    for number in signals.SIGNALS:
        with signals.Signals() as heeded:
            os.kill(os.getpid(), number)
            assert heeded.came
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


def test_the_loop_is_a_fast_one_where_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for a server that is reached by TLS: that is the interpreter's own."""
    plain, secure = Target("http://127.0.0.1:9"), Target("https://127.0.0.1:9")
    assert play.fast_loop(plain.url) is uvloop.new_event_loop
    assert play.fast_loop(secure.url) is None
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert play.fast_loop(plain.url) is None


async def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    """A program may play in a thread of its own, where no signal can be caught."""
    before = signal.getsignal(signal.SIGINT)

    def enter() -> object:
        with signals.Signals():
            return signal.getsignal(signal.SIGINT)

    assert await asyncio.to_thread(enter) == before


def test_a_run_is_concluded_for_every_caller() -> None:
    """Compared with the known failures both ways, without any command line: one is accepted, one holds after all."""
    chosen = scenes(Selection(only=("rooms/sender-*", "connect/websocket"), events=()), Catalogue.load())
    known = [
        KnownFailure("rooms/sender-hears-nothing", "ticket 41"),
        KnownFailure("connect/websocket", "ticket 42", where="list:7"),
    ]
    with served("EchoesToTheSender") as url:
        run = play.play(Target(url, limits=Limits(2.0)), chosen, known=known)
    assert {v.known for v in run.verdicts if v.requirement == "rooms/sender-hears-nothing"} == {"ticket 41"}
    [stale] = run.stale
    assert stale.startswith("list:7: connect/websocket is listed as failing")
    assert (run.claim, run.exit_code) == ("", 1)

"""The program under test is started, watched and ended, whatever it does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.command import wait_until
from tests.reference_server.people import eventually
from tests.test_interrupted import wait_for

from dungeonlab_conformance.client_acts.processes.program import Output, Program, running
from dungeonlab_conformance.results.errors import TargetFault


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def is_there(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_program_gets_its_environment_and_ends_well() -> None:
    """What it needs to know is in its environment beside our own; 0 is no crash."""
    async with running(shell('echo $DUNGEONLAB_URL; test -n "$PATH"'), {"DUNGEONLAB_URL": "http://here"}) as program:
        await asyncio.wait_for(asyncio.shield(program.ended), 20)
    assert program.output.text == "http://here\n"
    assert (program.exit_code, program.crashed) == (0, False)


@pytest.mark.parametrize("script", ["echo broken >&2; exit 3", "kill -SEGV $$"])
async def test_a_crash_is_a_code_or_a_signal(script: str) -> None:
    """A program that ends by itself otherwise than well has crashed."""
    async with running(shell(script), {}) as program:
        await asyncio.wait_for(asyncio.shield(program.ended), 20)
    assert program.crashed


async def test_who_is_asked_to_end_has_not_crashed() -> None:
    """The code of a program that we end says nothing of it."""
    async with running(shell("echo up; exec sleep 60"), {}) as program:
        await eventually(lambda: "up" in program.output.text)
    assert (program.exit_code, program.crashed) == (None, False)


async def test_who_ignores_the_polite_way_is_ended_firmly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ignores SIGTERM is gone after the block, and so is what it started."""
    monkeypatch.setattr("dungeonlab_conformance.client_acts.processes.program._POLITE", 0.1)
    script = "trap '' TERM; sleep 60 & echo $! $$ up; wait; sleep 60"
    async with running(shell(script), {}) as program:
        await eventually(lambda: "up" in program.output.text)
    assert not program.crashed
    child, itself, _ = program.output.text.split()
    assert not is_there(int(child))
    assert not is_there(int(itself))


@pytest.mark.parametrize(
    "script",
    [
        "kill -STOP $PPID; echo $PPID $$ up; trap '' TERM; sleep 60",
        "sleep 0.3; echo $PPID $$ up; kill -STOP $PPID; sleep 60",
        "echo $PPID $$ up; while :; do kill -STOP $PPID; sleep 0.05; done",
    ],
    ids=["at once", "later", "again and again"],
)
async def test_who_stops_what_keeps_it_is_ended_with_that(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may send SIGSTOP to its parent, before that has said that it is started, too; neither is left."""
    monkeypatch.setattr("dungeonlab_conformance.client_acts.processes.program._POLITE", 0.1)
    async with asyncio.timeout(40), running(shell(script), {}) as program:
        await eventually(lambda: "up" in program.output.text)
        await asyncio.sleep(0.1)  # in which the program stops what keeps it; that says nothing of it
    assert (program.exit_code, program.crashed) == (None, False)
    keeper, own = map(int, program.output.text.split()[:2])
    wait_until(lambda: not is_there(keeper) and not is_there(own))


async def test_what_a_program_leaves_behind_is_ended_too() -> None:
    """A child that outlives its parent holds the output open, and ends with the block."""
    began = time.monotonic()
    async with running(shell("sleep 60 & echo $!"), {}) as program:
        await asyncio.wait_for(asyncio.shield(program.ended), 20)
    assert not is_there(int(program.output.text))
    assert time.monotonic() - began < 20


async def test_the_block_may_be_left_by_an_exception() -> None:
    """A cancelled block ends its program as well."""

    async def hold() -> None:
        async with running(shell("echo $$; exec sleep 60"), {}) as program:
            said.append(program)
            await asyncio.Event().wait()

    said: list[Program] = []
    task = asyncio.create_task(hold())
    await eventually(lambda: said and said[0].output.text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_there(int(said[0].output.text))


async def test_who_leaves_while_a_program_starts_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is there, and nobody holds it yet: Ctrl-C in that moment ends it, with what it has started."""
    start, created, mark = asyncio.create_subprocess_exec, asyncio.Event(), f"starting-{os.getpid()}"

    async def slow(*command: str, **more: Any) -> asyncio.subprocess.Process:
        process = await start(*command, **more)
        created.set()
        await asyncio.sleep(0.1)
        return process

    async def run() -> None:
        async with running(shell("sleep 300 & sleep 300"), {"DUNGEONLAB_TEST_MARK": mark}):
            pass

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow)
    task = asyncio.create_task(run())
    await created.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wait_for(mark, 0) == {}


@pytest.mark.parametrize("script", ["trap '' TERM HUP; sleep 300 & echo $! $$; sleep 300", "sleep 300 & echo $! $$"])
def test_a_program_ends_with_who_started_it_even_by_sigkill(script: str) -> None:
    """Though it heeds nothing and does not read its input, or has ended and left somebody behind."""
    code = (
        "import asyncio, sys\n"
        "from dungeonlab_conformance.client_acts.processes.program import running\n"
        "async def main():\n"
        "    async with running(['/bin/sh', '-c', sys.argv[1]], {}) as program:\n"
        "        while not program.output.text.strip(): await asyncio.sleep(0.01)\n"
        "        print(program.output.text, flush=True)\n"
        "        await asyncio.sleep(300)\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", code, script], stdout=subprocess.PIPE, text=True) as suite:
        assert suite.stdout
        processes = [int(word) for word in suite.stdout.readline().split()]
        assert is_there(processes[0])
        suite.kill()
    wait_until(lambda: not any(map(is_there, processes)))


async def test_a_flood_of_output_is_kept_within_bounds() -> None:
    """Of what a program prints the beginning and the end are kept, and how much is not."""
    script = "import sys\nprint('first')\nfor _ in range(200): sys.stdout.write('x' * 65536)\nprint('last')"
    async with running([sys.executable, "-c", script], {}) as program:
        await asyncio.wait_for(asyncio.shield(program.ended), 60)
    assert program.output.text.startswith("first\n")
    assert program.output.text.endswith("last\n")
    assert f"{200 * 65536 + 11 - 16_000} bytes left out" in program.output.text
    assert len(program.output.text) < 20_000


def test_little_output_is_kept_whole() -> None:
    """Nothing is said to be left out if nothing is."""
    output = Output()
    for part in (b"a" * 3_999, b"b" * 2, b"c" * 11_000):
        output.add(part)
    assert output.text == "a" * 3_999 + "b" * 2 + "c" * 11_000


@pytest.mark.parametrize("name", ["/no/such/program", "a\0b", str(Path(os.devnull))])
async def test_what_cannot_be_started_is_said(name: str) -> None:
    """A program that is not there, or none, is the caller's fault, in one sentence."""
    with pytest.raises(TargetFault, match="cannot be started"):
        async with running([name], {}):
            raise AssertionError

"""Has clients play acts, many side by side in front of one server, and says what each was found to break.

From the shell, by the command that users have: ``python -m tests.client_programs.judge [--times N] [--all] [NAME ...]``
for faults, ``--clean N`` for the clients without one, each in every act. The exit code is 1 if something is not judged
as stated.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dungeonlab_conformance.client_acts.acts import Act, chosen_acts
from dungeonlab_conformance.client_acts.directed_server import DirectedServer, directed_server
from dungeonlab_conformance.client_acts.performance import Over, Performance, world
from dungeonlab_conformance.client_acts.player import Played, in_a_row
from dungeonlab_conformance.client_rules.judgement import judgements
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.target import Target
from tests.client_programs.faults import FAULTS, TRANSPORTS
from tests.client_programs.programs import command, environment
from tests.command_line import refuse_unknown
from tests.turns import turn

_PINGS = ("--ping-interval", "4", "--ping-timeout", "6")  # as in the command
_AT_ONCE = 3 * (os.cpu_count() or 1)  # clients wait most of the time
_PATIENCE = 300.0  # seconds for one client in every act


@dataclass(frozen=True, slots=True)
class Trial:
    """One client in some acts, one after the other."""

    stack: str
    acts: tuple[str, ...]
    transport: str = "upgrade"
    fault: str | None = None
    habit: str | None = None

    @property
    def command(self) -> list[str]:
        """What starts the client, with all that it needs to know besides."""
        needed = [f"{name}={value}" for name, value in environment(self.transport).items()]
        return ["env", *needed, *command(self.stack, fault=self.fault, habit=self.habit)]


@dataclass(frozen=True, slots=True)
class Found:
    """What a client was found to break, and what it was seen to keep; `printed` is its own output."""

    broken: Collection[str]
    held: Collection[str]
    why: Sequence[str]
    printed: str


class PlainServer(DirectedServer):
    """Any server: what the tap and the HTTP side cannot make happen on it does not happen."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def order(self, name: str, *arguments: Any, **options: Any) -> None:
        """Connections that were cut end by themselves; nothing else can be ordered."""
        assert name == "end_connections", f"no server but the bundled one takes the order {name}"


def judge_side_by_side(trials: Sequence[Trial], url: str | None = None) -> dict[Trial, Found]:
    """Play trials in front of one server, the bundled one unless the URL of another is given."""
    with turn():
        return asyncio.run(_judge(trials, url))


async def _judge(trials: Sequence[Trial], url: str | None) -> dict[Trial, Found]:
    lanes = asyncio.Semaphore(_AT_ONCE)
    async with _served(url) as server:
        provisioner = Provisioner(Target(server.url))

        async def judged(lane: int, trial: Trial) -> Found:
            async with lanes:
                pool = AccountPool(lane, provisioner)
                return _found([await _played(server, pool, trial, act) for act in chosen_acts(trial.acts)])

        try:
            found = await asyncio.gather(*(judged(lane, trial) for lane, trial in enumerate(trials)))
        finally:
            await provisioner.close()
    return dict(zip(trials, found, strict=True))


@asynccontextmanager
async def _served(url: str | None) -> AsyncIterator[DirectedServer]:
    if url is not None:
        yield PlainServer(url)
        return
    async with directed_server(*_PINGS) as server:
        yield server


async def _played(server: DirectedServer, pool: AccountPool, trial: Trial, act: Act) -> Played:
    played = Played(act)
    async with world(server, pool, played.journal, "alice") as here:
        performance = Performance(act.name, here, played.journal, trial.command)
        with suppress(Over):
            async with performance:
                await act.play(performance)
    if performance.program is not None:
        played.output = performance.program.output
    return played


def _found(played: Sequence[Played]) -> Found:
    found = judgements(in_a_row(played))
    return Found(
        broken={judgement.requirement for judgement in found if judgement.state == "broken"},
        held={judgement.requirement for judgement in found if judgement.state == "held"},
        why=[f"{judgement.requirement}: {b.expected}; {b.got}" for judgement in found for b in judgement.breaks[:1]],
        printed="".join(each.output.text for each in played),
    )


def judge_by_command(
    stack: str, transport: str, *, fault: str | None = None, acts: Iterable[str] = (), options: Sequence[str] = ()
) -> Run:
    """Judge a client by the command that users have, in every act unless some are named."""
    chosen = [word for act in acts for word in ("--act", act)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        words = [
            sys.executable,
            "-m",
            "dungeonlab_conformance",
            "client",
            *options,
            *chosen,
            "--quiet",
            "--json",
            str(file),
        ]
        done = subprocess.run(
            [*words, "--", *command(stack, fault=fault)],
            env={**os.environ, **environment(transport)},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        assert file.is_file(), done.stderr
        return load_run(file)


def broken(run: Run) -> set[str]:
    """Return the requirements that a run found broken."""
    return {v.requirement for v in run.verdicts if v.outcome in (Outcome.FAIL, Outcome.WARN, Outcome.NOTE)}


def _all_trials(names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for name in names:
        for stack in FAULTS[name].stacks:
            for transport in FAULTS[name].transports:
                yield name, stack, transport


def main(words: Sequence[str] | None = None) -> int:
    """Judge what the command line names and print what was wrong; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.client_programs.judge")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a fault; all of them by default")
    parser.add_argument("--clean", type=int, metavar="N", help="judge the clients without a fault, N times each")
    asked = parser.parse_args(words)
    refuse_unknown(parser, asked.names, FAULTS, "fault")
    as_stated = True
    if asked.clean is not None:
        jobs = [(stack, transport) for stack in ("javascript", "python") for transport in TRANSPORTS]
        for stack, transport in jobs * asked.clean:
            run = judge_by_command(stack, transport)
            as_stated &= _report(f"{stack} over {transport}", run, set())
        return 0 if as_stated else 1
    for name, stack, transport in _all_trials(asked.names or list(FAULTS)):
        run = judge_by_command(stack, transport, fault=name, acts=FAULTS[name].acts)
        as_stated &= _report(f"{name} in {stack} over {transport}", run, {FAULTS[name].breaks})
    return 0 if as_stated else 1


def _report(what: str, run: Run, expected: set[str]) -> bool:
    found = broken(run)
    right = found == expected and not (run.own_fault or (run.fault and not expected))
    more = "" if right else f": found {sorted(found)}, not {sorted(expected)}; {run.fault or run.own_fault or ''}"
    print(f"{'ok ' if right else 'NO '} {what}{more}", flush=True)
    return right


if __name__ == "__main__":
    sys.exit(main())

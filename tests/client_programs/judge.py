"""Has clients play acts, many side by side in front of one server, and says what each was found to break.

From the shell: ``python -m tests.client_programs.judge [--runs N] [--json FILE] [NAME ...]`` for every fault in every
stack over every transport, and for the correct clients. The exit code is 1 if something is not judged as stated.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dungeonlab_conformance.client_acts.acts import Act, chosen_acts
from dungeonlab_conformance.client_acts.performance import Over, Performance, world
from dungeonlab_conformance.client_acts.player import Played
from dungeonlab_conformance.client_acts.processes.directed_server import DirectedServer, directed_server
from dungeonlab_conformance.client_rules.judgement import judgements
from dungeonlab_conformance.record.tapped.side_by_side import JournalOfActs
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.target import Target
from tests.client_programs.faults import BROWSER, FAULTS, JAVASCRIPT, PYTHON, TRANSPORTS
from tests.client_programs.front_end import browser, served_page
from tests.client_programs.programs import command, environment
from tests.command_line import refuse_unknown
from tests.other_stacks.judge import served
from tests.turns import turn

_PINGS = ("--ping-interval", "4", "--ping-timeout", "6")  # as in the command
_AT_ONCE = 3 * (os.cpu_count() or 1)  # clients wait most of the time
_BROWSERS_AT_ONCE = 3
_PATIENCE = 300.0  # seconds for one client in every act
_ENTERED = "client/joins-before-it-sends"  # held by a client that has played at all


@dataclass(frozen=True, slots=True)
class Trial:
    """One client in some acts, one after the other."""

    stack: str
    acts: tuple[str, ...]
    transport: str = "upgrade"
    fault: str | None = None
    habit: str | None = None
    turn: int = 0  # of several times that the same is played

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


def judge_side_by_side(
    trials: Sequence[Trial], url: str | None = None, *, at_once: int = _AT_ONCE, origin: str | None = None
) -> dict[Trial, Found]:
    """Play trials in front of one server, the bundled one unless the URL of another is given.

    Pages come from `origin`, which the bundled server then admits.
    """
    with turn():
        return asyncio.run(_judge(trials, url, at_once, origin))


async def _judge(trials: Sequence[Trial], url: str | None, at_once: int, origin: str | None) -> dict[Trial, Found]:
    lanes = asyncio.Semaphore(at_once)
    async with _served(url, origin) as server:
        provisioner = Provisioner(Target(server.url))

        async def judged(lane: int, trial: Trial) -> Found:
            async with lanes:
                pool = AccountPool(lane, provisioner)
                seen = JournalOfActs()
                return _found([await _played(server, pool, trial, act, seen) for act in chosen_acts(trial.acts)], seen)

        try:
            found = await asyncio.gather(*(judged(lane, trial) for lane, trial in enumerate(trials)))
        finally:
            await provisioner.close()
    return dict(zip(trials, found, strict=True))


@asynccontextmanager
async def _served(url: str | None, origin: str | None) -> AsyncIterator[DirectedServer]:
    if url is not None:
        yield PlainServer(url)
        return
    async with directed_server(*_PINGS, *(("--origin", origin) if origin else ())) as server:
        yield server


async def _played(server: DirectedServer, pool: AccountPool, trial: Trial, act: Act, seen: JournalOfActs) -> Played:
    played = Played(act)
    seen.follow(played.journal, 1 + max((packet.act for packet in seen.packets), default=0))
    async with world(server, pool, played.journal, "alice") as here:
        performance = Performance(act.name, here, played.journal, trial.command)
        with suppress(Over):
            async with performance:
                await act.play(performance)
    if performance.program is not None:
        played.output = performance.program.output
    return played


def _found(played: Sequence[Played], seen: JournalOfActs) -> Found:
    found = judgements(seen.in_a_row())
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


def held(run: Run) -> set[str]:
    """Return the requirements that a run saw to hold."""
    return {v.requirement for v in run.verdicts if v.outcome == Outcome.PASS}


def measure(names: Iterable[str], runs: int) -> dict[str, dict[str, tuple[int, int]]]:
    """Return how often faults were blamed exactly, and how often nothing was found in correct clients, of how often.

    Each fault is played in each stack over each transport, each correct client so many times over each transport,
    cut off and back, and in front of the server of another stack in what can happen to it there.
    """
    with_faults = [
        Trial(stack, FAULTS[name].acts, transport, fault=name)
        for name in names
        for stack in FAULTS[name].stacks
        for transport in FAULTS[name].transports
    ]
    correct = [
        Trial(stack, ("cut-off/fin",), transport, turn=number)
        for stack in (JAVASCRIPT, PYTHON, BROWSER)
        for transport in TRANSPORTS
        for number in range(runs)
    ]
    elsewhere = [replace(trial, acts=("ordinary", "moved-on", "removed")) for trial in correct]
    with served_page() as page, served("server.mjs", "--origin", page) as url:
        os.environ |= {"PAGE": page, "BROWSER": browser() or "chromium"}
        rows = [
            ("faults", judge_side_by_side(with_faults)),
            ("correct", _judge_correct(correct, None, page)),
            ("before another server", _judge_correct(elsewhere, url, page)),
        ]
    return {kind: _counted(found) for kind, found in rows}


def _judge_correct(trials: Sequence[Trial], url: str | None, page: str) -> dict[Trial, Found]:
    programs = [trial for trial in trials if trial.stack != BROWSER]
    pages = [trial for trial in trials if trial.stack == BROWSER]
    found = judge_side_by_side(programs, url)
    return found | judge_side_by_side(pages, url, at_once=_BROWSERS_AT_ONCE, origin=page)


def _counted(found: Mapping[Trial, Found]) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for trial, result in found.items():
        expected = {FAULTS[trial.fault].breaks} if trial.fault else set()
        right = result.broken == expected and (trial.fault is not None or _ENTERED in result.held)
        if not right:
            print(f"NO {trial}: found {sorted(result.broken)}", *result.why, sep="\n      ", flush=True)
        name = trial.fault or f"{trial.stack} over {trial.transport}"
        good, all_ = counts.get(name, (0, 0))
        counts[name] = (good + right, all_ + 1)
    return counts


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print what was found and write it if asked to; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.client_programs.judge")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a fault; all of them by default")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="of each correct client  [default: 20]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures down")
    asked = parser.parse_args(words)
    refuse_unknown(parser, asked.names, FAULTS, "fault")
    found = measure(asked.names or FAULTS, asked.runs)
    for kind, counts in found.items():
        for name, (good, all_) in counts.items():
            print(f"{'ok ' if good == all_ else 'NO '} {kind}: {name} {good} of {all_}")
    if asked.json:
        asked.json.write_text(f"{json.dumps(found, indent=1)}\n", "utf-8")
    return 0 if all(good == all_ for counts in found.values() for good, all_ in counts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

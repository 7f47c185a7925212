"""Serves a peer, a program of another stack, and has the whole suite judge it: plain, or with one of its faults.

From the shell: ``python -m tests.other_stacks.judge [NAME ...]`` for faults, ``--clean N`` for N runs per transport.
The exit code is 1 if something is not judged as stated, 2 if there is no fault of that name.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue
from tests.command_line import refuse_unknown
from tests.mutants.combination import members, merged
from tests.mutants.fault import Expectation
from tests.mutants.judge import SCALE, report, settle
from tests.serving import start_worker
from tests.turns import AT_ONCE, turn

NODE = Path(__file__).parent / "node"
TRANSPORTS = ("websocket", "polling")
_READY = "Listening on "
_INSTALL = "npm ci --prefix tests/other_stacks/node"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFault(Expectation):
    """A fault that a peer can be started with. It is judged on the one transport on which it shows."""

    transport: str = "websocket"
    replaced: frozenset[str] = frozenset()

    @property
    def methods(self) -> frozenset[object]:
        """The methods of the peer that it replaces."""
        return frozenset(self.replaced)

    @property
    def run(self) -> str:
        """The transport."""
        return self.transport


def why_not() -> str | None:
    """Say what is missing to run the peers, and how to get it; None if nothing is."""
    if shutil.which("node") is None:
        return f"Node.js is not there; install it (apt-get install nodejs npm), then run: {_INSTALL}"
    if not (NODE / "node_modules").is_dir():
        return f"its packages are not there; run: {_INSTALL}"
    return None


def is_required() -> bool:
    """Whether a run without the peers is a failed one."""
    return any(os.environ.get(name) in ("1", "true") for name in ("CI", "DUNGEONLAB_REQUIRE_NODE"))


@contextmanager
def served(program: str = "server.mjs", *options: str) -> Iterator[str]:
    """Run a peer while the block runs; yields its URL."""
    command = ["node", str(NODE / program), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(_READY):
            raise RuntimeError(f"{' '.join(command)} did not start")
        try:
            yield line.removeprefix(_READY).strip()
        finally:
            process.kill()


@cache
def all_faults() -> Mapping[str, NodeFault]:
    """Return every fault that the peer can be started with, by its name."""
    listed = subprocess.run(["node", NODE / "server.mjs", "--list-faults"], check=True, capture_output=True, text=True)
    rows: dict[str, dict[str, Any]] = json.loads(listed.stdout)
    return {
        name: NodeFault(name=name, breaks=frozenset(row.pop("breaks")), replaced=frozenset(row.pop("methods")), **row)
        for name, row in rows.items()
    }


def fault_named(name: str) -> NodeFault:
    """Return the fault of this name, or what the faults of several names are together."""
    faults = [all_faults()[one] for one in members(name)]
    replaced = frozenset[str]().union(*(fault.replaced for fault in faults))
    return (
        faults[0] if len(faults) == 1 else NodeFault(**merged(faults), transport=faults[0].transport, replaced=replaced)
    )


def judge(
    transport: str, fault: str | None = None, patience: float | None = None, *more: str, only: tuple[str, ...] = ()
) -> Run:
    """Judge the peer with the whole suite, or some of it, on one transport; with a fault if one is named."""
    options = ("--fault", fault) if fault else more
    limits = Limits(patience or (SCALE if fault else 1.0))
    selection = Selection(only=only, plays=False if fault else None)
    with turn(), served("server.mjs", *options) as url:
        return play(Target(url, transport=transport, limits=limits), scenes(selection, Catalogue.load()))


def judge_clean(times: int, transports: Iterable[str] = TRANSPORTS) -> Iterator[tuple[str, Run]]:
    """Judge the peer without a fault so many times on each transport; yields the transport, and the run."""
    for transport in transports:
        for run in _in_processes([(transport, None, None)] * times, at_once=1):
            yield transport, run


def judge_faulty(names: Iterable[str]) -> Iterator[tuple[str, Run]]:
    """Judge the peer with each of these faults, some at a time; yields name and run, in the order of the names.

    `NAME+NAME` stands for a server with several faults. What one run did not find is judged once more: of several
    faults each by itself, one alone with the usual time limits.
    """
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn"), start_worker) as pool:
        yield from chain.from_iterable(pool.map(_judge_faulty, names))


def _judge_faulty(name: str) -> list[tuple[str, Run]]:
    def played(name: str, patience: float) -> Run:
        return judge(fault_named(name).transport, name, patience)

    return settle(name, played(name, SCALE), fault_named, lambda alone: played(alone, 1.0), _judge_faulty)


def red(run: Run) -> list[str]:
    """Return what in a run is neither a pass nor a note, one line each."""
    lines = [f"{v.outcome}: {v.requirement} [{v.event}] {v.reason} {v.findings[:1]}" for v in run.verdicts]
    return [line for line in lines if not line.startswith(("pass:", "note:"))] + ([run.fault] if run.fault else [])


def _in_processes(jobs: Iterable[tuple[str, str | None, float | None]], *, at_once: int) -> Iterator[Run]:
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn"), start_worker) as pool:
        yield from pool.map(judge, *zip(*jobs, strict=True))


def main(words: Sequence[str] | None = None) -> int:
    """Judge what the command line names and print what was wrong; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.other_stacks.judge", description="Judge the Node.js server.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a fault; all of them by default")
    parser.add_argument("--clean", type=int, metavar="N", help="judge it without a fault, N times on each transport")
    asked = parser.parse_args(words)
    if missing := why_not():
        parser.error(missing)
    refuse_unknown(parser, chain.from_iterable(map(members, asked.names)), all_faults(), "fault")
    if asked.clean is not None:
        as_stated = [_report_clean(transport, run) for transport, run in judge_clean(asked.clean)]
    else:
        as_stated = [report(fault_named(name), run) for name, run in judge_faulty(asked.names or all_faults())]
    return 0 if all(as_stated) else 1


def _report_clean(transport: str, run: Run) -> bool:
    lines = red(run)
    print(f"{'NO ' if lines else 'ok '} {transport} ({run.seconds:.1f} s)", *lines[:5], sep="\n      ")
    return not lines


if __name__ == "__main__":
    sys.exit(main())

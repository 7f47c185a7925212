"""Runs under a condition, and what came of them; tests and `tools.measure` use the same code.

From the shell, for one condition or for all: ``python -m tests.false_alarms.trial [--runs N] [NAME ...]``.
The exit code is 1 if a run is not as it should be, 2 if there is no condition of that name.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_spec import Catalogue
from tests.command_line import refuse_unknown
from tests.false_alarms.conditions import CONDITIONS, condition_named
from tests.false_alarms.disturbance import beside
from tests.mutants.combination import members
from tests.serving import end_with_parent, served
from tests.turns import AT_ONCE, turn

_JUDGED = 0.95  # of all verdicts, where time limits are the usual ones
_PATIENCE = 4.0  # times as much time, where a busy machine needs it


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run under a condition came to.

    `red` says what was found broken, or failed in the suite: nothing should. A run that ended early for want of
    an answer has nothing red in it.
    """

    condition: str
    seconds: float
    counts: Mapping[str, int]
    red: tuple[str, ...]
    unjudged: Mapping[str, int]  # reasons, with how many verdicts each
    fault: str | None  # why the run ended early, if it did

    @property
    def problems(self) -> tuple[str, ...]:
        """What is not as it should be, one line each.

        With the usual time limits hardly anything may be left unjudged: a run that judges nothing is never red.
        """
        lines = [f"red: {line}" for line in self.red]
        if condition_named(self.condition).scale == 1.0:
            lines += [f"cut short: {self.fault}"] if self.fault else []
            whole = sum(self.counts.values())
            if self.counts.get("pass", 0) <= _JUDGED * whole:
                lines.append(f"{self.counts.get('pass', 0)} of {whole} verdicts: {dict(self.unjudged)}")
        return tuple(lines)


@dataclass(frozen=True, slots=True)
class Series:
    """What several runs under one condition came to."""

    condition: str
    trials: tuple[Trial, ...]

    @property
    def clean(self) -> int:
        """How many runs had nothing red."""
        return sum(not trial.red for trial in self.trials)


def run_trial(name: str, at_once: int = AT_ONCE) -> Trial:
    """Judge the server of one condition once, with the whole suite, when no more than `at_once` are being judged.

    A run with nothing red that left much unjudged shows how busy this machine is: it is repeated with more patience.
    """
    with turn(at_once):
        trial = _judged(name, 1.0)
        return _judged(name, _PATIENCE) if trial.problems and not trial.red else trial


def _judged(name: str, patience: float) -> Trial:
    condition = condition_named(name)
    with ExitStack() as stack:
        if condition.one_core:
            whole = os.sched_getaffinity(0)
            stack.callback(os.sched_setaffinity, 0, whole)
            os.sched_setaffinity(0, {min(whole)})
        url = stack.enter_context(served(condition.variant))
        if condition.disturbance:
            stack.enter_context(beside(condition.disturbance, url))
        run = play(
            condition.target(
                url,
                transport=condition.transport,
                transports=condition.transports,
                limits=Limits(condition.scale * patience),
            ),
            scenes(Selection(), Catalogue.load()),
        )
    red = [
        f"{v.requirement} [{v.event}] {v.outcome}: {v.reason or v.findings[0].expected + '; got ' + v.findings[0].got}"
        for v in run.verdicts
        if v.outcome in ("fail", "warn", "error")
    ]
    if run.own_fault:
        red.append(run.own_fault)
    return Trial(
        name,
        run.seconds,
        Counter(str(v.outcome) for v in run.verdicts),
        tuple(red),
        Counter(v.reason for v in run.verdicts if v.outcome == "unjudged"),
        run.fault,
    )


def run_series(names: Iterable[str], runs: int, at_once: int = AT_ONCE) -> dict[str, Series]:
    """Judge the servers of some conditions several times each, some runs side by side.

    `NAME+NAME` stands for a server that has several.
    """
    names = sorted(names, key=lambda name: list(CONDITIONS).index(members(name)[0]))
    tasks = [name for name in sorted(names, key=lambda n: n != "far") for _ in range(runs)]  # the longest first
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        trials = list(pool.map(run_trial, tasks, itertools.repeat(at_once)))
    return {name: Series(name, tuple(trial for trial in trials if trial.condition == name)) for name in names}


def main(words: Sequence[str] | None = None) -> int:
    """Run under the conditions named on the command line and print what came of it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.false_alarms.trial", description="Judge correct servers.")
    parser.add_argument("--runs", type=int, default=1, help="under each condition  [default: 1]")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a condition; all of them by default")
    asked = parser.parse_args(words)
    refuse_unknown(parser, asked.names, CONDITIONS, "condition")
    found = run_series(asked.names or CONDITIONS, asked.runs)
    for series in found.values():
        _report(series)
    return 0 if all(trial.problems == () for series in found.values() for trial in series.trials) else 1


def _report(series: Series) -> None:
    slowest = max(trial.seconds for trial in series.trials)
    print(f"{series.condition}: {series.clean}/{len(series.trials)} clean, at most {slowest:.1f} s")
    for trial in series.trials:
        print(f"    {trial.seconds:.1f} s: {dict(trial.counts)}")
        for line in trial.problems:
            print(f"      {line[:400]}")
        for reason, count in trial.unjudged.items():
            print(f"      unjudged {count}: {reason}")


if __name__ == "__main__":
    sys.exit(main())

"""Serves one faulty server in a process of its own, and has the whole suite judge it.

From the shell, for one server or for all: ``python -m tests.mutants.judge [NAME ...]``; ``A+B`` has both faults.
The exit code is 1 if a fault is not judged as stated, 2 if there is none of that name.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain

from dungeonlab_conformance.clients.http import fuzzer
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue
from tests import serving
from tests.command_line import refuse_unknown
from tests.mutants.combination import AND, fault_named, members
from tests.mutants.fault import Expectation, all_faults, every_fault
from tests.turns import AT_ONCE, turn

SCALE = 0.3  # of every time limit: what is never answered is waited for, and loopback is fast


@contextmanager
def served(name: str) -> Iterator[str]:
    """Serve one faulty server while the block runs; yields its URL."""
    with serving.served(fault_named(name).variant) as url:
        yield url


def judge(name: str, only: tuple[str, ...] = ()) -> list[tuple[str, Run]]:
    """Judge one faulty server with the whole suite, or some of it; if it is not found as it should be, once more.

    Of several faults those that others hid are judged by themselves then; if more was blamed than that explains, they
    are judged in two halves. One alone is judged with the suite's usual time limits: on a busy machine, what is not
    heard in time proves nothing.
    """

    def play_it(name: str, scale: float) -> Run:
        return judged(name, scale, only, recorded=not only)

    first = play_it(name, SCALE)
    return settle(name, first, fault_named, lambda alone: play_it(alone, 1.0), lambda others: judge(others, only))


def settle(
    name: str,
    run: Run,
    expectation: Callable[[str], Expectation],
    patiently: Callable[[str], Run],
    again: Callable[[str], list[tuple[str, Run]]],
) -> list[tuple[str, Run]]:
    """Return what a run proved, by the names of faults, once what it did not prove is judged again.

    A fault that was alone is judged `patiently`. Of several, each that was not found is judged `again` by itself; if
    others were not found exactly, each half of all is.
    """
    if expectation(name).matches(broken(run)):
        return [(name, run)]
    if len(faults := members(name)) == 1:
        return [(name, patiently(name))]
    hidden = [fault for fault in faults if not expectation(fault).breaks <= broken(run)]
    shown = AND.join(fault for fault in faults if fault not in hidden)
    if hidden and shown and expectation(shown).matches(broken(run)):
        return [(shown, run), *chain.from_iterable(map(again, hidden))]
    half = len(faults) // 2
    return [*again(AND.join(faults[:half])), *again(AND.join(faults[half:]))]


def judged(name: str, scale: float, only: tuple[str, ...] = (), *, recorded: bool = False, plays: bool = False) -> Run:
    """Judge one faulty server with the whole suite, or some of it, time limits scaled, and with the parts it claims.

    A run that is `recorded` holds what its verdicts can be computed from again. The scenes show each fault by
    themselves, so that `plays` are carried out only where they are what is looked at.
    """
    selection = Selection(only=only, parts=tuple(fault_named(name).run), plays=plays)
    if selection.parts:
        fuzzer.load_schemathesis()
    with turn(), served(name) as url:
        return play(Target(url, limits=Limits(scale)), scenes(selection, Catalogue.load()), recorded=recorded)


def judge_all(names: Iterable[str]) -> Iterator[tuple[str, Run]]:
    """Judge many, some at a time; yields each as it is done, in the order of the names."""
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn"), serving.start_worker) as pool:
        yield from chain.from_iterable(pool.map(judge, names))


def broken(run: Run) -> set[str]:
    """Return the ids of the MUSTs and SHOULDs that a run found broken."""
    return {v.requirement for v in run.verdicts if v.outcome in ("fail", "warn")}


def who_said_no(run: Run) -> set[str]:
    """Return the checks that found something broken; several may judge one requirement, and more than one find it."""
    verdicts = [v for v in run.verdicts if v.outcome in ("fail", "warn")]
    return {v.check for v in verdicts} | {f.check for v in verdicts for f in v.findings}


def misjudged(expectation: Expectation, run: Run) -> list[str]:
    """Return what a run missed, what it blamed wrongly and where the suite itself failed, one line each."""
    found = broken(run)
    lines = [f"missed: {requirement}" for requirement in sorted(expectation.breaks - found)]
    for verdict in run.verdicts:
        blamed = verdict.outcome in ("fail", "warn") and not expectation.allows(verdict.requirement)
        if blamed or verdict.outcome == "error":
            said = [f"{f.scene}: expected {f.expected}; got {f.got}"[:300] for f in verdict.findings[:1]]
            lines.append(f"wrongly {verdict.outcome}: {verdict.requirement} [{verdict.event}] {verdict.reason} {said}")
    return lines


def report(expectation: Expectation, run: Run) -> bool:
    """Print how a run judged a faulty server; returns whether that is as stated."""
    lines = misjudged(expectation, run)
    print(
        f"{'NO ' if lines else 'ok '} {expectation.name} ({run.seconds:.1f} s) {run.fault or ''}",
        *lines,
        sep="\n      ",
    )
    return not lines


def main(words: Sequence[str] | None = None) -> int:
    """Judge the servers named on the command line and print what broke, beside what should; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.judge", description="Judge faulty servers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a faulty server, or A+B for one with both faults")
    names = parser.parse_args(words).names
    refuse_unknown(parser, (one for name in names for one in members(name)), every_fault(), "faulty server")
    as_stated = [report(fault_named(name), run) for name, run in judge_all(names or all_faults())]
    return 0 if all(as_stated) else 1


if __name__ == "__main__":
    sys.exit(main())

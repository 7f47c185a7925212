"""Judges servers with several faults each, drawn by lot: all that is broken is found, and nothing else is blamed.

From the shell: ``python -m tests.mutants.lots [--sets N] [--seed N] [--size N] [--json FILE]``, or with ``--variants``
for single faults that are in the way of what most scenes prepare. Prints a line for each server, with what was missed
and what was wrongly blamed below it, and a summary. The exit code is 1 if the goals are missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome, Verdict, VerdictKey
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue
from tests import serving
from tests.mutants.combination import AND, fault_named, members
from tests.mutants.fault import Expectation, Fault, all_faults
from tests.mutants.judge import SCALE
from tests.supervised import supervised
from tests.turns import turn

SEED, SETS, SIZE = 11, 40, 5
SIDE_BY_SIDE = 2
FOUND, MEDIAN, WORST = 0.97, 10, 120  # the goals: how much is found, and how many verdicts are unjudged
VARIANT_WORST = 40
RESTART = 20.0  # seconds for a server that died to be back
SHOW_LITTLE_ELSE = {  # faults beside which no client can see another one, and the areas in which it can
    "RefusesEverything": ("connect", "auth"),
    "LostTheLogin": ("auth",),
}
CODELESS = {"AnswersWithABareText", "AnswersWithoutACode", "NumbersItsCodes", "WrapsTheError"}  # no refusal has a code
CODES = "acks/code-names-the-cause"  # which nobody can see where there are none
VARIANTS = (
    "CreatesInSilence",
    "JoinsInSilence",
    "MovesInSilence",
    "ChatsInSilence",
    "UpdatesInSilence",
    "DeletesInSilence",
    "NeverSaysThatOneLeft",
    "ShowsNoProfile",
    "ValidatesInSilence",
    "AnswersNothing",
    "RefusesInSilence",
    "CreatesWithoutShowing",
    "CreatesUnheard",
    "DemandsCompleteDrafts",
    "KeepsCreatingForTheGameMaster",
    "HearsTheFirstMemberOnly",
    "LocksTheGameMasterOut",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the suite said of one server.

    `missed` are the ids of what is broken and was not found, each with the outcomes of its verdicts; `concealed` those
    that no client can see, since another fault refuses all that could show them. `blamed` is what
    was found broken and no fault breaks, with the scene that says so and its finding. `unjudged` counts verdicts by the
    reason, `waiting` by what they wait for.
    """

    name: str
    breaks: list[str]
    found: list[str]
    missed: dict[str, str]
    concealed: list[str]
    blamed: list[str]
    unjudged: dict[str, int]
    waiting: dict[str, int]
    skipped: int
    verdicts: int
    seconds: float
    fault: str | None = field(default=None)

    @property
    def count(self) -> int:
        """How many verdicts are unjudged."""
        return sum(self.unjudged.values())

    @property
    def exact(self) -> bool:
        """Whether all was found, and nothing else."""
        return not self.missed and not self.blamed


def draw(seed: int, number: int, size: int = SIZE) -> str:
    """Return the name of a server with so many faults, drawn by lot, each in methods of its own.

    Each fault's lot depends on the seed and its own name: a new fault changes only the sets into which it is drawn.
    """
    lots = sorted(all_faults().values(), key=lambda fault: _lot(f"{seed}/{number}/{fault.name}"))
    chosen: list[Fault] = []
    for fault in lots:
        if not fault.run and all(_go_together(fault, other) for other in chosen):
            chosen.append(fault)
        if len(chosen) == size:
            break
    return AND.join(sorted(fault.name for fault in chosen))


def _lot(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _go_together(one: Fault, other: Fault) -> bool:
    return not one.methods & other.methods


def judge(name: str) -> Result:
    """Judge one server; once more, with the suite's usual time limits, if what is said may come of a busy machine."""
    result = result_of(fault_named(name), judged(name, SCALE))
    doubtful = result.blamed or result.fault or result.count > MEDIAN
    return result_of(fault_named(name), judged(name, 1.0)) if doubtful else result


def judged(name: str, scale: float) -> Run:
    """Judge one server with the whole suite, time limits scaled; it is started again whenever it dies."""
    with turn(), supervised(fault_named(name).variant) as server:
        target = Target(server.url, limits=Limits(scale))
        chosen = scenes(Selection(plays=False), Catalogue.load())
        return play(target, chosen, target.new_run(RunOptions(restart_wait=RESTART)))


def judge_all(names: Iterable[str]) -> Iterator[Result]:
    """Judge many, two at a time; yields each as it is done, in the order of the names."""
    with ProcessPoolExecutor(SIDE_BY_SIDE, multiprocessing.get_context("spawn"), serving.start_worker) as pool:
        yield from pool.map(judge, names)


def result_of(expectation: Expectation, run: Run) -> Result:
    """Return what a run says of a server with these faults."""
    broken = {v.requirement for v in run.verdicts if v.outcome in ("fail", "warn")}
    concealed = {name for name in expectation.breaks - broken if _is_concealed(name, expectation.name)}
    missed = {name: _outcomes(run, name) for name in sorted(expectation.breaks - broken - concealed)}
    unjudged = [v for v in run.verdicts if v.outcome is Outcome.UNJUDGED]
    return Result(
        name=expectation.name,
        breaks=sorted(expectation.breaks),
        found=sorted(expectation.breaks & broken),
        missed=missed,
        concealed=sorted(concealed),
        blamed=[line for v in run.verdicts if (line := _wrongly(expectation, v))],
        unjudged=dict(Counter(v.reason for v in unjudged).most_common()),
        waiting=dict(Counter(_title(v.waits_for) for v in unjudged).most_common()),
        skipped=sum(v.outcome is Outcome.SKIPPED for v in run.verdicts),
        verdicts=len(run.verdicts),
        seconds=round(run.seconds, 1),
        fault=run.fault,
    )


def _is_concealed(requirement: str, server: str) -> bool:
    areas = [shown for name, shown in SHOW_LITTLE_ELSE.items() if name in members(server)]
    codeless = requirement == CODES and bool(CODELESS & {*members(server)})
    return codeless or any(requirement.partition("/")[0] not in shown for shown in areas)


def _title(key: VerdictKey | None) -> str:
    return key.title if key else "nothing that is named"


def _outcomes(run: Run, requirement: str) -> str:
    outcomes = Counter(v.outcome.value for v in run.verdicts if v.requirement == requirement)
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())


def _wrongly(expectation: Expectation, verdict: Verdict) -> str:
    """Return what a verdict says against a server that has no such fault, or nothing."""
    if verdict.outcome is Outcome.ERROR:
        return f"{verdict.title}: the suite failed: {verdict.reason}"[:400]
    if verdict.outcome not in ("fail", "warn") or expectation.allows(verdict.requirement):
        return ""
    found = verdict.findings[0]
    return f"{verdict.title} in {found.scene}: expected {found.expected}; got {found.got}"[:400]


def report(result: Result, reasons: bool = False) -> None:
    """Print what the suite said of one server, and, if asked to, why verdicts are unjudged."""
    count = f"{len(result.found)} of {len(result.found) + len(result.missed)} found"
    print(
        f"{'ok ' if result.exact else 'NO '} {result.name}: {count}, {len(result.blamed)} wrongly blamed, "
        f"{result.count} unjudged, {result.skipped} skipped of {result.verdicts} ({result.seconds:.0f} s)",
        *([f"the run ended: {result.fault}"] if result.fault else []),
        *(f"missed: {name} ({outcomes})" for name, outcomes in result.missed.items()),
        *(f"wrongly: {line}" for line in result.blamed),
        *(f"{count} unjudged: {reason}"[:300] for reason, count in result.unjudged.items() if reasons),
        sep="\n      ",
        flush=True,
    )


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Return the figures of many servers together; verdicts are unjudged in those where people can log in and join."""
    working = [result for result in results if not SHOW_LITTLE_ELSE.keys() & members(result.name)]
    counts = sorted(result.count for result in working) or [0]
    return {
        "servers": len(results),
        "working": len(working),
        "broken": sum(len(result.found) + len(result.missed) for result in results),
        "found": sum(len(result.found) for result in results),
        "passed": sum("unjudged" not in said for result in results for said in result.missed.values()),
        "concealed": sum(len(result.concealed) for result in results),
        "blamed": len([line for result in results for line in result.blamed]),
        "median": statistics.median(counts),
        "p90": counts[math.ceil(0.9 * len(counts)) - 1],
        "worst": counts[-1],
    }


def good(figures: dict[str, Any]) -> bool:
    """Whether the goals are reached."""
    return bool(
        figures["found"] >= FOUND * figures["broken"]
        and not figures["blamed"]
        and figures["median"] <= MEDIAN
        and figures["worst"] <= WORST
    )


def _some(word: str) -> int:
    """Return a number above zero."""
    if (number := int(word)) < 1:
        raise ValueError
    return number


def main(words: Sequence[str] | None = None) -> int:
    """Judge what the command line asks for, and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.lots", description="Judge sets of faults.")
    parser.add_argument("--sets", type=_some, default=SETS, help=f"how many servers  [default: {SETS}]")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first  [default: 0]")
    parser.add_argument("--seed", type=int, default=SEED, help=f"what the lots depend on  [default: {SEED}]")
    parser.add_argument("--size", type=_some, default=SIZE, help=f"faults in one server  [default: {SIZE}]")
    parser.add_argument("--variants", action="store_true", help="single faults that are in the way of preparations")
    parser.add_argument("--reasons", action="store_true", help="print why verdicts are unjudged, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found")
    asked = parser.parse_args(words)
    sets = [draw(asked.seed, number, asked.size) for number in range(asked.first, asked.first + asked.sets)]
    results = []
    for result in judge_all(VARIANTS if asked.variants else sets):
        report(result, asked.reasons)
        results.append(result)
    figures = summary(results)
    print(", ".join(f"{what}: {figure}" for what, figure in figures.items()))
    if asked.json:
        written = {"seed": asked.seed, "size": asked.size, **figures, "results": [asdict(r) for r in results]}
        asked.json.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    if asked.variants:
        return 0 if all(result.exact and result.count <= VARIANT_WORST for result in results) else 1
    return 0 if good(figures) else 1


if __name__ == "__main__":
    sys.exit(main())

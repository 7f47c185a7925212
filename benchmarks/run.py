"""Measures what a whole run on the bundled reference server costs: both processes, imports included.

Run `python -m benchmarks.run`, or `python -m benchmarks.run PYTHON` with the interpreter of another environment, in
which an earlier state of the suite is installed: the two are measured in turns, so that a busy machine matters little,
and the figure is the ratio. Counted is the processor time of the suite and of the server; the time on the clock is
worth something on an idle machine only.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import dataclass
from subprocess import DEVNULL, Popen

ROUNDS = 5  # the best of them counts: the others were disturbed


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds."""

    processor: float
    clock: float


def cost(python: str, *options: str) -> Cost:
    """Judge the bundled reference server once with the suite that is installed for an interpreter."""
    began = time.monotonic()
    process = Popen([python, "-m", "dungeonlab_conformance", "run", "-q", *options], stdout=DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)  # with what its own children used
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"the run with {python} failed")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - began)


def measure(pythons: list[str], *options: str) -> dict[str, list[Cost]]:
    """Judge with each interpreter in turns."""
    found: dict[str, list[Cost]] = {python: [] for python in pythons}
    for _ in range(ROUNDS):
        for python in pythons:
            found[python].append(cost(python, *options))
    return found


def main() -> None:
    """Print what a run takes here, and beside another state of the suite if one is named."""
    pythons = list(dict.fromkeys([sys.executable, *sys.argv[1:2]]))
    found = measure(pythons, *sys.argv[2:])
    for python, costs in found.items():
        least, median = min(c.processor for c in costs), statistics.median(c.processor for c in costs)
        clock = min(c.clock for c in costs)
        print(f"{python}: {least:.2f} s of processor time (median {median:.2f}), {clock:.2f} s on the clock")
    if len(pythons) > 1:
        ours, theirs = (min(c.processor for c in found[python]) for python in pythons)
        medians = [statistics.median(c.processor for c in found[python]) for python in pythons]
        print(f"processor time: {ours / theirs:.2f} of the other's (medians: {medians[0] / medians[1]:.2f})")


if __name__ == "__main__":
    main()

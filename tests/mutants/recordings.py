"""Records how the suite judges the faulty servers, once; and applies the rules to the recordings, again and again.

From the shell: ``python -m tests.mutants.recordings --write DIR [NAME ...]`` judges, and leaves a result of each;
``--check DIR`` computes what follows from each again, in seconds, and says what is not as it was: so a change to an
invariant is tried without a server. The exit code is 1 if anything differs, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from dungeonlab_conformance.results import to_json
from dungeonlab_conformance.results.load import from_json, load_document
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.runner.recheck.recheck import Rechecked, recheck
from tests import serving
from tests.command_line import refuse_unknown
from tests.mutants.combination import combine, members
from tests.mutants.fault import all_faults, every_fault
from tests.mutants.judge import SCALE, judged
from tests.turns import AT_ONCE

_LONGEST = 100  # characters of a file's name


def again(run: Run) -> Rechecked:
    """Compute the verdicts of a run again, from the document that is written of it."""
    document = json.loads(to_json.text(run))
    return recheck(from_json(document), document, ())


def again_all(runs: Iterable[Run]) -> Iterator[Rechecked]:
    """Compute the verdicts of many runs again, some at a time; in the same order."""
    with _pool() as pool:
        yield from pool.map(again, runs)


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn"), serving.start_worker)


def _file(folder: Path, name: str) -> Path:
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return folder / (f"{name}.json" if len(name) <= _LONGEST else f"{name[:_LONGEST]}-{digest}.json")


def _record(folder: Path, name: str) -> str:
    """Judge one server, and leave the result in a folder; returns what to print."""
    run = judged(name, SCALE, recorded=True)
    to_json.write(run, _file(folder, name))
    return f"{name}: {run.seconds:.1f} s, {len(run.recording)} characters{'' if run.recording else ', not recorded'}"


def _check(file: Path) -> tuple[str, ...]:
    run, document = load_document(file)
    return recheck(run, document, ()).differences


def write(folder: Path, names: Sequence[str]) -> int:
    """Record the servers of these names; returns the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    with _pool() as pool:
        for line in pool.map(partial(_record, folder), names):
            print(line, flush=True)
    return 0


def check(folder: Path) -> int:
    """Apply the rules to the recordings in a folder and print what differs; returns the exit code."""
    files = sorted(folder.glob("*.json"))
    differing = 0
    with _pool() as pool:
        for file, lines in zip(files, pool.map(_check, files), strict=True):
            differing += bool(lines)
            if lines:
                print(f"NO  {file.stem}", *lines, sep="\n      ", flush=True)
    print(f"{differing} of {len(files)} recordings show other verdicts than are written")
    return 1 if differing or not files else 0


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants.recordings", description=(__doc__ or "").split("\n")[0]
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="DIR", help="judge faulty servers, and leave the results here")
    what.add_argument("--check", type=Path, metavar="DIR", help="apply the rules to the recordings that are here")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a faulty server, or A+B for one with both faults")
    given = parser.parse_args(words)
    if given.check:
        return check(given.check)
    refuse_unknown(parser, (one for name in given.names for one in members(name)), every_fault(), "faulty server")
    return write(given.write, given.names or combine(all_faults().values()))


if __name__ == "__main__":
    sys.exit(main())

"""Which faulty servers the covering plays find by themselves, without any scene, and after how many plays.

From the shell, for some servers or for all: ``python -m tests.mutants.played [--json FILE] [NAME ...]``. Prints a line
for each; the exit code is 2 if there is no faulty server of a name.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from dungeonlab_conformance.plays.covering import covering
from dungeonlab_conformance.runner.evaluation import breaks
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.recheck.packed_recording import unpacked_recording
from dungeonlab_conformance.runner.selection import play_scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from tests import serving
from tests.command_line import refuse_unknown
from tests.mutants.fault import all_faults, every_fault
from tests.mutants.judge import SCALE, served
from tests.turns import AT_ONCE, turn


@dataclass(frozen=True, slots=True)
class Shown:
    """What plays showed of one faulty server: the first play that broke anything, and the first that named it rightly.

    Each is the number of a covering play, counted from 1; 0 if none did.
    """

    name: str
    first: int
    right: int


def shown(name: str) -> Shown:
    """Carry the covering plays out on one faulty server."""
    fault, plays = every_fault()[name], covering().plays
    with turn(), served(name) as url:
        run = play(Target(url, limits=Limits(SCALE)), play_scenes(plays), recorded=True)
    if not run.recording:
        return Shown(name, 0, 0)
    recording, _ = unpacked_recording(run.recording)
    numbers = {each.name: number for number, each in enumerate(plays, 1)}
    scenes = {scene.journal: numbers.get(scene.check, 0) for scene in recording.scenes}
    found = [(scenes[breach.journal], breach.requirement) for breach in breaks(recording)]
    right = [number for number, requirement in found if requirement in fault.breaks]
    return Shown(name, min((number for number, _ in found), default=0), min(right, default=0))


def all_shown(names: Iterable[str]) -> Iterator[Shown]:
    """Do so for many, some at a time; yields what each showed, in the order of the names."""
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn"), serving.start_worker) as pool:
        yield from pool.map(shown, names)


def main(words: Sequence[str] | None = None) -> int:
    """Play, print, and write the file if one is named; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.played", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what the page on plays is made of")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a faulty server; all of them by default")
    asked = parser.parse_args(words)
    refuse_unknown(parser, asked.names, every_fault(), "faulty server")
    found = []
    for one in all_shown(asked.names or all_faults()):
        found.append(one)
        print(f"{one.name}: first seen in play {one.first or '-'}, rightly named in {one.right or '-'}", flush=True)
    seen, right = (sum(bool(getattr(one, name)) for one in found) for name in ("first", "right"))
    print(f"{seen} of {len(found)} seen, {right} rightly named")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in found], indent=0) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

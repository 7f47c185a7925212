"""Random plays, or the covering ones, on correct servers; exit code 1 if anything is found, 2 for wrong usage.

python -m tests.plays --plays 200 [--seed 1] [--condition NAME ...] [--transport polling] [--covering]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from dungeonlab_conformance.plays.acts import Play
from dungeonlab_conformance.plays.covering import covering
from dungeonlab_conformance.plays.generator import random_play
from tests.command_line import refuse_unknown
from tests.plays.conditions import NAMES, play_under

_AT_A_TIME = 100  # plays on one server, which is then replaced


def main(words: Sequence[str] | None = None) -> int:
    """Play and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.plays", description=__doc__.splitlines()[0])
    parser.add_argument("--plays", type=int, default=100, help="random plays under each condition  [default: 100]")
    parser.add_argument("--seed", type=int, default=1, help="of the first  [default: 1]")
    parser.add_argument("--length", type=int, default=32, help="acts of each  [default: 32]")
    parser.add_argument("--condition", action="append", default=[], metavar="NAME", help="all of them by default")
    parser.add_argument("--transport", choices=["websocket", "polling"], help="the condition's by default")
    parser.add_argument("--covering", action="store_true", help="play the covering plays too")
    options = parser.parse_args(words)
    refuse_unknown(parser, options.condition, NAMES, "condition")
    found = 0
    for name in options.condition or NAMES:
        for chunk in _chunks(options):
            came = play_under(name, chunk, options.transport)
            found += len(came.findings)
            print(f"{name}: {came.summary}", *came.findings, sep="\n      ", flush=True)
    return 1 if found else 0


def _chunks(options: argparse.Namespace) -> Iterator[list[Play]]:
    if options.covering:
        yield list(covering().plays)
    until = options.seed + options.plays
    for first in range(options.seed, until, _AT_A_TIME):
        yield [random_play(seed, options.length) for seed in range(first, min(first + _AT_A_TIME, until))]


if __name__ == "__main__":
    sys.exit(main())

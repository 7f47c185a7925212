"""Many runs or searches under hostile conditions, a line each; exit code 1 if any ended badly, 2 for wrong usage.

python -m tests.hostile proxy --runs 200 --seed 1 [--kind opens] [--transport polling] [--only AREA] [--verbose]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from tests.command_line import refuse_unknown
from tests.hostile.accident import Accident, judge_through
from tests.hostile.damage import KINDS
from tests.hostile.front import ACCIDENTS
from tests.hostile.proxy import Plan, mutating
from tests.hostile.suite_run import SuiteRun, judge, search
from tests.serving import reference_server


def proxied(options: argparse.Namespace) -> Iterator[tuple[str, SuiteRun]]:
    """Judge the reference server through the mutating proxy, once for each seed."""
    words = ["--timeout", options.timeout, "--transport", options.transport]
    words += [word for area in options.only for word in ("--only", area)]
    for seed in range(options.seed, options.seed + options.runs):
        plan = Plan.of(seed, options.kind)
        with reference_server() as (_, url), mutating(url, plan) as (damaged, proxy):
            run = judge(damaged, *words)
        yield f"seed {seed:4}  {plan!s:50}  damaged {proxy.done.total():5}", run


def searched(options: argparse.Namespace) -> Iterator[tuple[str, SuiteRun]]:
    """Search the reference server through the mutating proxy, once for each seed."""
    words = ["--timeout", options.timeout, "--transport", options.transport, "--plays", "20", "--minutes", "0.5"]
    for seed in range(options.seed, options.seed + options.runs):
        plan = Plan.of(seed, options.kind)
        with reference_server() as (_, url), mutating(url, plan) as (damaged, proxy):
            run = search(damaged, "--seed", seed, *words)
        yield f"seed {seed:4}  {plan!s:50}  damaged {proxy.done.total():5}", run


def killed(options: argparse.Namespace) -> Iterator[tuple[str, SuiteRun]]:
    """Judge the reference server, to which an accident happens in the middle, once for each seed."""
    words = ["--timeout", options.timeout, "--transport", options.transport]
    for seed in range(options.seed, options.seed + options.runs):
        accident = Accident.of(seed, options.kind)
        if options.moment is not None:
            accident = Accident(accident.name, options.moment)
        yield f"seed {seed:4}  {accident!s:30}", judge_through(accident, *words)


def main(words: Sequence[str] | None = None) -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["proxy", "search", "accidents"])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind")
    parser.add_argument("--moment", type=float, help="seconds; 0 for before the first request")
    parser.add_argument("--transport", default="websocket", choices=["websocket", "polling"])
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--timeout", default="0.2")
    parser.add_argument("--verbose", action="store_true", help="print what the run said where it ended badly")
    options = parser.parse_args(words)
    kinds = tuple(ACCIDENTS) if options.what == "accidents" else ("mixed", *KINDS)
    refuse_unknown(parser, [options.kind] if options.kind else [], kinds, "kind")
    bad = 0
    for name, run in {"proxy": proxied, "search": searched, "accidents": killed}[options.what](options):
        bad += bool(run.problem)
        print(f"{name}  exit {run.code:3}  {run.seconds:5.1f} s  {run.peak:4.0f} MB  {run.problem}", flush=True)
        if options.verbose and run.problem:
            print(run.said[-3000:])
    print(f"{bad} of {options.runs} ended as they must not")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())

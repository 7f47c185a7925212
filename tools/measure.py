"""Measures what the README claims, and writes it down: ``python -m tools.measure [PART ...] [--runs N] [--write]``.

What the suite can see (faulty servers, the Node.js peer's faults), what it never says wrongly (the peer, the
weathers), and how its output looks. Prints each line as it is known. With ``--write`` the figures go to
``docs/measured/``, from where tools/generate_docs.py puts them into the README. Exits with 1 if anything was
not as it should be.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

from tests.false_alarms.forecast import WEATHERS, climates, day
from tests.mutants import judging as faulty
from tests.mutants.fault import Charge, all_faults
from tests.other_stacks import judging as peers
from tools.generate_docs import MEASURED, ROOT

from dungeonlab_conformance.checks.registry import all_checks
from dungeonlab_conformance.results.run import Run
from dungeonlab_spec import Catalogue

ECHO = "EchoesToTheSender"
_FAR = 60  # seconds that a run over a far link may take
_AT_ONCE = 8  # weathers side by side: the more, the worse each of them is
Line = tuple[str, str, bool]  # what, how many of how many, and whether that is all of them


def _faulty(_: int) -> Iterator[Line]:
    faults = all_faults()
    demanded = {r.id for r in Catalogue.load().requirements.values() if r.level != "MAY" and not r.untestable}
    covered = demanded & {name for fault in faults.values() for name in fault.breaks}
    yield _of("requirements with a faulty server", len(covered), len(demanded))
    caught = exact = 0
    said_no: set[str] = set()
    for name, run in faulty.judge_all(faults):
        caught += bool(faulty.broken(run) & faults[name].breaks)
        exact += _exact(faults[name], run)
        said_no |= faulty.who_said_no(run)
    checks = {check.name for check in all_checks() if demanded & set(check.requirements)}
    yield _of("checks that found a faulty server out", len(checks & said_no), len(checks))
    yield _of("faulty servers caught", caught, len(faults))
    yield _of("faulty servers blamed exactly", exact, len(faults))


def _peer(runs: int) -> Iterator[Line]:
    clean: dict[str, int] = dict.fromkeys(peers.TRANSPORTS, 0)
    for transport, run in peers.judge_clean(runs):
        clean[transport] += not peers.red(run) or _aside(f"peer over {transport}: {peers.red(run)}")
    for transport, count in clean.items():
        yield _of(f"Node.js peer, clean runs over {transport}", count, runs)
    faults = peers.all_faults()
    exact = 0
    for name, run in peers.judge_faulty(faults):
        exact += _exact(faults[name], run)
    yield _of("Node.js peer, faults caught and blamed exactly", exact, len(faults))


def _weather(runs: int) -> Iterator[Line]:
    for name, climate in climates(WEATHERS, runs, _AT_ONCE).items():
        for one in climate.days:
            _ = one.red and _aside(f"{name}: {one.red}")
        yield _of(f"clean when {WEATHERS[name].claim}", climate.clean, len(climate.days))
    with_nothing_beside = day("far").seconds
    yield "one run over that far link, in seconds", f"{with_nothing_beside:.0f}", with_nothing_beside < _FAR


def _exact(charge: Charge, run: Run) -> bool:
    lines = faulty.misjudged(charge, run)
    return not lines or _aside(f"{charge.name}: {lines}")


def _aside(text: str) -> bool:
    """Say on standard error what is not as it should be; returns False, which counts as none."""
    print(text, file=sys.stderr, flush=True)
    return False


def _of(what: str, count: int, whole: int) -> Line:
    return what, f"{count} of {whole}", count == whole


def samples() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each sample of the command line's output, as it comes out of a pipe."""
    yield "conformant", _told("dungeonlab-conformance run")
    with faulty.served(ECHO) as url:
        only = "--only rooms/sender-hears-nothing --event chat-message"
        yield "broken", _told(f"dungeonlab-conformance run {url} {only}")


def _told(command: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "GITHUB_ACTIONS")}
    told = subprocess.run(
        command.split(), capture_output=True, text=True, check=False, env={**environment, "COLUMNS": "100"}
    )
    lines = [line.rstrip() for line in told.stdout.strip("\n").splitlines()]
    return "\n".join([f"$ {command}", *lines, ""])


PARTS: Mapping[str, Callable[[int], Iterator[Line]]] = {"faulty": _faulty, "peer": _peer, "weather": _weather}


def main() -> int:
    """Measure, print, and write if asked to; return the exit code."""
    parser = argparse.ArgumentParser(description="Measure what the README claims.")
    every = [*PARTS, "samples"]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(every)}; all but the last by default")
    parser.add_argument("--runs", type=int, default=20, help="of each peer, transport and weather  [default: 20]")
    parser.add_argument("--write", action="store_true", help=f"write what is found to {MEASURED}/")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(every):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    told: dict[str, str] = {}
    good = True
    for part in [name for name in PARTS if name in (asked.parts or PARTS)]:
        told[part] = ""
        for what, figures, whole in PARTS[part](asked.runs):
            line = f"{what:<66}{figures}"
            print(line + ("" if whole else "  <--"), flush=True)
            told[part] += line + "\n"
            good = good and whole
    if "samples" in asked.parts:
        told |= dict(samples())
    for name, text in told.items() if asked.write else ():
        (ROOT / MEASURED / f"{name}.txt").write_text(text, "utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

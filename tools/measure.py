"""Measures what the README claims, and writes it down: ``python -m tools.measure [PART ...] [--runs N] [--write]``.

Faults found (in faulty servers and in the Node.js server), runs without a false alarm (on the Node.js server, and under
adverse conditions), and what the output looks like. Prints each line as it is known. With ``--write`` the figures go to
``docs/measured/``, from where tools/generate_docs.py puts them into the README. Exits with 1 if anything was
not as it should be.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

from tests.false_alarms.conditions import CONDITIONS
from tests.false_alarms.trial import run_series, run_trial
from tests.mutants import judge as mutants
from tests.mutants.combination import combine, fault_named, members
from tests.mutants.fault import Expectation, all_faults
from tests.other_stacks import judge as other_stacks
from tools.generate_docs import MEASURED, ROOT

from dungeonlab_conformance.checks.registry import all_checks
from dungeonlab_conformance.results.run import Run
from dungeonlab_spec import Catalogue

ECHO, SILENT = "EchoesToTheSender", "CreatesInSilence"
_FAR = 60  # seconds that a run over a far link may take
_AT_ONCE = 8  # runs side by side: the more, the worse each of them is
Line = tuple[str, str, bool]  # what, how many of how many, and whether that is all of them


def _mutants(_: int) -> Iterator[Line]:
    faults = all_faults()
    demanded = {r.id for r in Catalogue.load().requirements.values() if r.level != "MAY" and r.side == "server"}
    covered = demanded & {name for fault in faults.values() for name in fault.breaks}
    yield _of("requirements with a faulty server", len(covered), len(demanded))
    caught = exact = 0
    said_no: set[str] = set()
    for name, run in mutants.judge_all(combine(faults.values())):
        those = members(name)  # that were in one server
        caught += sum(bool(mutants.broken(run) & faults[one].breaks) for one in those)
        exact += len(those) * _exact(fault_named(name), run)
        said_no |= mutants.who_said_no(run)
    checks = {check.name for check in all_checks() if demanded & set(check.requirements)}
    yield _of("checks that found a faulty server out", len(checks & said_no), len(checks))
    yield _of("faulty servers caught", caught, len(faults))
    yield _of("faulty servers blamed exactly", exact, len(faults))


def _other_stack(runs: int) -> Iterator[Line]:
    clean: dict[str, int] = dict.fromkeys(other_stacks.TRANSPORTS, 0)
    for transport, run in other_stacks.judge_clean(runs):
        red = other_stacks.red(run)
        clean[transport] += not red or _report(f"Node.js server over {transport}: {red}")
    for transport, count in clean.items():
        yield _of(f"Node.js server, clean runs over {transport}", count, runs)
    faults = other_stacks.all_faults()
    exact = 0
    for name, run in other_stacks.judge_faulty(faults):
        exact += _exact(faults[name], run)
    yield _of("Node.js server, faults caught and blamed exactly", exact, len(faults))


def _false_alarms(runs: int) -> Iterator[Line]:
    for name, series in run_series(CONDITIONS, runs, _AT_ONCE).items():
        for one in series.trials:
            _ = one.red and _report(f"{name}: {one.red}")
        yield _of(CONDITIONS[name].claim, series.clean, len(series.trials))
    seconds = run_trial("far").seconds
    yield "one run over that far link, in seconds", f"{seconds:.0f}", seconds < _FAR


def _exact(expectation: Expectation, run: Run) -> bool:
    lines = mutants.misjudged(expectation, run)
    return not lines or _report(f"{expectation.name}: {lines}")


def _report(text: str) -> bool:
    """Print on standard error what went wrong; returns False."""
    print(text, file=sys.stderr, flush=True)
    return False


def _of(what: str, count: int, whole: int) -> Line:
    return what, f"{count} of {whole}", count == whole


def samples() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each sample of the command line's output, as it comes out of a pipe."""
    yield "conformant", _output_of("dungeonlab-conformance run")
    with mutants.served(ECHO) as url:
        only = "--only rooms/sender-hears-nothing --event chat-message"
        yield "broken", _output_of(f"dungeonlab-conformance run {url} {only}")
    with mutants.served(SILENT) as url:
        yield "silent", _output_of(f"dungeonlab-conformance run {url} --timeout 0.3", last=2)


def _output_of(command: str, last: int = 0) -> str:
    """Return a command and its output; no more of that than the `last` lines, unless that is 0."""
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "GITHUB_ACTIONS")}
    done = subprocess.run(
        command.split(), capture_output=True, text=True, check=False, env={**environment, "COLUMNS": "100"}
    )
    lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    end = f" | tail -n {last}" if last else ""
    return "\n".join([f"$ {command}{end}", *lines[-last:], ""])


PARTS: Mapping[str, Callable[[int], Iterator[Line]]] = {
    "mutants": _mutants,
    "other-stack": _other_stack,
    "false-alarms": _false_alarms,
}


def main() -> int:
    """Measure, print, and write if asked to; return the exit code."""
    parser = argparse.ArgumentParser(description="Measure what the README claims.")
    every = [*PARTS, "samples"]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(every)}; all but the last by default")
    parser.add_argument("--runs", type=int, default=20, help="per transport and condition  [default: 20]")
    parser.add_argument("--write", action="store_true", help=f"write what is found to {MEASURED}/")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(every):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    texts: dict[str, str] = {}
    good = True
    for part in [name for name in PARTS if name in (asked.parts or PARTS)]:
        texts[part] = ""
        for what, figures, whole in PARTS[part](asked.runs):
            line = f"{what:<72}{figures}"
            print(line + ("" if whole else "  <--"), flush=True)
            texts[part] += line + "\n"
            good = good and whole
    if "samples" in asked.parts:
        texts |= dict(samples())
    for name, text in texts.items() if asked.write else ():
        (ROOT / MEASURED / f"{name}.txt").write_text(text, "utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

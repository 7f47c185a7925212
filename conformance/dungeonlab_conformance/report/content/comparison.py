"""In which verdicts several runs differ, and in what words each of them says so."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.report.content.grouping import requirement_of
from dungeonlab_conformance.report.content.headline import counted
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import counts
from dungeonlab_conformance.results.verdict import Outcome, Verdict, VerdictKey
from dungeonlab_conformance.text.printable import escaped, one_line, shortened

FORMAT = 1
_LONGEST = 2_000  # characters of what was expected or got, in JSON
_SHOWN = 300  # and in a line


@dataclass(frozen=True, slots=True)
class Difference:
    """One verdict that is not the same in all runs; None where a run does not have it."""

    key: VerdictKey
    verdicts: tuple[Verdict | None, ...]

    @property
    def outcomes(self) -> tuple[Outcome | None, ...]:
        """What became of it in each run."""
        return tuple(verdict.outcome if verdict else None for verdict in self.verdicts)


def differences(runs: Sequence[Run]) -> list[Difference]:
    """Return in what runs differ: what the last one has in its order, then what it lacks."""
    judged = [{verdict.key: verdict for verdict in run.verdicts} for run in runs]
    keys = dict.fromkeys(itertools.chain(*reversed([list(verdicts) for verdicts in judged])))
    found = [Difference(key, tuple(verdicts.get(key) for verdicts in judged)) for key in keys]
    return [difference for difference in found if len(set(difference.outcomes)) > 1]


def lines(runs: Sequence[Run], width: int = 80) -> Iterator[tuple[str, str]]:
    """Yield the comparison of runs as lines of about that width, each with its look: an outcome, bold, dim or nothing.

    Runs are called by their numbers; verdicts on several events in which they differ in the same way stand together.
    """
    for number, run in enumerate(runs, 1):
        summed = ", ".join(f"{count} {name}" for name, count in counts(run.verdicts).items() if count)
        yield "bold", f"{number}  {one_line(run.subject)}"
        yield "dim", f"   {counted(len(run.verdicts), 'verdict')} in {run.seconds:.1f} s: {summed}"
    found = differences(runs)
    groups: dict[tuple[str, tuple[Outcome | None, ...]], list[Difference]] = {}
    for difference in found:
        groups.setdefault((difference.key.requirement, difference.outcomes), []).append(difference)
    for (requirement, _), alike in groups.items():
        yield "", ""
        yield from _group(requirement, alike, width)
    yield "", ""
    named = {difference.key.requirement for difference in found}
    many = f"{counted(len(found), 'verdict')} {'differs' if len(found) == 1 else 'differ'}"
    yield "bold", f"{many}, on {counted(len(named), 'requirement')}" if found else "no verdict differs"


def _group(requirement: str, alike: list[Difference], width: int) -> Iterator[tuple[str, str]]:
    yield "bold", f"{requirement_of(requirement).level}  {one_line(requirement)}"
    if events := [difference.key.event for difference in alike if difference.key.event]:
        said = f"for {', '.join(map(one_line, events))}"
        yield from (("dim", f"   {line}") for line in textwrap.wrap(said, width - 3, break_on_hyphens=False))
    for number, verdict in enumerate(alike[0].verdicts, 1):
        outcome = str(verdict.outcome) if verdict else "absent"
        why = reason(verdict) if verdict else ""
        room = min(_SHOWN, width - 14)
        yield outcome, f"   {number}  {outcome:<8}{one_line(shortened(why, room))}".rstrip()
        if verdict and verdict.findings:
            yield "dim", f"{'':14}got {one_line(shortened(verdict.findings[0].got, room - 4))}"


def reason(verdict: Verdict) -> str:
    """Return in one line why a verdict is what it is: what was expected, or why nothing was shown."""
    if not verdict.findings:
        return verdict.reason
    finding = verdict.findings[0]
    return f"expected {finding.expected}" + (f" at {finding.path}" if finding.path else "")


def to_json(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the comparison as one JSON object: the servers, and the verdicts in which they differ, in their order."""
    return {
        "format": FORMAT,
        "servers": [
            {
                "target": run.target,
                "targetFile": run.target_file,
                "exitCode": run.exit_code,
                "seconds": round(run.seconds, 3),
                "counts": counts(run.verdicts),
            }
            for run in runs
        ],
        "differences": [
            {
                **difference.key._asdict(),
                "level": requirement_of(difference.key.requirement).level,
                "sentence": requirement_of(difference.key.requirement).sentence,
                "verdicts": [_verdict(verdict) for verdict in difference.verdicts],
            }
            for difference in differences(runs)
        ],
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    row: dict[str, Any] = {"outcome": str(verdict.outcome), "reason": verdict.reason}
    for finding in verdict.findings[:1]:
        row |= {"expected": shortened(finding.expected, _LONGEST), "got": shortened(finding.got, _LONGEST)}
        row["path"] = finding.path
    return row


def text(runs: Sequence[Run]) -> str:
    """Return the same as a JSON text."""
    return escaped(json.dumps(to_json(runs), indent=1, ensure_ascii=False)) + "\n"

"""The verdicts of a run, gathered by requirement and by area, for reports that show them so."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

from dungeonlab_conformance.results.causes import causes
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_spec import Catalogue, Requirement

WORST_FIRST = (
    Outcome.ERROR,
    Outcome.FAIL,
    Outcome.WARN,
    Outcome.UNJUDGED,
    Outcome.SKIPPED,
    Outcome.NOTE,
    Outcome.PASS,
)


@dataclass(frozen=True, slots=True)
class RequirementVerdicts:
    """One requirement with its verdicts, one for each event or a single one."""

    requirement: Requirement
    verdicts: tuple[Verdict, ...]

    @property
    def worst(self) -> Outcome:
        """The outcome that most needs to be looked at."""
        return min((v.outcome for v in self.verdicts), key=WORST_FIRST.index)

    @property
    def broken(self) -> bool:
        """Whether a MUST or SHOULD was broken for any event."""
        return any(v.outcome in (Outcome.FAIL, Outcome.WARN) for v in self.verdicts)


@dataclass(frozen=True, slots=True)
class Area:
    """One area of the protocol with what was judged in it."""

    name: str
    judged: tuple[RequirementVerdicts, ...]

    @property
    def verdicts(self) -> list[Verdict]:
        """All verdicts of the area."""
        return [verdict for judged in self.judged for verdict in judged.verdicts]


def areas(run: Run) -> list[Area]:
    """Return the areas of a run in the catalogue's order, as the run has them."""
    found: dict[str, list[RequirementVerdicts]] = {}
    for name, verdicts in itertools.groupby(run.verdicts, key=lambda v: v.requirement):
        judged = RequirementVerdicts(requirement_of(name), tuple(verdicts))
        found.setdefault(judged.requirement.area, []).append(judged)
    return [Area(name, tuple(rows)) for name, rows in found.items()]


def broken(run: Run) -> list[RequirementVerdicts]:
    """Return the requirements that were broken: what most other verdicts wait for first, then every MUST."""
    rows = [judged for area in areas(run) for judged in area.judged if judged.broken]
    waiting: Counter[str] = Counter()
    for cause in causes(run.verdicts):
        waiting[cause.key.requirement] += len(cause.waiting)
    return sorted(rows, key=lambda judged: (-waiting[judged.requirement.id], judged.requirement.level != "MUST"))


def to_mend(run: Run) -> list[RequirementVerdicts]:
    """Return those of them that are not known, with the verdicts that are not."""
    rows = (
        RequirementVerdicts(j.requirement, tuple(v for v in j.verdicts if v.findings and not v.known))
        for j in broken(run)
    )
    return [judged for judged in rows if judged.verdicts]


def requirement_of(name: str) -> Requirement:
    """Return a requirement of the catalogue; a stand-in for one that a later result brings along."""
    known = Catalogue.load().requirements.get(name)
    gone = "This version of the catalogue does not have this requirement."
    return known or Requirement(name, "MAY", "-", gone, "unknown", "-", None, "Read the result with its own suite.")

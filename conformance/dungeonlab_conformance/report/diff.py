"""What changed between two runs, verdict by verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dungeonlab_conformance.report.content.comparison import differences
from dungeonlab_conformance.report.content.grouping import WORST_FIRST
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, verdict_title
from dungeonlab_conformance.text.printable import one_line

_HELD = (Outcome.PASS, Outcome.NOTE)
_BROKEN = (Outcome.FAIL, Outcome.WARN, Outcome.ERROR)


@dataclass(frozen=True, slots=True)
class Change:
    """One verdict that is not what it was. None stands for: not in that result."""

    requirement: str
    event: str | None
    before: Outcome | None
    after: Outcome | None

    @property
    def worse(self) -> bool:
        """Whether it needs to be looked at.

        A new verdict is worse if it is broken, a vanished one if it held before: what is no longer judged is not
        known to hold. Otherwise it is worse if the outcome is; a MAY that is taken up or not never is.
        """
        if self.after is None:
            return self.before in _HELD
        if self.before is None:
            return self.after in _BROKEN
        return _rank(self.after) < _rank(self.before)

    @property
    def better(self) -> bool:
        """Whether it holds now and did not before."""
        return self.before is not None and self.before not in _HELD and self.after in _HELD

    def __str__(self) -> str:
        name = one_line(verdict_title(self.requirement, self.event))
        return f"{name}: {self.before or 'absent'} -> {self.after or 'absent'}"


def changes(old: Run, new: Run) -> list[Change]:
    """Return the verdicts whose outcome changed, appeared or vanished; what got worse first."""
    found = [Change(*difference.key, *difference.outcomes) for difference in differences([old, new])]
    return sorted(found, key=lambda change: (not change.worse, change.better))


def text(found: list[Change]) -> str:
    """Return the changes for a terminal, one a line under three headings; one line if there are none."""
    return "\n".join(_lines(found))


def exit_code(found: list[Change]) -> int:
    """Return 1 if anything got worse, 0 if not; 2, wrong usage, is the caller's for a document that is no result."""
    return int(any(change.worse for change in found))


def _lines(found: list[Change]) -> Iterator[str]:
    if not found:
        yield "nothing changed"
    for heading, some in (
        ("worse", [c for c in found if c.worse]),
        ("changed", [c for c in found if not c.worse and not c.better]),
        ("better", [c for c in found if c.better]),
    ):
        if some:
            yield f"{heading} ({len(some)})"
            yield from (f"  {change}" for change in some)


def _rank(outcome: Outcome) -> int:
    return WORST_FIRST.index(Outcome.PASS if outcome is Outcome.NOTE else outcome)

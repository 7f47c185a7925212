"""What follows from the plays that a verdict of a search rests on: what was broken, and how often it was seen. Pure.

The search concludes from what it has just played, and `recheck` from what was kept of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dungeonlab_conformance.invariants.breaches import Breach
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.results.verdict import BROKEN, Outcome, VerdictKey
from dungeonlab_conformance.runner.evaluation import Recording
from dungeonlab_spec import Level

AGAIN = 10  # times that the shortest play is played


@dataclass(frozen=True, slots=True)
class Trial:
    """Plays that were carried out, and judged together, for what they show about one verdict.

    `counted` says that they are one play, carried out again and again to see how often it shows that; else something
    that breaks the requirement was come upon in them.
    """

    key: VerdictKey
    counted: bool
    recording: Recording

    @property
    def plays(self) -> int:
        """How many plays were carried out."""
        return len(self.recording.scenes)

    @property
    def observations(self) -> int:
        """How much was seen in them."""
        return sum(len(scene.journal.observations) for scene in self.recording.scenes)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What trials of one verdict come to: what was broken `first`, if anything, and in how many of how many plays."""

    first: Breach | None
    seen: int
    times: int

    @property
    def how_often(self) -> str:
        """The figures, as a finding says them."""
        return f"seen {self.seen} of {self.times} times"

    def outcome(self, level: Level) -> Outcome:
        """Return what becomes of a requirement of this level: what is not seen each time is a warning."""
        return BROKEN[level] if self.seen == self.times >= AGAIN else Outcome.WARN


def conclusion(trials: Iterable[tuple[Trial, Sequence[Breach]]]) -> Conclusion:
    """Return what follows from trials of one verdict, each with all that the rules find in it.

    Where no play was counted, what was come upon was seen once.
    """
    shown = [(trial, first_of_each(breaches, trial.key)) for trial, breaches in trials]
    first = next((breach for _, found in shown for breach in found), None)
    counted = [(trial, found) for trial, found in shown if trial.counted]
    if not counted:
        return Conclusion(first, 1, 1)
    return Conclusion(first, sum(len(found) for _, found in counted), sum(trial.plays for trial, _ in counted))


def first_of_each(breaches: Iterable[Breach], key: VerdictKey) -> list[Breach]:
    """Return what breaks a requirement in each play, and there the first thing that does."""
    found: dict[Journal, Breach] = {}
    for breach in breaches:
        if key_of(breach) == key:
            found.setdefault(breach.journal, breach)
    return list(found.values())


def key_of(breach: Breach) -> VerdictKey:
    """Return which verdict a breach is about."""
    return VerdictKey(breach.requirement, breach.event)

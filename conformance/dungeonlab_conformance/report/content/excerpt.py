"""Which lines of a finding a report shows where not all fit.

Of its transcript it is those around the one that convicts, of the play in which it was seen the last acts.
"""

from __future__ import annotations

from dataclasses import dataclass

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report.content.headline import counted
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.text.printable import shortened

ACTS = 20  # of a play, in reports that do not show all
_ACT = 300  # characters of an act
_AFTERWARDS = 5  # one line in so many of what is shown comes after the one that convicts


@dataclass(frozen=True, slots=True)
class ExcerptLine:
    """One line of a transcript, and whether it convicts."""

    line: TranscriptLine
    convicts: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The lines that are shown, how many the result has `before` and `after` them, and how many it lost."""

    lines: tuple[ExcerptLine, ...]
    before: int
    after: int
    lost: int

    @property
    def opening(self) -> str:
        """What stands above the lines; empty where nothing is left out there."""
        lost = f" ({self.lost} not kept, to bound the size of the result)" if self.lost else ""
        hidden = self.before + self.lost
        return f"… {counted(hidden, 'earlier line')}{lost}" if hidden else ""

    @property
    def ending(self) -> str:
        """What stands below the lines; empty where nothing is left out there."""
        return f"… {counted(self.after, 'later line')}" if self.after else ""


def excerpt(finding: Finding, most: int | None = None) -> Excerpt:
    """Return `most` lines of a finding's transcript, all by default; the last ones where no single line convicts."""
    lines, convicting = finding.transcript, finding.convicting
    places = window(len(lines), convicting, len(lines) if most is None else most)
    shown = (ExcerptLine(lines[place], place == convicting) for place in places)
    return Excerpt(tuple(shown), places.start, len(lines) - places.stop, finding.left_out)


@dataclass(frozen=True, slots=True)
class ActsExcerpt:
    """The acts of a play that are shown, each with its number, and how many come `before` them."""

    acts: tuple[tuple[int, str], ...]
    before: int

    @property
    def opening(self) -> str:
        """What stands above the acts; empty where all are shown."""
        return f"… {counted(self.before, 'earlier act')}" if self.before else ""


def acts_excerpt(finding: Finding, most: int | None = ACTS) -> ActsExcerpt:
    """Return the last acts of the play in which a finding was seen; None is all of them. Scenes have no acts."""
    before = 0 if most is None else max(0, len(finding.acts) - most)
    shown = ((number, shortened(act, _ACT)) for number, act in enumerate(finding.acts[before:], before + 1))
    return ActsExcerpt(tuple(shown), before)


def window(lines: int, convicting: int | None, most: int) -> range:
    """Return which lines of a transcript are shown if `most` of them are: around what convicts, or else the last."""
    last = lines - 1 if convicting is None else min(convicting + most // _AFTERWARDS, lines - 1)
    first = max(0, last + 1 - most)
    return range(first, min(lines, first + most))

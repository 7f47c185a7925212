"""What became of one requirement: the outcome, and the findings that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_spec import Level


class Outcome(StrEnum):
    """What became of one requirement."""

    PASS = "pass"
    FAIL = "fail"  # a MUST was broken
    WARN = "warn"  # a SHOULD was broken, or by a search a MUST, though not each time
    NOTE = "note"  # a MAY was not taken up
    SKIPPED = "skipped"  # the target lacks a capability, which is named
    UNJUDGED = "unjudged"  # nothing could be shown, with the reason
    ERROR = "error"  # the suite's own fault


def scene_name(check: str, event: str | None) -> str:
    """Return how messages name a scene: by its check, and the event it is played for, if it is played for one."""
    return f"{check}[{event}]" if event else check


def verdict_title(requirement: str, event: str | None) -> str:
    """Return how messages name a verdict: by its requirement, and the event, if it is judged for one."""
    return f"{requirement} [{event}]" if event else requirement


class VerdictKey(NamedTuple):
    """What one verdict is about: a requirement, for one event or, if it is judged once, for none."""

    requirement: str
    event: str | None = None

    @property
    def title(self) -> str:
        """How messages name it."""
        return verdict_title(self.requirement, self.event)


BROKEN: dict[Level, Outcome] = {"MUST": Outcome.FAIL, "SHOULD": Outcome.WARN, "MAY": Outcome.NOTE}


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a requirement was broken, with all its author needs to see it.

    It was seen in the scene of a `check`, played for an `event` or for none, which judges `requirements`. `convicting`
    is the line of the transcript that shows it, counted from 0, where a single one does; `left_out` lines came before
    those of the transcript. `ids` are the ids of the scene's stage, by what they are of, and `cast` who each actor is
    logged in as: what it takes to play the transcript again on another stage. `sent` is the request that the server got
    wrong, where there is a single one; the transcript need not have it. It is `from_record` if a rule for every scene
    found it, so that it follows from what was recorded; else the scene itself did. `acts` are those of the play in
    which it was seen, up to what convicts, or in a search all of the shortest play, and `how_often` says how often that
    showed it.
    """

    expected: str
    got: str
    path: str | None = None
    check: str = ""
    event: str | None = None
    requirements: tuple[str, ...] = ()
    transcript: tuple[TranscriptLine, ...] = ()
    convicting: int | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    cast: Mapping[str, str | None] = field(default_factory=dict)
    left_out: int = 0
    sent: TranscriptLine | None = None
    from_record: bool = False
    acts: tuple[str, ...] = ()
    how_often: str = ""

    @property
    def from_a_play(self) -> bool:
        """Whether it was seen in one of the covering plays, which are played for no requirement."""
        return self.from_record and not self.requirements and not self.how_often

    @property
    def scene(self) -> str:
        """The name of the scene in which it was seen."""
        return scene_name(self.check, self.event)


@dataclass(slots=True)
class Verdict:
    """What became of one requirement for one event (or for none, if it is judged once).

    `check` names the scene that judged it, which was played for the same event, and `seconds` is how long that took;
    several requirements may share a scene. `known` is the reason why a failure is accepted, if it is. `waits_for` names
    what has to hold before this can be judged: the requirement that stood in the way.
    """

    requirement: str
    event: str | None
    level: Level
    outcome: Outcome
    reason: str = ""
    findings: list[Finding] = field(default_factory=list)
    check: str = ""
    seconds: float = 0.0
    known: str = ""
    waits_for: VerdictKey | None = None

    @property
    def key(self) -> VerdictKey:
        """What it is about."""
        return VerdictKey(self.requirement, self.event)

    @property
    def scene(self) -> str:
        """The name of the scene that judged it."""
        return scene_name(self.check, self.event)

    @property
    def title(self) -> str:
        """How messages name it."""
        return self.key.title

    @property
    def gravity(self) -> tuple[int, bool]:
        """How grave it is, for comparing; of two that could not be reached, the one that names a cause says more."""
        return _GRAVITY.index(self.outcome), self.waits_for is not None

    def convict(self, finding: Finding) -> None:
        """Add a finding; whatever the verdict was, it is broken now."""
        self.findings.append(finding)
        if self.outcome is not Outcome.ERROR:
            self.outcome = BROKEN[self.level]
            self.reason, self.waits_for = "", None

    def joined_by(self, other: Verdict) -> Verdict:
        """Return the graver of two verdicts on the same, with the findings of both, each once."""
        worse = max(self, other, key=lambda verdict: verdict.gravity)
        return replace(
            worse,
            findings=[*self.findings, *(f for f in other.findings if f not in self.findings)],
            seconds=self.seconds + other.seconds,
        )


_GRAVITY = (
    Outcome.PASS,
    Outcome.SKIPPED,
    Outcome.UNJUDGED,
    Outcome.NOTE,
    Outcome.WARN,
    Outcome.FAIL,
    Outcome.ERROR,
)


LEVELS: tuple[Level, ...] = ("MUST", "SHOULD", "MAY")


def fails(verdict: Verdict, fail_on: Level = "MUST") -> bool:
    """Whether a verdict fails a run, unless it is known: broken or not shown, at a level that counts.

    A MUST that a search saw broken only at times is a warning, and fails nothing.
    """
    counted = LEVELS[: LEVELS.index(fail_on) + 1]
    return verdict.level in counted and verdict.outcome in (BROKEN[verdict.level], Outcome.UNJUDGED)

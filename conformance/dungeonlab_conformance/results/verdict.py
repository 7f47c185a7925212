"""What a check can come to, and the exceptions by which a scene says so.

    Outcome     of one requirement, for one event where it is judged per event
    Broken      the server broke a requirement
    Unjudged    nothing could be shown either way, for the stated reason
    Missing     the target lacks a part that the check needs; a kind of Unjudged with its own outcome
    TargetFault the target could not be tested at all (unreachable, login refused, ...)

Any other exception out of a scene is the suite's own fault, never a finding about the server.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dungeonlab_spec import Level


class Outcome(StrEnum):
    """What became of one requirement."""

    PASS = "pass"
    FAIL = "fail"  # a MUST was broken
    WARN = "warn"  # a SHOULD was broken
    NOTE = "note"  # a MAY was not taken up
    SKIPPED = "skipped"  # the target lacks a capability, which is named
    UNJUDGED = "unjudged"  # nothing could be shown, with the reason
    ERROR = "error"  # the suite's own fault


BROKEN: dict[Level, Outcome] = {"MUST": Outcome.FAIL, "SHOULD": Outcome.WARN, "MAY": Outcome.NOTE}


class Broken(Exception):  # noqa: N818 - a finding, not an error of ours
    """The server broke a requirement: what was expected, what came, and where in the payload.

    `at` is when that was found, in seconds on the monotonic clock.
    """

    def __init__(self, expected: str, got: str, path: str | None = None) -> None:
        super().__init__(f"expected {expected}; got {got}")
        self.expected = expected
        self.got = got
        self.path = path
        self.at = time.monotonic()


class Unjudged(Exception):  # noqa: N818
    """The scene could not show anything, for the stated reason."""


class Missing(Unjudged):
    """The target has no such capability."""


class TargetFault(Exception):  # noqa: N818
    """The target cannot be tested; the message is one sentence that says why and what to do."""


class NotUp(TargetFault):
    """There is no server to be tested yet; it may be starting."""


class Unreachable(NotUp):
    """Nothing listens at the target's address."""


class Gone(Unjudged):
    """The server, or one connection to it, is not there any more."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript: `at` in milliseconds since the scene began, the arguments as JSON.

    `cut` says that the body is not whole. `act` is one of `journal.Act`.
    """

    at: float
    actor: str
    act: str
    event: str
    body: str
    connection: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a requirement was broken, with all its author needs to see it.

    `ids` are the ids of the scene's stage, by what they are of, and `cast` who each actor is logged in as: what it
    takes to play the transcript again on another stage. `left_out` lines came before those of the transcript.
    """

    expected: str
    got: str
    path: str | None = None
    scene: str = ""
    transcript: tuple[Line, ...] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    cast: Mapping[str, str | None] = field(default_factory=dict)
    left_out: int = 0


@dataclass(slots=True)
class Verdict:
    """What became of one requirement for one event (or for none, if it is judged once).

    `seconds` is how long the scene took that judged it; several requirements may share a scene. `known` is the
    reason why a failure is accepted, if it is.
    """

    requirement: str
    event: str | None
    level: Level
    outcome: Outcome
    reason: str = ""
    findings: list[Finding] = field(default_factory=list)
    scene: str = ""
    seconds: float = 0.0
    known: str = ""

    def convict(self, finding: Finding) -> None:
        """Add a finding; whatever the verdict was, it is broken now."""
        self.findings.append(finding)
        if self.outcome is not Outcome.ERROR:
            self.outcome = BROKEN[self.level]
            self.reason = ""

    def joined_by(self, other: Verdict) -> Verdict:
        """Return the graver of two verdicts on the same, with the findings of both."""
        worse = max(self, other, key=lambda verdict: _GRAVITY.index(verdict.outcome))
        return replace(worse, findings=[*self.findings, *other.findings], seconds=self.seconds + other.seconds)


_GRAVITY = (
    Outcome.PASS,
    Outcome.SKIPPED,
    Outcome.UNJUDGED,
    Outcome.NOTE,
    Outcome.WARN,
    Outcome.FAIL,
    Outcome.ERROR,
)

EXIT_OK, EXIT_BROKEN, EXIT_USAGE, EXIT_TARGET, EXIT_SUITE, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130


LEVELS: tuple[Level, ...] = ("MUST", "SHOULD", "MAY")


def fails(verdict: Verdict, fail_on: Level = "MUST") -> bool:
    """Whether a verdict fails a run, unless it is known: broken or not shown, at a level that counts."""
    counted = LEVELS[: LEVELS.index(fail_on) + 1]
    return verdict.level in counted and verdict.outcome in (*BROKEN.values(), Outcome.UNJUDGED)


def exit_code(
    verdicts: list[Verdict],
    *,
    interrupted: bool = False,
    fault: str | None = None,
    fail_on: Level = "MUST",
    stale: bool = False,
) -> int:
    """Say how a run ends: the suite's own fault first, then what was proved, then what could not be.

    `stale` is whether the list of known failures has something wrong. A run that skipped everything has shown nothing.
    """
    if any(v.outcome is Outcome.ERROR for v in verdicts):
        return EXIT_SUITE
    if interrupted:
        return EXIT_INTERRUPTED
    failing = {v.outcome for v in verdicts if fails(v, fail_on) and not v.known}
    if failing - {Outcome.UNJUDGED} or stale:
        return EXIT_BROKEN
    nothing = bool(verdicts) and all(v.outcome is Outcome.SKIPPED for v in verdicts)
    return EXIT_TARGET if fault or failing or nothing else EXIT_OK

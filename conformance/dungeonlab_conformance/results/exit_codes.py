"""How a run ends: the exit codes, and which one follows from what."""

from __future__ import annotations

from dungeonlab_conformance.results.verdict import Outcome, Verdict, fails
from dungeonlab_spec import Level

EXIT_OK, EXIT_BROKEN, EXIT_USAGE, EXIT_TARGET, EXIT_SUITE, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130


def exit_code(
    verdicts: list[Verdict],
    *,
    interrupted: bool = False,
    fault: str | None = None,
    fail_on: Level = "MUST",
    stale: bool = False,
    watched: bool = False,
) -> int:
    """Say how a run ends: the suite's own fault first, then what was proved, then what could not be.

    `stale` is whether the list of known failures has something wrong. A run that skipped everything has shown nothing.
    Where what came by itself was `watched`, what was not seen fails nothing, unless nothing was.
    """
    if any(v.outcome is Outcome.ERROR for v in verdicts):
        return EXIT_SUITE
    if interrupted:
        return EXIT_INTERRUPTED
    failing = {v.outcome for v in verdicts if fails(v, fail_on) and not v.known}
    if failing - {Outcome.UNJUDGED} or stale:
        return EXIT_BROKEN
    unseen = {Outcome.UNJUDGED} if watched else set()
    failing -= unseen
    nothing = bool(verdicts) and all(v.outcome in {Outcome.SKIPPED, *unseen} for v in verdicts)
    return EXIT_TARGET if fault or failing or nothing else EXIT_OK

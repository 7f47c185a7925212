"""What a run came to, in one plain sentence; colour and counts are for others."""

from __future__ import annotations

from dungeonlab_conformance.report.content.grouping import to_mend
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome


def headline(run: Run) -> str:
    """Return the sentence a report opens with. What was not shown never reads as if it held."""
    errors = sum(v.outcome is Outcome.ERROR for v in run.verdicts)
    if run.own_fault:
        return "The suite itself failed"
    if errors:
        return f"The suite itself failed in {counted(errors, 'verdict')}"
    musts = sum(any(v.outcome is Outcome.FAIL for v in judged.verdicts) for judged in to_mend(run))
    early = ", and the run was cut short" if run.fault or run.interrupted else ""
    if musts:
        return f"{counted(musts, 'requirement')} {'is' if musts == 1 else 'are'} broken{early}"
    if run.stale:
        return f"The list of known failures is out of date{early}"
    if early:
        return "The run was interrupted" if run.interrupted else "The run was cut short"
    unshown = sum(v.outcome is Outcome.UNJUDGED and v.level == "MUST" for v in run.verdicts)
    known = sum(v.outcome is Outcome.FAIL for v in run.verdicts)
    if known:
        return f"Nothing is broken but what is known: {counted(known, 'verdict')}"
    if unshown:
        return f"Nothing is broken, but {counted(unshown, 'verdict')} could not be reached"
    if run.options.search:
        seldom = len(to_mend(run))
        return f"Nothing was broken each time; seen at times, or a SHOULD: {seldom}" if seldom else "Nothing was found"
    if not any(v.outcome is Outcome.PASS for v in run.verdicts):
        return "Nothing was shown to hold"
    if not run.claim:
        return "Every MUST that was judged held"
    who = "The bundled reference server is conformant" if run.bundled else "Conformant"
    who = "Client conformant" if run.side == "client" else who
    but = f", but {run.caveat}" if run.caveat else ""
    return f"{who}: every MUST of version {run.protocol} held{but}"


def counted(number: int, noun: str) -> str:
    """Return ``1 verdict`` or ``2 verdicts``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

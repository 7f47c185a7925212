"""What is concluded from a run that is over: which failures are accepted, and what may be claimed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from dungeonlab_conformance.results.known_failures import KnownFailure, compare_with_known_failures
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_spec import Catalogue, Side

_WHAT = {
    None: "not selected",
    Outcome.FAIL: "broken",
    Outcome.UNJUDGED: "could not be judged",
    Outcome.SKIPPED: "skipped, for what the target lacks",
}


def conclude(run: Run, known: Sequence[KnownFailure] = ()) -> Run:
    """Compare a run with the known failures, then claim what may be claimed; returns the same run."""
    compare_with_known_failures(run, known)
    run.claim = claim(run)
    return run


def claim(run: Run) -> str:
    """Return the claim of conformance with what it is made of, or nothing if anything stands in its way."""
    if any(obstacles(run)):
        return ""
    who = "Client conformant" if run.side == "client" else "Conformant"
    but = f", but {run.caveat}" if run.caveat else ""
    return f"{who} to version {run.protocol} of the DungeonLab protocol{but}: {run.subject}"


def obstacles(run: Run) -> Iterator[str]:
    """Yield what keeps a run from a claim: every MUST of its version must have been judged, and have held."""
    if run.interrupted or run.fault:
        yield "the run was cut short"
    if run.dialect:
        yield "the server was judged in a dialect of its own, which others do not speak"
    outcomes = {(v.requirement, v.event): v.outcome for v in run.verdicts}
    requirements = Catalogue.load().requirements
    parts = {requirements[v.requirement].part for v in run.verdicts if v.requirement in requirements}
    found = [outcomes.get(pair) for pair in musts(run.protocol, parts, run.side)]
    for outcome in dict.fromkeys(found):
        if outcome is not Outcome.PASS:
            what = _WHAT.get(outcome, str(outcome))
            yield f"{found.count(outcome)} of {len(found)} verdicts on a MUST: {what}"
    if not found:
        yield f"version {run.protocol} has no MUST"
    if run.own_fault or any(v.outcome is Outcome.ERROR for v in run.verdicts):
        yield "the suite itself failed"


def musts(version: str, parts: Collection[str | None] = (), side: Side = "server") -> list[tuple[str, str | None]]:
    """Return every MUST of a version for one side, and of the optional parts given, for each event it is judged for."""
    catalogue = Catalogue.load()
    return [
        (requirement.id, event.name if event else None)
        for requirement in catalogue.requirements.values()
        if requirement.level == "MUST"
        and requirement.side == side
        and requirement.holds_in(version)
        and (requirement.part is None or requirement.part in parts)
        for event in catalogue.events_for(requirement)
    ]

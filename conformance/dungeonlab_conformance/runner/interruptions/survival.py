"""What may be said of a server that went away during a scene: little, since one that is killed looks the same.

Pure functions over what the scene found and when; whether the server is there at all is found out elsewhere.
"""

from __future__ import annotations

from dungeonlab_conformance.results.errors import Broken, Unjudged
from dungeonlab_conformance.runner.interruptions.last_requests import last_words
from dungeonlab_conformance.stage.stage import Stage

SURVIVES = "payloads/server-survives"  # what a server breaks that dies of a request
# Requirements that a server breaks by going away, if it was just sent what they are about.
SURVIVAL = (
    SURVIVES,
    "payloads/missing-callback-is-harmless",
    "payloads/unknown-event-is-harmless",
    "connect/malformed-frames-are-harmless",
)
GONE = "the whole server is gone (one that is stopped from outside at this moment looks the same)"
_NOTICED = 0.02  # seconds after which all connections of a server that ended are seen to be closed
_NEXT = 0.1  # seconds after the last sign of life in which a scene sends the next thing


def standing(stage: Stage, requirement: str, ended: float, *, silent: bool) -> list[Broken | Unjudged] | None:
    """Return what stands of what a scene found about a requirement, if the server ended at that time; None if nothing.

    `ended` is in seconds on the monotonic clock; `silent` says that no connection was closed then. What was found
    before stands. That the server is gone stands for one requirement, if the scene had just provoked it.
    """
    found = stage.judged.get(requirement) or ()
    before: list[Broken | Unjudged] = [
        result for result in found if isinstance(result, Broken) and result.at < ended - _NOTICED
    ]
    if stage.was_provoked(ended + _NEXT if silent else ended) and _first_to_miss_it(stage, ended) == requirement:
        first = next(result for result in found if isinstance(result, Broken) and result.at >= ended - _NOTICED)
        said = last_words(stage.journal, ended)
        before.append(Broken(first.expected, f"{first.got}; {GONE}" + f"; last sent: {said}" * bool(said), first.path))
    return before or None


def _first_to_miss_it(stage: Stage, ended: float) -> str | None:
    """Return the requirement of survival under which the scene first found that the server is gone."""
    times = [
        (result.at, requirement)
        for requirement in SURVIVAL
        for result in stage.judged.get(requirement, ())
        if isinstance(result, Broken) and result.at >= ended - _NOTICED
    ]
    return min(times)[1] if times else None

"""What stands in the way of the verdicts that could not be reached: causes, and what waits for each. Pure.

A server that went away is none of them: the run says so by itself, in `fault`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dungeonlab_conformance.results.verdict import Outcome, Verdict, VerdictKey


@dataclass(frozen=True, slots=True)
class Cause:
    """What has to hold before other verdicts can be reached.

    `own` is the verdict on it, or the gravest where the key names no event and there is one for each; None if the run
    judged nothing of it. `waiting` are the verdicts that wait for it, or for what waits for it itself.
    """

    key: VerdictKey
    own: Verdict | None
    waiting: tuple[Verdict, ...]

    @property
    def is_known(self) -> bool:
        """Whether all that waits for it is accepted."""
        return all(verdict.known for verdict in self.waiting)


def causes(verdicts: Sequence[Verdict]) -> list[Cause]:
    """Return what verdicts wait for in the end, what most of them wait for first."""
    own = _Own(verdicts)
    roots = own.roots(verdicts)
    waiting: dict[VerdictKey, list[Verdict]] = {}
    for verdict in verdicts:
        if (root := roots[verdict.key]) != verdict.key:
            waiting.setdefault(root, []).append(verdict)
    heaviest = sorted(waiting.items(), key=lambda item: -len(item[1]))
    return [Cause(key, own.verdict(key), tuple(found)) for key, found in heaviest]


def idle(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts that wait for what was shown to hold: it was something else that stood in their way."""
    own = _Own(verdicts)
    return [verdict for verdict in verdicts if verdict.waits_for is not None and own.obstacle(verdict) is None]


class _Own:
    """The verdicts of a run, by what they are about."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self._exact = {verdict.key: verdict for verdict in verdicts}
        self._gravest: dict[str, Verdict] = {}
        for verdict in verdicts:
            before = self._gravest.get(verdict.requirement, verdict)
            self._gravest[verdict.requirement] = max(before, verdict, key=lambda v: v.gravity)

    def verdict(self, key: VerdictKey) -> Verdict | None:
        """Return the verdict on something; on a requirement for no event, the gravest of those on its events."""
        whole = self._gravest.get(key.requirement) if key.event is None else None
        return self._exact.get(key, whole)

    def obstacle(self, verdict: Verdict) -> VerdictKey | None:
        """Return what a verdict waits for itself; None if that holds."""
        if verdict.outcome is not Outcome.UNJUDGED or verdict.waits_for in (None, verdict.key):
            return None
        found = self.verdict(verdict.waits_for)
        return None if found is not None and found.outcome is Outcome.PASS else verdict.waits_for

    def roots(self, verdicts: Sequence[Verdict]) -> dict[VerdictKey, VerdictKey]:
        """Return what each verdict waits for in the end: itself, if that is nothing else.

        Of those that wait for each other, the first by name counts as that. Takes each step of a chain once.
        """
        found: dict[VerdictKey, VerdictKey] = {}
        for verdict in verdicts:
            way: list[VerdictKey] = []
            taken: set[VerdictKey] = set()
            key: VerdictKey | None = verdict.key
            while key is not None and key not in found and key not in taken:
                way.append(key)
                taken.add(key)
                own = self.verdict(key)
                key = self.obstacle(own) if own is not None else None
            if key in taken:
                found[key] = min(way[way.index(key) :], key=lambda each: each.title)
            root = way[-1] if key is None else found[key]
            found.update(dict.fromkeys(way, root))
        return found

"""Computes the verdicts of a result again from its recording, and says where they are not those that are written.

What scenes found themselves cannot be computed: it is taken as it stands. So is what the recording says happened.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dungeonlab_conformance.invariants.breaches import Breach
from dungeonlab_conformance.record.archive.read import Damaged
from dungeonlab_conformance.record.secrets.leaks import HIDDEN
from dungeonlab_conformance.results.claim import claim
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import to_json
from dungeonlab_conformance.results.verdict import BROKEN, Finding, Outcome, Verdict, VerdictKey, verdict_title
from dungeonlab_conformance.runner.evaluation import Recording, convict
from dungeonlab_conformance.runner.recheck.packed_recording import unpacked_recording
from dungeonlab_conformance.text.printable import sentence_of, shortened
from dungeonlab_spec import Catalogue

_DERIVED = ("exitCode", "counts", "causes", "claim")  # of a document: what follows from its verdicts
_QUOTED = 300  # characters of what a difference quotes
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What came of computing verdicts again.

    `convicted` are those that rules convict by what was recorded, `taken` the findings that scenes made themselves.
    """

    verdicts: int
    scenes: int
    observations: int
    convicted: int
    taken: int
    differences: tuple[str, ...]


def recheck(run: Run, written: Mapping[str, Any], expected: Sequence[VerdictKey]) -> Rechecked:
    """Compare a run with what follows from its recording.

    `written` is the document that the run was read from; there has to be a verdict on each `expected` key. Raises
    `Damaged` for a recording that is none.
    """
    recording, hidden = unpacked_recording(run.recording)
    try:
        again = _again(run, recording)
    except Exception as fault:  # whatever a recording that no run has made does to the rules
        raise Damaged(f"the rules cannot be applied to it: {sentence_of(fault)}") from None
    differences = [
        *_missing(run, expected),
        *_scenes(run, recording),
        *(line for verdict in run.verdicts for line in _Comparison(verdict, again[verdict.key], hidden).lines()),
        *_derived(run, written, recording),
    ]
    return Rechecked(
        len(run.verdicts),
        len(recording.scenes),
        sum(len(scene.journal.observations) for scene in recording.scenes),
        sum(any(found.from_record for found in verdict.findings) for verdict in again.values()),
        sum(not found.from_record for verdict in run.verdicts for found in verdict.findings),
        tuple(differences),
    )


def _again(run: Run, recording: Recording) -> dict[VerdictKey, Verdict]:
    """Return the verdicts of a run with the findings that scenes made themselves, and those that follow."""
    verdicts = {
        verdict.key: replace(verdict, findings=[found for found in verdict.findings if not found.from_record])
        for verdict in run.verdicts
    }
    scenes = {scene.journal: scene for scene in recording.scenes}

    def made(breach: Breach) -> Finding:
        scene, broken = scenes[breach.journal], breach.broken
        return Finding(broken.expected, broken.got, broken.path, scene.check, scene.event, scene.requirements)

    played = verdicts.keys() - set(recording.unplayed)
    convict(recording, {(key.requirement, key.event): verdicts[key] for key in played}, made)
    return verdicts


def _missing(run: Run, expected: Sequence[VerdictKey]) -> Iterator[str]:
    there = {verdict.key for verdict in run.verdicts}
    if len(there) < len(run.verdicts):
        yield "there is more than one verdict on the same"
    if lacking := [key.title for key in expected if key not in there]:
        named = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
        yield f"there is no verdict on {named}"


def _scenes(run: Run, recording: Recording) -> Iterator[str]:
    """Yield which verdicts say that something holds, and the scenes in which that would have been seen are missing."""
    played = {(scene.check, scene.event) for scene in recording.scenes}
    unplayed = set(recording.unplayed)
    for verdict in run.verdicts:
        if verdict.key in unplayed and verdict.outcome is not Outcome.UNJUDGED:
            yield f"{verdict.title}: written is {verdict.outcome}, and it was not played"
        if verdict.outcome is Outcome.PASS and (verdict.check, verdict.event) not in played:
            yield f"{verdict.title}: written is pass, and {verdict.scene} is not recorded"


def _derived(run: Run, written: Mapping[str, Any], recording: Recording) -> Iterator[str]:
    """Yield what a document says in all that does not follow from its own verdicts."""
    same_run = replace(run, dialect=bool(recording.dialect))
    follows = to_json(replace(same_run, claim=claim(same_run)))
    for name in _DERIVED:
        if name in written and written[name] != follows[name]:
            yield f"{name} is {_short(written[name])}; from its own verdicts follows {_short(follows[name])}"


def _short(value: object) -> str:
    return shortened(str(value), _QUOTED)


class _Comparison:
    """One verdict as it is written, and as it was computed again; texts with anything `hidden` are not compared."""

    def __init__(self, written: Verdict, again: Verdict, hidden: frozenset[str]) -> None:
        self._written = written
        self._again = again
        self._hidden = hidden

    def lines(self) -> Iterator[str]:
        """Yield how they differ."""
        title = verdict_title(self._written.requirement, self._written.event)
        requirement = Catalogue.load().requirements.get(self._written.requirement)
        if requirement is None:
            yield f"{title}: there is no such requirement"
            return
        if requirement.level != self._written.level:
            yield f"{title}: written is that it is a {self._written.level}; it is a {requirement.level}"
        if not self._follows(BROKEN[requirement.level]):
            yield f"{title}: written is {self._written.outcome}; {self._what_follows(BROKEN[requirement.level])}"
        before, now = ([f for f in v.findings if f.from_record] for v in (self._written, self._again))
        for one, other in itertools.zip_longest(before, now):
            if one is None:
                yield f"{title}: the recording shows, and nothing written says: {self._shown(other)}"
            elif other is None:
                yield f"{title}: written is, and nothing recorded shows: {self._shown(one)}"
            elif not self._same(one, other):
                yield f"{title}: written is {self._shown(one)}; the recording shows {self._shown(other)}"

    def _follows(self, broken: Outcome) -> bool:
        outcome = self._written.outcome
        if outcome is Outcome.ERROR:
            return True
        return outcome is broken if self._again.findings else outcome not in BROKEN.values()

    def _what_follows(self, broken: Outcome) -> str:
        return f"it follows {broken}" if self._again.findings else "nothing recorded or written shows that"

    def _shown(self, found: Finding) -> str:
        return _short(f"in {found.scene}, expected {found.expected}; got {found.got}")

    def _same(self, one: Finding, other: Finding) -> bool:
        where = (one.check, one.event, one.requirements) == (other.check, other.event, other.requirements)
        texts = (one.expected, other.expected), (one.got, other.got), (one.path or "", other.path or "")
        return where and all(itertools.starmap(self._alike, texts))

    def _alike(self, written: str, again: str) -> bool:
        """Whether a text says the same, as far as it was written: nothing secret is, nor the end of a long one."""
        if written == again or any(placeholder in again for placeholder in self._hidden):
            return True
        if HIDDEN not in written:
            return written.endswith(_CUT) and again.startswith(written.removesuffix(_CUT))
        place = 0
        for piece in written.removesuffix(_CUT).split(HIDDEN):
            place = again.find(piece, place)
            if place < 0:
                return False
            place += len(piece)
        return True

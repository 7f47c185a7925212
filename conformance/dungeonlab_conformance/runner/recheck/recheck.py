"""Computes the verdicts of a result again from its recording, and says where they are not those that are written.

What scenes found themselves cannot be computed: it is taken as it stands. So is what the recording says happened, and
of a search how much it played: only the plays are kept that each verdict rests on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from dungeonlab_conformance.invariants.breaches import Breach
from dungeonlab_conformance.record.archive.read import Damaged
from dungeonlab_conformance.record.secrets.leaks import HIDDEN
from dungeonlab_conformance.results.claim import claim, obstacles
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import to_json
from dungeonlab_conformance.results.verdict import BROKEN, Finding, Outcome, Verdict, VerdictKey, verdict_title
from dungeonlab_conformance.runner.evaluation import RecordedScene, Recording, breaks, convict
from dungeonlab_conformance.runner.recheck.packed_recording import unpacked_recording, unpacked_trials
from dungeonlab_conformance.runner.recheck.trials import conclusion
from dungeonlab_conformance.text.printable import sentence_of, shortened
from dungeonlab_spec import Catalogue, Level

_DERIVED = ("exitCode", "counts", "causes", "claim")  # of a document: what follows from its verdicts
_QUOTED = 300  # characters of what a difference quotes
_CUT = "…"
_UNSAID = "the recording shows, and nothing written says"


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What came of computing verdicts again.

    `convicted` are those that rules convict by what was recorded, `taken` the findings that scenes made themselves.
    `unclaimed` is what keeps the result from a claim of conformance, such as verdicts that were not asked for.
    """

    verdicts: int
    scenes: int
    observations: int
    convicted: int
    taken: int
    differences: tuple[str, ...]
    unclaimed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Again:
    """What follows from a recording: verdicts, and what of them is `broken` by what was seen.

    `scenes` are those that were recorded, `hidden` is what stands in them for secrets, and `differences` are those that
    are about no single verdict that is written.
    """

    verdicts: Mapping[VerdictKey, Verdict]
    broken: Mapping[VerdictKey, Outcome]
    scenes: Sequence[RecordedScene]
    hidden: frozenset[str]
    dialect: bool
    differences: Sequence[str]


def recheck(run: Run, written: Mapping[str, Any], expected: Sequence[VerdictKey]) -> Rechecked:
    """Compare a run, or a search, with what follows from its recording.

    `written` is the document that the run was read from; there has to be a verdict on each `expected` key. Raises
    `Damaged` for a recording that is none.
    """
    again = _of_a_search(run) if run.options.search else _of_a_run(run)
    comparisons = [
        _Comparison(verdict, again.verdicts[verdict.key], again.broken[verdict.key], again.hidden)
        for verdict in run.verdicts
    ]
    differences = [
        *_missing(run, expected),
        *again.differences,
        *(line for comparison in comparisons for line in comparison.lines()),
        *_derived(run, written, dialect=again.dialect),
    ]
    return Rechecked(
        len(run.verdicts),
        len(again.scenes),
        sum(len(scene.journal.observations) for scene in again.scenes),
        sum(any(found.from_record for found in verdict.findings) for verdict in again.verdicts.values()),
        sum(not found.from_record for verdict in again.verdicts.values() for found in verdict.findings),
        tuple(differences),
        tuple(obstacles(replace(run, dialect=again.dialect))),
    )


@contextmanager
def _applying_rules() -> Iterator[None]:
    """Raise `Damaged` for whatever a recording that no run has made does to the rules in the block."""
    try:
        yield
    except Exception as fault:
        raise Damaged(f"the rules cannot be applied to it: {sentence_of(fault)}") from None


def _of_a_run(run: Run) -> _Again:
    """Return the verdicts of a run with the findings that scenes made themselves, and those that follow."""
    recording, hidden = unpacked_recording(run.recording)
    verdicts = {
        verdict.key: replace(verdict, findings=[found for found in verdict.findings if not found.from_record])
        for verdict in run.verdicts
    }
    scenes = {scene.journal: scene for scene in recording.scenes}
    played = verdicts.keys() - set(recording.unplayed)
    with _applying_rules():
        convict(
            recording,
            {(key.requirement, key.event): verdicts[key] for key in played},
            lambda breach: _finding(breach, scenes[breach.journal]),
        )
    differences = [*_scenes(run, recording)]
    broken = {key: BROKEN[_level(verdict)] for key, verdict in verdicts.items()}
    return _Again(verdicts, broken, recording.scenes, hidden, bool(recording.dialect), differences)


def _finding(breach: Breach, scene: RecordedScene) -> Finding:
    broken = breach.broken
    where = scene.check, scene.event, scene.requirements
    return Finding(broken.expected, broken.got, broken.path, *where, from_record=True)


def _of_a_search(run: Run) -> _Again:
    """Return the verdicts of a search with what follows for each from the plays that were kept for it."""
    trials, hidden = unpacked_trials(run.recording)
    with _applying_rules():
        judged = [(trial, [*breaks(trial.recording)]) for trial in trials]
        names = dict.fromkeys([*(verdict.key for verdict in run.verdicts), *(trial.key for trial in trials)])
        concluded = {key: conclusion(each for each in judged if each[0].key == key) for key in names}
    scenes = {scene.journal: scene for trial in trials for scene in trial.recording.scenes}
    written = {verdict.key: verdict for verdict in run.verdicts}
    verdicts, broken, differences = {}, {}, []
    for key, found in concluded.items():
        made = [_finding(found.first, scenes[found.first.journal])] if found.first else []
        made = [replace(each, how_often=found.how_often) for each in made]
        if key in written:
            verdicts[key] = replace(written[key], findings=made)
            broken[key] = found.outcome(_level(written[key]))
        else:
            differences += [f"{key.title}: {_UNSAID}: {_shown(each)}" for each in made]
    return _Again(verdicts, broken, [*scenes.values()], hidden, any(t.recording.dialect for t in trials), differences)


def _level(verdict: Verdict) -> Level:
    """Return the level of a verdict's requirement, whatever is written."""
    requirement = Catalogue.load().requirements.get(verdict.requirement)
    return requirement.level if requirement else verdict.level


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


def _derived(run: Run, written: Mapping[str, Any], *, dialect: bool) -> Iterator[str]:
    """Yield what a document says in all that does not follow from its own verdicts."""
    same_run = replace(run, dialect=dialect)
    follows = to_json(replace(same_run, claim=claim(same_run)))
    for name in _DERIVED:
        if name in written and written[name] != follows[name]:
            yield f"{name} is {_short(written[name])}; from its own verdicts follows {_short(follows[name])}"


def _short(value: object) -> str:
    return shortened(str(value), _QUOTED)


def _shown(found: Finding) -> str:
    often = f", {found.how_often}" if found.how_often else ""
    return _short(f"in {found.scene}{often}, expected {found.expected}; got {found.got}")


class _Comparison:
    """One verdict as it is written, and as it was computed again; texts with anything `hidden` are not compared."""

    def __init__(self, written: Verdict, again: Verdict, broken: Outcome, hidden: frozenset[str]) -> None:
        """`broken` is its outcome where anything was found."""
        self._written = written
        self._again = again
        self._broken = broken
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
        if not self._follows():
            yield f"{title}: written is {self._written.outcome}; {self._what_follows()}"
        before, now = ([f for f in v.findings if f.from_record] for v in (self._written, self._again))
        for one, other in itertools.zip_longest(before, now):
            if one is None:
                yield f"{title}: {_UNSAID}: {_shown(other)}"
            elif other is None:
                yield f"{title}: written is, and nothing recorded shows: {_shown(one)}"
            elif not self._same(one, other):
                yield f"{title}: written is {_shown(one)}; the recording shows {_shown(other)}"

    def _follows(self) -> bool:
        outcome = self._written.outcome
        if outcome is Outcome.ERROR:
            return True
        return outcome is self._broken if self._again.findings else outcome not in BROKEN.values()

    def _what_follows(self) -> str:
        return f"it follows {self._broken}" if self._again.findings else "nothing recorded or written shows that"

    def _same(self, one: Finding, other: Finding) -> bool:
        where = (one.check, one.event, one.requirements) == (other.check, other.event, other.requirements)
        often = one.how_often.partition(";")[0] == other.how_often  # after it stands in how many other plays
        texts = (one.expected, other.expected), (one.got, other.got), (one.path or "", other.path or "")
        return where and often and all(itertools.starmap(self._alike, texts))

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

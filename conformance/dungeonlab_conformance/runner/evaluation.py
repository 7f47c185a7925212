"""Holds the record of a finished run against the rules: the invariants, and the protocol's own way of putting things.

It makes no difference whether the run has just been played or its recording was read from a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dungeonlab_conformance.invariants.breaches import Breach, SecretsSent, absences, breaches, contradictions
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.dialect import deviations
from dungeonlab_conformance.model.blame import are_kin
from dungeonlab_conformance.model.judge import judge
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.record.secrets.leaks import Ours, made_up
from dungeonlab_conformance.record.transcript import request_line, size, transcript
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.results.verdict import Finding, Verdict, VerdictKey
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.dialect.translation import Dialect
from dungeonlab_spec import Catalogue

FINDINGS = 3  # of one verdict that are kept; the rest would say the same again
_SAID, _PATH, _ID = 16_000, 400, 1_000  # characters of what was expected or got, of a path, and of an id
Verdicts = Mapping[tuple[str, str | None], Verdict]  # by requirement and event


@dataclass(frozen=True, slots=True)
class RecordedScene:
    """What one scene recorded: the check and the event that it was played for, what it judges, and its journal."""

    check: str
    event: str | None
    requirements: tuple[str, ...]
    journal: Journal


@dataclass(frozen=True, slots=True)
class Recording:
    """All that the rules look at.

    `secrets` are those that nobody may receive, or those that were sent. `patience` is how long a delivery may take, in
    seconds. `gaps` are the times in which the server was gone, without their first moment: what was seen then is not
    its doing. What was `unplayed` as the run ended is not judged, whatever was seen of it elsewhere.
    """

    scenes: Sequence[RecordedScene]
    secrets: Ours | SecretsSent
    dialect: Dialect
    patience: float
    gaps: Sequence[tuple[float, float]] = ()
    unplayed: Sequence[VerdictKey] = ()

    def counts(self, at: float) -> bool:
        """Whether what was seen at a moment, on the run's clock, counts."""
        return not any(gone < at <= back for gone, back in self.gaps)


def finding(broken: Broken, scene: Scene, stage: Stage, upto: Observation | None = None) -> Finding:
    """Return what was broken with all that is needed to see it and play it again, and nothing that is secret.

    The transcript ends with the observation `upto`, if one is named: that one convicts. Else it ends when it was found,
    or with what convicts where so much came after that.
    """
    secrets, room = stage.target.secrets, stage.target.room
    share = room.share
    expected, got = (secrets.shortened(said, min(_SAID, share // 3)) for said in (broken.expected, broken.got))
    sent = request_line(stage.journal, secrets, broken.request, share // 6) if broken.request else None
    seen = upto or _observation(broken, stage.journal)
    acts = tuple(act for before, act in stage.acts if seen is None or before < seen.number)
    spent = len(expected) + len(got) + size([sent] if sent else []) + sum(map(len, acts))
    kept = transcript(stage.journal, secrets, upto, share - spent, until=broken.at)
    if seen is not None and kept.place(seen) is None:
        kept = transcript(stage.journal, secrets, seen, share - spent)
    room.take(spent + size(kept.lines))
    people = [(a.name, a.identity) for a in stage.actors] + [(r.name, r.identity) for r in stage.raws]
    cast = {name: identity.name if identity else None for name, identity in people}
    path = broken.path and secrets.shortened(broken.path, _PATH)
    ids = {name: found for name, found in stage.ids().items() if len(found) <= _ID}
    return Finding(
        expected,
        got,
        path,
        scene.check.name,
        scene.event.name if scene.event else None,
        tuple(sorted(scene.wanted)),
        kept.lines,
        kept.place(seen),
        ids,
        cast,
        kept.left_out,
        sent,
        acts=acts,
    )


def _observation(broken: Broken, journal: Journal) -> Observation | None:
    """Return the observation that shows what is broken; None where no single one does."""
    if isinstance(broken.seen, Acknowledgement):
        request = broken.seen.request
        answers = (seen for seen in reversed(journal.observations) if seen.act == "is answered")
        return next((seen for seen in answers if seen.request is request), None)
    return broken.seen


def recording_of(stages: Sequence[tuple[Scene, Stage]], gaps: Sequence[tuple[float, float]]) -> Recording:
    """Return what was recorded on the stages of a run, of which there is at least one."""
    scenes = [
        RecordedScene(scene.check.name, scene.event.name if scene.event else None, _judged(scene), stage.journal)
        for scene, stage in stages
    ]
    target = stages[0][1].target
    return Recording(scenes, _made_up(stages), target.dialect, target.limits.answer, gaps)


def _judged(scene: Scene) -> tuple[str, ...]:
    return tuple(sorted(scene.wanted))


def breaks(recording: Recording) -> Iterator[Breach]:
    """Yield all that the rules find in a recording: one by one what breaks a requirement, in whatever scene.

    Where broadcasts of an event name somebody else than who sent it anyway, a server has not believed a claim.
    """
    found = list(_each_breach(recording))
    misnamed = {breach.event for breach in found if breach.requirement == "broadcasts/true-sender"}
    for breach in found:
        if breach.requirement != "auth/identity-comes-from-the-cookie" or breach.event not in misnamed:
            yield breach


def _each_breach(recording: Recording) -> Iterator[Breach]:
    journals = [scene.journal for scene in recording.scenes]
    ledger = Ledger(journals)
    catalogue = Catalogue.load()
    for journal in journals:
        yield from breaches(journal, ledger, catalogue, recording.secrets)
    yield from contradictions(journals, ledger)
    yield from absences(journals, ledger, recording.patience)
    for journal in journals:
        yield from _by_model(recording, journal)
    yield from _by_dialect(recording, journals)


def _by_model(recording: Recording, journal: Journal) -> Iterator[Breach]:
    """Yield the first thing that the server broke in a play, by the model: what comes later may follow from that.

    What a server should do and does not, it may have chosen: the model follows, and what comes later counts.
    """
    found = [each for each in judge(journal, recording.patience) if recording.counts(each.seen.at)]
    for each in sorted(found, key=lambda each: each.seen.number):
        yield Breach(each.requirement, each.event, each.broken, each.seen, journal)
        if Catalogue.load().requirements[each.requirement].level != "SHOULD":
            return


def _by_dialect(recording: Recording, journals: Sequence[Journal]) -> Iterator[Breach]:
    """Yield each difference of the server's dialect once: it was translated, and breaks a requirement all the same."""
    reported = set()
    for journal in journals:
        for found in deviations(recording.dialect, journal.observations):
            what = found.requirement, found.event, found.broken.expected
            if what not in reported and recording.counts(found.seen.at):
                reported.add(what)
                yield Breach(found.requirement, found.event, found.broken, found.seen, journal)


def convict(recording: Recording, verdicts: Verdicts, made: Callable[[Breach], Finding]) -> None:
    """Convict each verdict whose requirement is broken by what any scene recorded; `made` makes the findings."""
    plays = {scene.journal for scene in recording.scenes if not scene.requirements}
    found = [*breaks(recording)]
    _convict(recording, verdicts, made, (breach for breach in found if breach.journal not in plays))
    known = {verdict.requirement for verdict in verdicts.values() if verdict.findings and verdict.level != "MAY"}
    _convict(recording, verdicts, made, unexplained([breach for breach in found if breach.journal in plays], known))


def unexplained(breaches: Sequence[Breach], known: set[str]) -> Iterator[Breach]:
    """Yield what plays found, without what may well be another side of a fault that is known, or was found more often.

    `known` are the requirements that were found broken; those that are yielded are added. What should be kept, and is
    not, explains nothing that must be.
    """
    requirements = Catalogue.load().requirements
    often = Counter(breach.requirement for breach in breaches if breach.requirement in requirements)
    for name, _ in often.most_common():
        level = requirements[name].level
        explains = (other for other in known if level == "SHOULD" or requirements[other].level == "MUST")
        if name not in known and any(are_kin(name, other) for other in explains):
            continue
        known.add(name)
        yield from (breach for breach in breaches if breach.requirement == name)


def _convict(
    recording: Recording, verdicts: Verdicts, made: Callable[[Breach], Finding], breaches: Iterable[Breach]
) -> None:
    for breach in breaches:
        verdict = verdicts.get((breach.requirement, breach.event))
        if verdict is not None and len(verdict.findings) < FINDINGS and recording.counts(breach.seen.at):
            verdict.convict(replace(made(breach), from_record=True))


def _made_up(stages: Sequence[tuple[Scene, Stage]]) -> Ours:
    """Return what those who played were given to log in with; the names of those accounts alone that were made."""
    now = dict.fromkeys(known for _, stage in stages for known in stage.pool.known().values())
    provisioners = dict.fromkeys(stage.pool.provisioner for _, stage in stages)
    who = [*now, *(login for provisioner in provisioners for login in provisioner.logins)]
    owners: dict[str, set[str]] = {}  # of cookies; what several users have says where they are, and not who
    for known in who:
        for value in known.cookies.values():
            owners.setdefault(value, set()).add(known.user)
    cookies = [value for value, users in owners.items() if len(users) == 1]
    values = [*(known.variables.get("password", "") for known in who), *cookies]
    run = stages[0][1].target.run
    names = [name for known in who if run in (name := known.variables.get("username", ""))]
    return made_up(names, values, [known.user for known in who])

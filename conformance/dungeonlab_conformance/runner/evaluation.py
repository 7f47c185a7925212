"""Applies the invariants to the finished run, and reports where the server's dialect differs from the protocol."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from dungeonlab_conformance.invariants.breaches import absences, breaches, contradictions
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.dialect import deviations
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.record.secrets.leaks import Ours, made_up
from dungeonlab_conformance.record.transcript import request_line, size, transcript
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.results.verdict import Finding, Verdict
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Catalogue

FINDINGS = 3  # of one verdict that are kept; the rest would say the same again
_SAID, _PATH, _ID = 16_000, 400, 1_000  # characters of what was expected or got, of a path, and of an id
Verdicts = Mapping[tuple[str, str | None], Verdict]  # by requirement and event
Counts = Callable[[float], bool]  # whether what was seen at a moment, on the monotonic clock, counts


def finding(broken: Broken, scene: Scene, stage: Stage, upto: Observation | None = None) -> Finding:
    """Return what was broken with all that is needed to see it and play it again, and nothing that is secret.

    The transcript ends with the observation `upto`, if one is named: that one convicts. Else it ends when it was found,
    or with what convicts where so much came after that.
    """
    secrets, room = stage.target.secrets, stage.target.room
    share = room.share
    expected, got = (secrets.shortened(said, min(_SAID, share // 3)) for said in (broken.expected, broken.got))
    sent = request_line(stage.journal, secrets, broken.request, share // 6) if broken.request else None
    spent = len(expected) + len(got) + size([sent] if sent else [])
    seen = upto or _observation(broken, stage.journal)
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
    )


def _observation(broken: Broken, journal: Journal) -> Observation | None:
    """Return the observation that shows what is broken; None where no single one does."""
    if isinstance(broken.seen, Acknowledgement):
        request = broken.seen.request
        answers = (seen for seen in reversed(journal.observations) if seen.act == "is answered")
        return next((seen for seen in answers if seen.request is request), None)
    return broken.seen


def apply_invariants(stages: Sequence[tuple[Scene, Stage]], verdicts: Verdicts, counts: Counts) -> None:
    """Convict each verdict whose requirement is broken by an observation of any scene.

    What was seen at a moment that does not count is left out: the server is not its cause.
    """
    catalogue = Catalogue.load()
    ledger = Ledger(stage.journal for _, stage in stages)
    ours = _made_up(stages)
    played = {stage.journal: (scene, stage) for scene, stage in stages}
    found = [breaches(stage.journal, ledger, catalogue, ours) for _, stage in stages]
    if stages:
        found.append(contradictions(played, ledger))
        found.append(absences(played, ledger, stages[0][1].target.limits.answer))
    for breach in itertools.chain.from_iterable(found):
        verdict = verdicts.get((breach.requirement, breach.event))
        if counts(breach.seen.at) and verdict is not None and len(verdict.findings) < FINDINGS:
            verdict.convict(finding(breach.broken, *played[breach.journal], breach.seen))


def apply_model(stages: Sequence[tuple[Scene, Stage]], verdicts: Verdicts, counts: Counts) -> None:
    """Convict each verdict whose requirement is the first that the server broke in a play, by the model.

    What comes later in a play may follow from that.
    """
    for scene, stage in stages:
        found = stage.followed_by.finish() if stage.followed_by else ()
        first = min((each for each in found if counts(each.seen.at)), key=lambda each: each.seen.number, default=None)
        if first is None:
            continue
        verdict = verdicts.get((first.requirement, first.event))
        if verdict is not None and len(verdict.findings) < FINDINGS:
            verdict.convict(finding(first.broken, scene, stage, first.seen))


def _made_up(stages: Sequence[tuple[Scene, Stage]]) -> Ours:
    """Return what those who played were given to log in with; the names of those accounts alone that were made."""
    who = dict.fromkeys(known for _, stage in stages for known in stage.pool.known().values())
    values = [value for known in who for value in (known.variables.get("password", ""), *known.cookies.values())]
    run = stages[0][1].target.run if stages else ""
    names = [name for known in who if run in (name := known.variables.get("username", ""))]
    return made_up(names, values, [known.user for known in who])


def report_dialect(stages: Sequence[tuple[Scene, Stage]], verdicts: Verdicts, counts: Counts) -> None:
    """Report each difference of the server's dialect once: it was translated, and breaks a requirement all the same.

    `counts` is as above.
    """
    reported = set()
    for scene, stage in stages:
        for deviation in deviations(stage.target.dialect, stage.journal.observations):
            what = deviation.requirement, deviation.event, deviation.broken.expected
            verdict = verdicts.get(what[:2])
            if verdict is not None and what not in reported and counts(deviation.seen.at):
                reported.add(what)
                verdict.convict(finding(deviation.broken, scene, stage, deviation.seen))

"""The book of verdicts: turns what scenes found into one verdict for each requirement and event. Plays nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dungeonlab_conformance.invariants.breaches import Breach
from dungeonlab_conformance.results.causes import idle
from dungeonlab_conformance.results.errors import Broken, Missing, Unjudged
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey
from dungeonlab_conformance.runner.evaluation import FINDINGS, Recording, convict, finding, recording_of
from dungeonlab_conformance.runner.interruptions.liveness import Liveness
from dungeonlab_conformance.runner.interruptions.survival import SURVIVAL, standing
from dungeonlab_conformance.runner.scene import Played
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Catalogue

_LIMITED = "the server's rate limit was reached (RATE_LIMITED); raise it for the run"


class VerdictBook:
    """The verdicts of one run, entered scene by scene; at its end they are the run's own, in the catalogue's order."""

    def __init__(self, run: Run, life: Liveness, hide: Callable[[str], str]) -> None:
        """`life` says whether the server was gone by then; `hide` takes what is secret out of a reason."""
        self.run = run
        self._life = life
        self._hide = hide
        self._requirements = Catalogue.load().requirements
        self._verdicts: dict[tuple[str, str | None], Verdict] = {}

    def enter(self, played: Played) -> list[Verdict]:
        """Enter what a scene came to; returns its verdicts, joined with those of other scenes on the same."""
        self.run.scenes += 1
        return [self._join(self._verdict(played.scene, name, played)) for name in sorted(played.scene.wanted)]

    def enter_end(self, played: Played) -> list[Verdict]:
        """Enter of a scene that will be played again only that the server ended in it, if that counts against it."""
        names = sorted(played.scene.wanted & {*SURVIVAL})
        return [
            self._join(verdict) for name in names if (verdict := self._verdict(played.scene, name, played)).findings
        ]

    def convict(self, requirement: str, event: str | None, broken: Broken, played: Played) -> Verdict:
        """Enter what a scene found about a requirement that it was not played for."""
        verdict = Verdict(requirement, event, self._requirements[requirement].level, Outcome.PASS)
        verdict.check = played.scene.check.name
        verdict.convict(finding(broken, played.scene, played.stage))
        return self._join(verdict)

    def _join(self, verdict: Verdict) -> Verdict:
        key = verdict.requirement, verdict.event
        before = self._verdicts.get(key)
        joined = self._verdicts[key] = before.joined_by(verdict) if before else verdict
        return joined

    def _verdict(self, scene: Scene, name: str, played: Played) -> Verdict:
        """Say what a scene showed about one requirement."""
        verdict = self._new(scene, name, Outcome.PASS)
        verdict.seconds = played.seconds
        if played.error:
            verdict.outcome, verdict.reason = Outcome.ERROR, self._hide(played.error)
        elif played.was_limited:
            verdict.outcome, verdict.reason = Outcome.UNJUDGED, _LIMITED
        else:
            self._conclude(verdict, played, self._found(name, played))
            verdict.reason = self._hide(verdict.reason)
        return verdict

    def _found(self, name: str, played: Played) -> Sequence[Broken | Unjudged] | None:
        """Return what stands of what a scene found about a requirement; None if it did not come to judge it."""
        if (outage := self._life.outage_at(played.ended)) is not None:
            return standing(played.stage, name, outage.ended, silent=outage.silent)
        return played.stage.judged.get(name)

    def _conclude(self, verdict: Verdict, played: Played, found: Sequence[Broken | Unjudged] | None) -> None:
        if found is None or (played.reason is not None and not any(isinstance(f, Broken) for f in found)):
            _leave_open(verdict, played.reason or Unjudged(self.run.fault or "the scene ended before this was judged"))
        for result in found or ():
            if isinstance(result, Broken):
                if len(verdict.findings) < FINDINGS:
                    verdict.convict(finding(result, played.scene, played.stage))
            elif verdict.outcome is Outcome.PASS:
                _leave_open(verdict, result)

    def evaluate(self, stages: Sequence[tuple[Scene, Stage]]) -> Recording:
        """Hold everything that was recorded against the rules; returns that. There is a stage at least."""
        recording = recording_of(stages, [(outage.ended, outage.back) for outage in self._life.all_outages])
        played = {stage.journal: (scene, stage) for scene, stage in stages}

        def made(breach: Breach) -> Finding:
            return finding(breach.broken, *played[breach.journal], breach.seen)

        convict(recording, self._verdicts, made)
        return recording

    def close(self, chosen: Iterable[Scene]) -> list[VerdictKey]:
        """Hand all verdicts to the run; what was shown to hold in the end stands in nobody's way.

        What was chosen and not played is unjudged: why is what ended it. Returns what that is.
        """
        why = self.run.fault or ("interrupted" if self.run.interrupted else "the run ended before")
        unplayed = []
        for scene in chosen:
            for name in sorted(scene.wanted):
                verdict = self._new(scene, name, Outcome.UNJUDGED, why)
                if (key := (name, verdict.event)) not in self._verdicts:
                    self._verdicts[key] = verdict
                    unplayed.append(verdict.key)
        order = {name: place for place, name in enumerate(self._requirements)}
        self.run.verdicts = sorted(self._verdicts.values(), key=lambda v: (order[v.requirement], v.event or ""))
        for verdict in idle(self.run.verdicts):
            verdict.waits_for = None
        return unplayed

    def _new(self, scene: Scene, name: str, outcome: Outcome, reason: str = "") -> Verdict:
        event = scene.event.name if scene.event else None
        return Verdict(name, event, self._requirements[name].level, outcome, reason, check=scene.check.name)


def _leave_open(verdict: Verdict, why: Exception) -> None:
    missing = isinstance(why, Missing)
    verdict.outcome = Outcome.SKIPPED if missing else Outcome.UNJUDGED
    verdict.reason = f"the target offers no {why}" if missing else str(why)
    verdict.waits_for = why.waits_for if isinstance(why, Unjudged) else None

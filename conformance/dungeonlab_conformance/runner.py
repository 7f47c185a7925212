"""Plays checks on stages, many at once, and turns what they found into verdicts.

Set the stage, play, keep the recorders on, judge. Prints nothing: whoever wants to follow passes `on_scene`.
"""

from __future__ import annotations

import asyncio
import datetime
import fnmatch
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from dungeonlab_conformance.backstage import Backstage
from dungeonlab_conformance.check import Check, all_checks
from dungeonlab_conformance.invariants import breaches
from dungeonlab_conformance.ledger import Ledger
from dungeonlab_conformance.stage import Cast, Stage
from dungeonlab_conformance.target import Target
from dungeonlab_conformance.transcript import transcript
from dungeonlab_conformance.verdict import (
    EXIT_SUITE,
    Broken,
    Finding,
    Gone,
    Missing,
    Outcome,
    TargetFault,
    Unjudged,
    Verdict,
    exit_code,
)
from dungeonlab_spec import Catalogue, Event, Level, Requirement

_LOG = logging.getLogger(__name__)
_FINDINGS = 3  # of one verdict that are kept; the rest would say the same again


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requirements, for which events; each a list of globs, empty for all. `version` is None for the newest."""

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    version: str | None = None

    def takes(self, requirement: Requirement, event: Event | None) -> bool:
        """Whether a requirement is selected for an event."""
        return (
            (self.version is None or requirement.holds_in(self.version))
            and (not self.only or _matches(requirement, self.only))
            and not _matches(requirement, self.without)
            and (not self.levels or requirement.level in self.levels)
            and (not self.events or (event is not None and _any(event.name, self.events)))
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """One playing of a check: for one event, or for none."""

    check: Check
    event: Event | None
    wanted: frozenset[str]

    @property
    def name(self) -> str:
        """The check's name, with the event it is played for."""
        return f"{self.check.name}[{self.event.name}]" if self.event else self.check.name


@dataclass(slots=True)
class Run:
    """What a run came to.

    `fault` says in one sentence why it ended early, if it did; `own_fault` what the suite itself failed at;
    `stale` what the list of known failures has wrong; `claim` what may be said of the server, if anything.
    `began` is when, in RFC 3339; `again` the command that repeats the run, to which a selection can be added.
    """

    target: str
    verdicts: list[Verdict] = field(default_factory=list)
    scenes: int = 0
    seconds: float = 0.0
    concurrency: int = 1
    fault: str | None = None
    own_fault: str = ""
    interrupted: bool = False
    leftovers: list[str] = field(default_factory=list)
    protocol: str = field(default_factory=lambda: Catalogue.load().version)
    fail_on: Level = "MUST"
    stale: list[str] = field(default_factory=list)
    claim: str = ""
    began: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    again: str = "dungeonlab-conformance run"
    suite: str = field(default_factory=lambda: version("dungeonlab-conformance"))

    @property
    def exit_code(self) -> int:
        """How the process should end."""
        if self.own_fault:
            return EXIT_SUITE
        return exit_code(
            self.verdicts,
            interrupted=self.interrupted,
            fault=self.fault,
            fail_on=self.fail_on,
            stale=bool(self.stale),
        )


def scenes(selection: Selection, catalogue: Catalogue) -> list[Scene]:
    """Return the scenes to play for a selection."""
    found: list[Scene] = []
    for check in all_checks():
        wanted: dict[Event | None, set[str]] = {}
        for name in check.requirements:
            requirement = catalogue.requirements[name]
            for event in catalogue.events_for(requirement):
                if selection.takes(requirement, event):
                    wanted.setdefault(event, set()).add(name)
        found.extend(Scene(check, event, frozenset(names)) for event, names in wanted.items())
    return found


class Runner:
    """Plays scenes against one target."""

    def __init__(
        self,
        target: Target,
        chosen: Sequence[Scene],
        *,
        concurrency: int | None = None,
        fail_fast: bool = False,
        on_scene: Callable[[Scene, list[Verdict]], None] = lambda *_: None,
        run: Run | None = None,
    ) -> None:
        """`run` is what to fill in, if its settings are not the usual ones."""
        self.target = target
        self.chosen = chosen
        self.concurrency = concurrency
        self.fail_fast = fail_fast
        self.on_scene = on_scene
        self.catalogue = Catalogue.load()
        self.backstage = Backstage(target)
        self.run = run or Run(target.url)
        self._stages: list[tuple[Scene, Stage]] = []
        self._up: dict[int, Stage] = {}  # the stage that still stands, by lane
        self._verdicts: dict[tuple[str, str | None], Verdict] = {}
        self._over = asyncio.Event()
        self._patience: set[asyncio.Timeout] = set()  # of the scenes that are being played

    async def play(self) -> Run:
        """Play all scenes and return what they came to, also when cut short."""
        began = time.monotonic()
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a client's tasks choke on broken packets
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        try:
            await self._play()
        except asyncio.CancelledError:
            self.run.interrupted = True
        except TargetFault as fault:
            self.run.fault = str(fault)
        except Exception as fault:  # the suite's own, wherever it is: what was found until then is told all the same
            self._blame_the_suite(fault)
        finally:
            self.settle()
            self.run.seconds = time.monotonic() - began
            await asyncio.shield(self._clear())
            self.run.seconds = time.monotonic() - began
        return self.run

    def _blame_the_suite(self, fault: BaseException) -> None:
        while isinstance(fault, BaseExceptionGroup):
            fault = fault.exceptions[0]
        self.run.own_fault = f"{type(fault).__name__}: {fault}"
        _LOG.debug("the run", exc_info=fault)

    async def _play(self) -> None:
        await reach(self.target)
        lanes = self.concurrency or (8 if self.target.limits.round_trip < 0.02 else 24)
        self.run.concurrency = lanes
        casts = [Cast(lane, self.backstage) for lane in range(lanes)]
        ordinary = [s for s in self.chosen if not s.check.alone and not s.check.lingers]
        lingering = [s for s in self.chosen if s.check.lingers]
        alone = [s for s in self.chosen if s.check.alone]
        watch = asyncio.create_task(self._watch())
        try:
            await self._side_by_side(ordinary, casts)
            await self._side_by_side(lingering, casts[1:] or casts)
            await self._side_by_side(alone, casts[:1])
        finally:
            watch.cancel()
        if self._up:
            await asyncio.sleep(self.target.limits.sweep)

    async def _watch(self) -> None:
        """End the run if nothing at all is heard of the server any more; one that hangs closes no connection."""
        asked = time.monotonic()
        while True:
            await asyncio.sleep(self.target.limits.answer / 4)
            heard = max((stage.journal.heard_last() for stage in self._up.values()), default=asked)
            if time.monotonic() - max(heard, asked) > self.target.limits.answer:
                for _ in range(2):
                    try:
                        await reach(self.target)
                    except TargetFault:
                        continue
                    break
                else:
                    self._give_up("all scenes")
                asked = time.monotonic()

    def _give_up(self, when: str) -> None:
        self.run.fault = f"{self.target.url} stopped answering during the run ({when})"
        self._over.set()
        for patience in self._patience:
            patience.reschedule(0)

    async def _side_by_side(self, waiting: Iterable[Scene], casts: Sequence[Cast]) -> None:
        queue = iter(waiting)

        async def lane(cast: Cast) -> None:
            for scene in queue:
                if self._over.is_set():
                    return
                await self._one(scene, cast)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(lane(cast)) for cast in casts]
        del tasks
        if self.run.fault:
            raise TargetFault(self.run.fault)

    async def _one(self, scene: Scene, cast: Cast) -> None:
        await asyncio.sleep(max(0.0, cast.busy_until - time.monotonic()))
        if (before := self._up.pop(cast.lane, None)) is not None:
            await self._strike(before)
        stage = Stage(cast, self.target, scene.event, scene.wanted)
        self._stages.append((scene, stage))
        self._up[cast.lane] = stage
        began = time.monotonic()
        error = ""
        try:
            async with asyncio.timeout(self.target.limits.scene) as patience:
                self._patience.add(patience)
                try:
                    await stage.set()
                    await _act(scene, stage)
                finally:
                    self._patience.discard(patience)
            reason: Unjudged | None = None
        except TimeoutError:
            reason = Unjudged(self.run.fault or f"the scene took longer than {self.target.limits.scene:.0f} s")
        except Unjudged as unjudged:
            reason = unjudged
        except TargetFault as fault:
            reason, self.run.fault = Unjudged(str(fault)), str(fault)
            self._over.set()
        except Exception as fault:  # the suite's own fault, whatever it is, must not pass for a finding
            reason, error = None, f"{type(fault).__name__}: {fault}"
            _LOG.debug("scene %s", scene.name, exc_info=True)
        if scene.check.lingers:
            cast.busy_until = time.monotonic() + self.target.limits.sweep
        if any(isinstance(r, Gone) for found in stage.judged.values() for r in found) or isinstance(reason, Gone):
            await self._look_after(scene)
        self._put_down(scene, stage, reason, error, time.monotonic() - began)

    async def _look_after(self, scene: Scene) -> None:
        """Find out whether one connection is gone or the whole server; the latter ends the run."""
        try:
            await reach(self.target)
        except TargetFault:
            self._give_up(scene.name)

    def _put_down(self, scene: Scene, stage: Stage, reason: Unjudged | None, error: str, seconds: float) -> None:
        made: list[Verdict] = []
        limited = any(
            isinstance(arg, dict) and arg.get("code") == "RATE_LIMITED"
            for seen in stage.journal.observations
            for arg in seen.args
            if seen.act in ("hears", "is answered")
        )
        for name in sorted(scene.wanted):
            requirement = self.catalogue.requirements[name]
            verdict = Verdict(
                name,
                scene.event.name if scene.event else None,
                requirement.level,
                Outcome.PASS,
                scene=scene.name,
                seconds=seconds,
            )
            found = stage.judged.get(name)
            if error:
                verdict.outcome, verdict.reason = Outcome.ERROR, error
            elif found is None or (reason is not None and not any(isinstance(f, Broken) for f in found)):
                why = reason or Unjudged("the scene ended before this was judged")
                verdict.outcome = Outcome.SKIPPED if isinstance(why, Missing) else Outcome.UNJUDGED
                verdict.reason = f"the target offers no {why}" if isinstance(why, Missing) else str(why)
            for result in () if error else found or ():
                if isinstance(result, Broken) and not limited and not (self.run.fault and not scene.check.alone):
                    if len(verdict.findings) < _FINDINGS:
                        verdict.convict(self._finding(result, scene, stage))
                elif verdict.outcome is Outcome.PASS:
                    verdict.outcome = Outcome.SKIPPED if isinstance(result, Missing) else Outcome.UNJUDGED
                    verdict.reason = (
                        "the server's rate limit was reached; raise it for the run" if limited else str(result)
                    )
            made.append(verdict)
            self._verdicts[name, verdict.event] = verdict
            if self.fail_fast and verdict.outcome is Outcome.FAIL:
                self._over.set()
        self.run.scenes += 1
        self.on_scene(scene, made)

    def _finding(self, broken: Broken, scene: Scene, stage: Stage) -> Finding:
        return Finding(broken.expected, broken.got, broken.path, scene.name, transcript(stage.journal))

    def settle(self) -> None:
        """Close the verdicts of all that was chosen, held against the invariants; whatever else went wrong."""
        if self.run.verdicts:
            return
        try:
            self._hold_against_the_invariants()
        except Exception as fault:  # as in `play`
            self._blame_the_suite(fault)
        for scene in self.chosen:
            for name in sorted(scene.wanted):
                event = scene.event.name if scene.event else None
                if (name, event) not in self._verdicts:
                    requirement = self.catalogue.requirements[name]
                    why = self.run.fault or ("interrupted" if self.run.interrupted else "the run ended before")
                    self._verdicts[name, event] = Verdict(
                        name, event, requirement.level, Outcome.UNJUDGED, why, scene=scene.name
                    )
        order = {name: i for i, name in enumerate(self.catalogue.requirements)}
        self.run.verdicts = sorted(self._verdicts.values(), key=lambda v: (order[v.requirement], v.event or ""))

    def _hold_against_the_invariants(self) -> None:
        ledger = Ledger(stage.journal for _, stage in self._stages)
        played = {id(stage.journal): scene.name for scene, stage in self._stages}
        for _, stage in self._stages:
            for breach in breaches(stage.journal, ledger, self.catalogue):
                verdict = self._verdicts.get((breach.requirement, breach.event))
                if verdict is None or len(verdict.findings) >= _FINDINGS:
                    continue
                broken = breach.broken
                lines = transcript(breach.journal, upto=breach.seen)
                name = played[id(breach.journal)]
                verdict.convict(Finding(broken.expected, broken.got, broken.path, name, lines))

    async def _strike(self, stage: Stage) -> None:
        try:
            async with asyncio.timeout(self.target.limits.answer):
                await stage.strike()
        except (TimeoutError, Unjudged, TargetFault) as why:
            self.run.leftovers.append(f"a session could not be cleared away: {why}")

    async def _clear(self) -> None:
        await asyncio.gather(*map(self._strike, self._up.values()))
        self._up.clear()
        await self.backstage.close()


async def _act(scene: Scene, stage: Stage) -> None:
    act = scene.check.scene(stage, scene.event) if scene.check.per_event else scene.check.scene(stage)
    if len(scene.check.requirements) == 1:
        await stage.judge(scene.check.requirements[0], act)
    else:
        await act


async def reach(target: Target) -> None:
    """Make sure that a Socket.IO v4 server answers at the target's address, and take its time.

    Raises `TargetFault` with a sentence that says what answered instead.
    """
    began = time.monotonic()
    answer = await target.handshake(None)
    if answer.status in (401, 403):
        return
    if answer.status != 200 or not answer.text.startswith('0{"'):
        raise TargetFault(
            f"{target.url}{target.path} answered HTTP {answer.status} and no Socket.IO v4 handshake; "
            "is the path right, and is it a Socket.IO server?"
        )
    target.limits.round_trip = max(target.limits.round_trip, time.monotonic() - began)


def _matches(requirement: Requirement, patterns: Iterable[str]) -> bool:
    return _any(requirement.id, patterns) or _any(requirement.area, patterns)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

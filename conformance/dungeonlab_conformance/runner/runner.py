"""Plays checks on stages, many at once, and turns what they found into verdicts.

Set the stage, play, keep the recorders on, judge. Prints nothing: whoever wants to follow passes `on_scene`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from dungeonlab_conformance.clients.handshake import measure, reach
from dungeonlab_conformance.record.marks import name_marks_after
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, TargetFault, Unjudged
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_conformance.runner.concurrency import Pace
from dungeonlab_conformance.runner.evaluation import FINDINGS, finding, hold_against_the_invariants, report_the_dialect
from dungeonlab_conformance.runner.interruptions.liveness import Liveness, Replaced
from dungeonlab_conformance.runner.interruptions.survival import standing
from dungeonlab_conformance.runner.scene import Played, act
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.cleanup import clear_away
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.sessions import LABEL
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.rate_limits import prolong
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue

_LOG = logging.getLogger(__name__)
_LIMITED = "the server's rate limit was reached (RATE_LIMITED); raise it for the run"
_LONGEST = 4000  # characters of a reason, or of what went wrong
_RECOVERS = (
    "the server keeps the state of connections, for clients that come back; the offset that Socket.IO adds to each "
    "event for that is no argument"
)
TIME_LIMIT = 600.0  # seconds for a whole run, unless its user allows it another time
_CLEARING = 30.0  # seconds for clearing everything away at its end
_SILENT_SCENES = 12  # in a row, after which a server that answers handshakes is not waited for any more
_ONE_BY_ONE = 3.0  # seconds for scenes that are played alone; then those of one check are played together


class Runner:
    """Plays scenes against one target."""

    def __init__(
        self,
        target: Target,
        chosen: Sequence[Scene],
        *,
        concurrency: int | None = None,
        fail_fast: bool = False,
        on_scene: Callable[[list[Verdict]], None] = lambda *_: None,
        run: Run | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        """`run` is what to fill in, if its settings are not the usual ones; `time_limit` is in seconds."""
        self.target = target
        self.chosen = chosen
        self.concurrency = concurrency
        self.fail_fast = fail_fast
        self.time_limit = time_limit
        self.on_scene = on_scene
        self.catalogue = Catalogue.load()
        self.provisioner = Provisioner(target)
        target.room = Room()
        self._hide = partial(target.secrets.shortened, longest=_LONGEST)  # nothing gets into the run without it
        self.run = run or target.new_run()
        self.run.dialect = bool(target.dialect)
        self._stages: list[tuple[Scene, Stage]] = []
        self._up: dict[int, Stage] = {}  # the stage that still stands, by lane
        self._verdicts: dict[tuple[str, str | None], Verdict] = {}
        self._over = asyncio.Event()
        self._lanes = itertools.count()
        self._casts: list[AccountPool] = []
        self._all_casts: list[AccountPool] = []  # those with spent accounts too
        self._renewable = self.provisioner.offers("register")  # whether there are new accounts to be had
        self._life = Liveness(target)
        self._silent_scenes = 0  # in a row
        self._gone = False  # the server, and everybody knows
        self._patience: dict[asyncio.Timeout, Scene] = {}  # with those scenes that are being played

    async def play(self) -> Run:
        """Play all scenes and return what they came to, also when cut short."""
        began = time.monotonic()
        name_marks_after(self.target.run)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it chokes on broken connections, and says so
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        ending = asyncio.timeout(self.time_limit)
        try:
            async with ending:
                await self._play()
        except asyncio.CancelledError:
            self.run.interrupted = True
        except TargetFault as fault:
            self.run.fault = self._hide(str(fault))
        except Exception as fault:  # the suite's own, wherever it is: what was found until then is told all the same
            if ending.expired():
                self.run.fault = self._too_long()
            else:
                self._blame_the_suite(fault)
        finally:
            self.settle()
            self.run.seconds = time.monotonic() - began
            await asyncio.shield(self._clear())
            self.run.seconds = time.monotonic() - began
        return self.run

    def _too_long(self) -> str:
        return (
            f"the run reached its time limit of {self.time_limit:g} s and ended with what it had found; "
            "raise --time-limit if the server is only slow, or select less with --only"
        )

    def _blame_the_suite(self, fault: BaseException) -> None:
        while isinstance(fault, BaseExceptionGroup):
            fault = fault.exceptions[0]
        self.run.own_fault = self._hide(f"{type(fault).__name__}: {fault}")
        self._log("the run", fault)

    def _log(self, what: str, fault: BaseException) -> None:
        _LOG.debug("%s: %s", what, self.target.secrets.redact("".join(traceback.format_exception(fault))))

    async def _play(self) -> None:
        await reach(self.target)
        await measure(self.target)
        self._pace = Pace(self.target.limits.far, exactly=self.concurrency, limit=self.target.lanes)
        self.target.rate_limit.on_wait = self._make_room
        await self._first_accounts()
        lanes = self._pace.first
        destructive = sorted((s for s in self.chosen if s.check.destructive), key=lambda s: s.check.destructive)
        main, last = (
            [s for s in self.chosen if not s.check.destructive and s.check.phase == phase] for phase in ("main", "last")
        )
        watch = asyncio.create_task(self._watch())
        try:
            await self._side_by_side(sorted(main, key=_observed_after_last), lanes)
            await self._one_by_one(destructive, lanes)
            await self._side_by_side(sorted(last, key=_observed_after_last), lanes)
        finally:
            watch.cancel()
        if self._up:
            await asyncio.sleep(self.target.limits.sweep)

    async def _one_by_one(self, destructive: Sequence[Scene], lanes: int) -> None:
        """Play scenes of which each may bring the server down.

        Where that takes long, those of one check are played together, so that the requirement is known at least;
        over a far link all that send payloads are, and all that do not.
        """
        began = time.monotonic()
        far = self.target.limits.far
        if far:
            destructive = sorted(destructive, key=_sends_payloads, reverse=True)  # and bare frames last, here too
        for _, some in itertools.groupby(destructive, _sends_payloads if far else lambda scene: scene.check):
            if far or time.monotonic() - began > _ONE_BY_ONE:
                await self._side_by_side(some, lanes)
                continue
            for scene in some:  # each in the lane that has been idle for longest: what is still observed there may stay
                longest = min(range(lanes), key=lambda number: self._cast(number).busy_until)
                await self._side_by_side([scene], 1, first=longest, growing=False)

    async def _watch(self) -> None:
        """End the run if nothing at all is heard of the server any more; one that hangs closes no connection."""
        asked = time.monotonic()
        while True:
            await asyncio.sleep(self.target.limits.answer / 4)
            heard = self._life.heard_last(self._up.values())
            if time.monotonic() - max(heard, asked) > self.target.limits.answer:
                for _ in range(2):
                    try:
                        await reach(self.target)
                    except TargetFault:
                        continue
                    break
                else:
                    self._life.end(self._up.values())
                    self._give_up(f"{self.target.url} stopped answering during the run (all scenes)", silent=True)
                asked = time.monotonic()

    def _give_up(self, why: str, *, silent: bool = False) -> None:
        """End the run, and with it what is being played; a scene that asks for such an end may come to its own."""
        if not self._gone:
            self.run.fault = self._hide(why)
        self._gone = True
        self._over.set()
        for patience, scene in self._patience.items():
            if (silent or not scene.check.destructive) and not patience.expired():  # else it is ending already
                patience.reschedule(0)

    async def _first_accounts(self) -> None:
        """Make the first lane's accounts, where they are made, before there are more lanes: there may be a limit."""
        if self._renewable and len(self.chosen) > self._pace.first > 1:
            making = map(self._cast(0).identity, self.target.accounts)
            await asyncio.gather(*making, return_exceptions=True)  # it fails again in the scene that needs the account

    def _make_room(self, seconds: float) -> None:
        """Play in one lane from now on, and let no scene's time run out while a rate limit is waited for."""
        self._pace.narrow()
        for patience in self._patience:
            prolong(patience, seconds)

    def _cast(self, number: int) -> AccountPool:
        while len(self._casts) <= number:
            self._casts.append(self._new_cast())
        return self._casts[number]

    def _new_cast(self) -> AccountPool:
        self._all_casts.append(AccountPool(next(self._lanes), self.provisioner))
        return self._all_casts[-1]

    async def _side_by_side(
        self, waiting: Iterable[Scene], lanes: int, *, first: int = 0, growing: bool = True
    ) -> None:
        """Play scenes in so many lanes from the first; in more, one by one, while the judge has little to do."""
        queue = iter(waiting)
        lanes = min(lanes, self._pace.most)

        async def lane(number: int) -> None:
            nonlocal lanes
            while number - first < self._pace.most and (scene := next(queue, None)) is not None:
                if self._is_over():
                    return
                await self._on(scene, number)
                if growing and not self._is_over() and self._pace.allows_another(lanes):
                    group.create_task(lane(lanes))
                    lanes += 1

        async with asyncio.TaskGroup() as group:
            for number in range(first, first + lanes):
                group.create_task(lane(number))
        self.run.concurrency = max(self.run.concurrency, lanes)
        if self.run.fault:
            raise TargetFault(self.run.fault)

    def _is_over(self) -> bool:
        """Whether nothing more is to be played: a lane may have been cancelled where that was taken for its scene's."""
        task = asyncio.current_task()
        return self._over.is_set() or (task is not None and task.cancelling() > 0)

    async def _on(self, scene: Scene, number: int) -> None:
        """Play one scene in one lane; once more with new accounts if a rate limit got in its way."""
        played = await self._one(scene, self._cast(number))
        if self._was_limited(scene, played) and self._renewable and not self._over.is_set():
            fresh = self._new_cast()
            again = await self._one(scene, fresh, renewed=True)
            self._renewable = not again.stranded
            if self._renewable:
                played, self._casts[number] = again, fresh
        self._mind_silence(played)
        self._put_down(scene, played)

    def _mind_silence(self, played: Played) -> None:
        """End the run if in many scenes in a row no connection brought anything: more waiting shows nothing more."""
        if played.stage.journal.heard_last():
            self._silent_scenes = 0
        if played.stage.journal.heard_last() or not (unjudged := played.unjudged):
            return
        self._silent_scenes += 1
        if self._silent_scenes >= _SILENT_SCENES and not self._gone:
            self._life.end(self._up.values())
            self._give_up(
                f"in {self._silent_scenes} scenes in a row nothing came over a connection to {self.target.url}, "
                f"though it answers handshakes ({unjudged[0]}); does a proxy before it let "
                f"{self.target.transport} through?",
                silent=True,
            )

    async def _one(self, scene: Scene, cast: AccountPool, *, renewed: bool = False) -> Played:
        """Play one scene; `renewed` if its accounts are an attempt to get round a limit, which may fail."""
        await asyncio.sleep(max(0.0, cast.busy_until - time.monotonic()))
        if (before := self._up.pop(cast.lane, None)) is not None:
            await self._strike(before)
        stage = Stage(cast, self.target, scene.event, scene.wanted)
        self._stages.append((scene, stage))
        self._up[cast.lane] = stage
        self._life.follow(stage)
        began = time.monotonic()
        limit = self.target.limits.scene * scene.check.timeout_factor
        played = Played(stage)
        try:
            async with asyncio.timeout(limit) as patience:
                self._patience[patience] = scene
                try:
                    await stage.set_up()
                    await act(scene, stage)
                finally:
                    del self._patience[patience]
        except TimeoutError:
            played.reason = Unjudged(self.run.fault or f"the scene took longer than {limit:.0f} s")
        except Unjudged as unjudged:
            played.reason = unjudged
        except TargetFault as fault:
            played.reason = Unjudged(str(fault))
            played.stranded = renewed
            if not renewed:
                self.run.fault = self._hide(str(fault))
                self._over.set()
        except Exception as fault:  # the suite's own fault, whatever it is, must not pass for a finding
            played.error = f"{type(fault).__name__}: {fault}"
            self._log(f"scene {scene.name}", fault)
        for failure in (actor.failure for actor in stage.actors if actor.failure is not None):
            played.error = f"{type(failure).__name__}: {failure}"
            self._log(f"scene {scene.name}", failure)
        if scene.check.observe_after:
            cast.busy_until = time.monotonic() + self.target.limits.sweep
        played.ended = time.monotonic()
        played.seconds = played.ended - began
        if self._is_doubtful(played):
            await self._look_after(scene)
        return played

    @staticmethod
    def _was_limited(scene: Scene, played: Played) -> bool:
        return played.limited and not scene.check.floods

    def _is_doubtful(self, played: Played) -> bool:
        """Whether what a scene came to may be due to a server that is gone, or is another one by now."""
        if self._life.ended is not None:
            return False  # that is known already
        if self._life.in_doubt or self.run.fault:
            return True
        if any(isinstance(result, Gone) for result in played.unjudged):
            return True
        silence = time.monotonic() - self._life.heard_last(self._up.values())
        return bool(played.unjudged or any(played.stage.judged.values())) and silence > self.target.limits.answer / 4

    async def _look_after(self, scene: Scene) -> None:
        """Find out whether one connection is gone or the whole server; the latter ends the run."""
        identities = [identity for cast in self._casts for identity in cast.known().values()]
        try:
            await self._life.look(self._up.values(), identities)
        except TargetFault as fault:
            stopped = f"{self.target.url} stopped answering during the run ({scene.name})"
            self._give_up(str(fault) if isinstance(fault, Replaced) else f"{stopped}: {fault}")

    def _put_down(self, scene: Scene, played: Played) -> None:
        made = [self._verdict(scene, name, played) for name in sorted(scene.wanted)]
        for number, verdict in enumerate(made):
            if (before := self._verdicts.get((verdict.requirement, verdict.event))) is not None:
                made[number] = verdict = before.joined_by(verdict)
            self._verdicts[verdict.requirement, verdict.event] = verdict
            if self.fail_fast and verdict.outcome is Outcome.FAIL:
                self._over.set()
        self.run.scenes += 1
        self.on_scene(made)

    def _verdict(self, scene: Scene, name: str, played: Played) -> Verdict:
        """Say what a scene showed about one requirement."""
        event = scene.event.name if scene.event else None
        level = self.catalogue.requirements[name].level
        verdict = Verdict(name, event, level, Outcome.PASS, check=scene.check.name, seconds=played.seconds)
        found = played.stage.judged.get(name)
        if (ended := self._life.ended) is not None and played.ended >= ended:
            found = standing(played.stage, name, ended, silent=self._life.silent)
        if played.error:
            verdict.outcome, verdict.reason = Outcome.ERROR, self._hide(played.error)
            return verdict
        if self._was_limited(scene, played):
            verdict.outcome, verdict.reason = Outcome.UNJUDGED, _LIMITED
            return verdict
        if found is None or (played.reason is not None and not any(isinstance(f, Broken) for f in found)):
            _leave_open(verdict, played.reason or Unjudged(self.run.fault or "the scene ended before this was judged"))
        for result in found or ():
            if isinstance(result, Broken):
                if len(verdict.findings) < FINDINGS:
                    verdict.convict(finding(result, scene, played.stage))
            elif verdict.outcome is Outcome.PASS:
                _leave_open(verdict, result)
        verdict.reason = self._hide(verdict.reason)
        return verdict

    def settle(self) -> None:
        """Close the verdicts of all that was chosen, held against the invariants; whatever else went wrong."""
        if self.run.verdicts:
            return
        try:
            ended = math.inf if self._life.ended is None else self._life.ended
            hold_against_the_invariants(self._stages, self._verdicts, ended)
            report_the_dialect(self._stages, self._verdicts, ended)
        except Exception as fault:  # as in `play`
            self._blame_the_suite(fault)
        for scene in self.chosen:
            for name in sorted(scene.wanted):
                event = scene.event.name if scene.event else None
                if (name, event) not in self._verdicts:
                    requirement = self.catalogue.requirements[name]
                    why = self.run.fault or ("interrupted" if self.run.interrupted else "the run ended before")
                    self._verdicts[name, event] = Verdict(
                        name, event, requirement.level, Outcome.UNJUDGED, why, check=scene.check.name
                    )
        if self.target.recovers:
            self.run.notes.append(_RECOVERS)
        order = {name: i for i, name in enumerate(self.catalogue.requirements)}
        self.run.verdicts = sorted(self._verdicts.values(), key=lambda v: (order[v.requirement], v.event or ""))

    async def _strike(self, stage: Stage) -> None:
        try:
            async with asyncio.timeout(1 if self._life.ended else self.target.limits.answer):
                await stage.tear_down()
        except (TimeoutError, Unjudged, TargetFault) as why:
            named = f"a session named {LABEL}-{self.target.run}"
            self.run.leftovers.append(self._hide(f"{named}: {str(why) or 'it took too long'}"))

    async def _clear(self) -> None:
        """Clear everything away, however the run ended; what cannot be is told, and counts against nobody."""
        try:
            async with asyncio.timeout(_CLEARING):
                await asyncio.gather(*map(self._strike, self._up.values()))
                self._up.clear()
                journals = [stage.journal for _, stage in self._stages]
                left = await clear_away(self.provisioner, self._all_casts, journals)
        except TimeoutError:
            left = [f"all that has {self.target.run} in its name: it took longer than {_CLEARING:.0f} s"]
        self.run.leftovers += map(self._hide, left)


def _observed_after_last(scene: Scene) -> tuple[bool, bool]:
    """Sort slow scenes first, and last those observed after, so that others go on meanwhile."""
    return scene.check.observe_after, not scene.check.slow


def _sends_payloads(scene: Scene) -> bool:
    return scene.check.requirements[0].startswith("payloads/")


def _leave_open(verdict: Verdict, why: Exception) -> None:
    missing = isinstance(why, Missing)
    verdict.outcome = Outcome.SKIPPED if missing else Outcome.UNJUDGED
    verdict.reason = f"the target offers no {why}" if missing else str(why)

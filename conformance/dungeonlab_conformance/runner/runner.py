"""Plays the scenes of a run on stages and returns what they came to: the schedule, the watch and the book of verdicts.

Set the stage, play, keep the recorders on, judge. Prints nothing: a caller that follows the run passes `on_scene`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from dungeonlab_conformance.clients.handshake import measure, reach
from dungeonlab_conformance.clients.obstacles import no_answer
from dungeonlab_conformance.plays.covering import covering
from dungeonlab_conformance.record.archive.values import TooLarge
from dungeonlab_conformance.record.marks import name_marks_after
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_conformance.runner.concurrency import Pace
from dungeonlab_conformance.runner.evaluation import Recording
from dungeonlab_conformance.runner.interruptions.deaths import Deaths
from dungeonlab_conformance.runner.interruptions.watch import Watch
from dungeonlab_conformance.runner.recheck.packed_recording import NOT_KEPT, packed_recording
from dungeonlab_conformance.runner.scene import Attempts, Played, act
from dungeonlab_conformance.runner.schedule import AccountPools, Schedule
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.runner.verdicts import VerdictBook
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.cleanup import clear_away, in_one_line
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.sessions import LABEL
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.survey import Survey
from dungeonlab_conformance.target.rate_limits import Throttle
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.target.workarounds import Workarounds

_LOG = logging.getLogger(__name__)
_LONGEST = 4000  # characters of a reason, or of what went wrong
_RECOVERS = (
    "the server keeps the state of connections, for clients that come back; the offset that Socket.IO adds to each "
    "event for that is no argument"
)
_OTHERWISE = "nobody could connect over {}; all that is not about that transport was judged over {}"
_WITH_ROOM = 5  # attempts at a scene for which the server takes no more connections, each when others were closed
_ROOM_AFTER = 1.0  # seconds in which scenes that are played meanwhile may end, and close theirs
_AFTER_A_LIMIT = 1.2  # seconds in which a limit of so many requests a second is over
_CLEARING = 30.0  # seconds for clearing everything away at its end


class Runner:
    """Plays scenes against one target."""

    def __init__(
        self,
        target: Target,
        chosen: Sequence[Scene],
        run: Run | None = None,
        on_scene: Callable[[list[Verdict]], None] = lambda *_: None,
        *,
        recorded: bool = False,
    ) -> None:
        """`run` is what to fill in, if its options are not the usual ones; with its recording if it is `recorded`."""
        self.target = target
        self.chosen = chosen
        self.on_scene = on_scene
        self._recorded = recorded
        self.provisioner = Provisioner(target)
        target.room, target.workarounds = Room(), Workarounds()
        self._hide = partial(target.secrets.shortened, longest=_LONGEST)  # nothing gets into the run without it
        self.run = run or target.new_run()
        self.options = self.run.options
        self.run.dialect = bool(target.dialect)
        self.stages: list[tuple[Scene, Stage]] = []
        self.pools = AccountPools(self.provisioner)
        self._surveyed: Stage | None = None
        self.watch = Watch(target, self.run, self._hide)
        self._book = VerdictBook(self.run, self.watch.life, self._hide)
        self._deaths = Deaths(target, self.watch, self._book, self.options.restart_wait, chosen)
        self._entered: set[str] = set()  # the names of the scenes
        self._attempts = Attempts()
        self._throttle: Throttle | None = None  # what all wait for together, where a server counts what all send
        self._helped = self._is_limited_in_vain = False  # whether that let any scene come to its end, or none
        self._slowing = asyncio.Lock()
        self._is_crowded, self._clearing = False, asyncio.Lock()  # whether the server takes no more connections
        self._renewable = self.provisioner.offers("register")  # whether there are new accounts to be had

    async def play(self) -> Run:
        """Play all scenes and return what they came to, also when cut short."""
        began = time.monotonic()
        name_marks_after(self.target.run)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it chokes on broken connections, and says so
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        ending = asyncio.timeout(self.options.time_limit)
        try:
            async with ending:
                await self._play()
        except asyncio.CancelledError:
            self.run.interrupted = True
        except TargetFault as fault:
            self.run.fault = self._hide(str(fault))
        except Exception as fault:  # the suite's own: what was found before is reported all the same
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
            f"the run reached its time limit of {self.options.time_limit:g} s and ended with what it had found; "
            "raise --time-limit if the server is only slow, or select less with --only"
        )

    def _blame_the_suite(self, fault: BaseException) -> None:
        self.run.end_by(fault, self._hide)
        self._log("the run", fault)

    def _log(self, what: str, fault: BaseException) -> None:
        _LOG.debug("%s: %s", what, self.target.secrets.redact("".join(traceback.format_exception(fault))))

    async def _play(self) -> None:
        target = self.target
        await reach(target)
        await measure(target)
        spares = not target.keeps_sessions
        self._pace = Pace(target.limits.far, exactly=self.options.concurrency, limit=target.lanes, spares=spares)
        with target.rate_limit.telling(self._make_room):
            await self._first_accounts()
            await self._survey()
            await self._through_deaths()
        if self.watch.up:  # where no scene was observed by itself, the run is
            observed = self._pace.spare and any(scene.check.observe_after for scene in self.chosen)
            await asyncio.sleep(self.pools.rest() if observed else target.limits.sweep)

    async def _through_deaths(self) -> None:
        """Play all that was chosen; after each death of the server what is left of it, if that comes back."""
        left, alone = list(self.chosen), list[Scene]()
        while left or alone:
            watching = asyncio.create_task(self.watch.until_silence())
            await self._post_guard()
            try:
                await Schedule(self.target, self._pace, self.pools, self.watch, self._on).play(left, alone)
                break
            except TargetFault as fault:
                watching.cancel()
                await self._deaths.outlive(fault, self.pools, self._tear_down)
            finally:
                watching.cancel()
                await self.watch.life.dismiss_guard()
            again = self._deaths.sort_out(self._enter)
            waiting = [scene for scene in (*alone, *again) if scene.name not in self._entered]
            alone = list({scene.name: scene for scene in waiting}.values())
            done = self._entered | {scene.name for scene in alone}
            left = [scene for scene in left if scene.name not in done]

    async def _post_guard(self) -> None:
        """Have somebody connected who plays in no scene, if the server may die and come back unnoticed."""
        if self._deaths.restart.is_possible and self._renewable:
            with contextlib.suppress(Unjudged, TargetFault):
                await self.watch.life.post_guard(await self.pools.guard())

    async def _first_accounts(self) -> None:
        """Make the first lane's accounts, where they are made, before there are more lanes: there may be a limit."""
        if self._renewable and len(self.chosen) > self._pace.first > 1:
            pool = self.pools.new()
            self.pools.give_back(pool)
            making = map(pool.identity, self.target.accounts)
            await asyncio.gather(*making, return_exceptions=True)  # it fails again in the scene that needs the account

    async def _survey(self) -> None:
        """Find out what scenes have to do otherwise on this server."""
        pool = self.pools.take(self._pace.most)
        stage = self._surveyed = self.watch.up[pool.lane] = Stage(pool, self.target)
        self.watch.life.follow(stage)
        await Survey(stage).carry_out()
        await self._tear_down(self.watch.up.pop(pool.lane))
        if other := self.target.workarounds.transport:
            self.run.notes.append(_OTHERWISE.format(self.target.transport, other))
        self.pools.give_back(pool)

    def _make_room(self, seconds: float) -> None:
        """Play in one lane from now on, and let no scene's time run out while a rate limit is waited for."""
        self._pace.narrow()
        self.watch.allow_more(seconds)

    async def _on(self, scene: Scene, pool: AccountPool) -> AccountPool:
        """Play one scene; again with new accounts as long as a limit gets in its way. Returns those to go on with."""
        if scene.is_play and self.target.workarounds.deadly.is_known:
            self._entered.add(scene.name)  # left out: it would send together what the server dies of
            return pool
        played = await self._one(scene, pool)
        if played.was_turned_away or self._is_crowded:
            played = await self._with_room(played, pool)
        if played.was_cut:
            played = await self._on_new_connections(played, pool)
        for apart in self._attempts.of(scene) if self._throttle is None else ():
            limited = played.was_limited or (played.was_crowded_out and not apart)
            if not limited or not self._renewable or self.watch.is_over:
                break
            fresh = self.pools.new()
            again = await self._one(scene, fresh, renewed=True, throttle=Throttle(apart) if apart else None)
            if apart:
                self._attempts.sent_slowly(again, apart)
            self._renewable = not again.stranded
            self.pools.drop(pool if self._renewable else fresh)
            if self._renewable:
                played, pool = again, fresh
        if played.was_limited and self._renewable and (self._throttle or played.limited_newcomers):
            played = await self._all_more_slowly(played, pool)
        self.watch.count_silence(played)
        if not self._deaths.hold(played):
            self._enter(played)
        return pool

    async def _on_new_connections(self, played: Played, pool: AccountPool) -> Played:
        """Play a scene again in which connections were closed: a network may do so, but hardly each time."""
        times = 0
        while self._attempts.may_be_repeated(played, times) and not self.watch.is_over:
            if self.watch.life.ended is not None:
                return played
            played = await self._one(played.scene, pool)
            times += 1
        self._attempts.repeated(played)
        return played

    async def _all_more_slowly(self, played: Played, pool: AccountPool) -> Played:
        """Play a scene again as long as the server limits what all users send together; each time all send less.

        From then on scenes are played one by one.
        """
        self._pace.narrow()
        async with self._slowing:
            if self._is_limited_in_vain:
                return played
            self._throttle = throttle = self._throttle or Throttle.for_all()
            enough, is_slowest = throttle.apart, False
            while played.was_limited and not is_slowest and not self.watch.is_over:
                await asyncio.sleep(_AFTER_A_LIMIT)
                played = await self._one(played.scene, pool)
                is_slowest = played.was_limited and not throttle.slow_down()
            if not played.was_limited:
                self._helped = True
            elif self._helped:
                throttle.apart = enough  # for all scenes but this one
            else:
                self._throttle, self._is_limited_in_vain = None, True
        return played

    async def _with_room(self, played: Played, pool: AccountPool) -> Played:
        """Play a scene again while the server takes no more connections, and close those of scenes that are over.

        From then on no connection stays open longer than its scene is observed, and scenes are played one by one.
        """
        self._is_crowded = True
        self._pace.narrow()
        await self._retire(pool)  # before others are waited for, who wait for its connections
        async with self._clearing:
            for _ in range(_WITH_ROOM):
                for over in (pool, *self.pools.take_dropped(), *(free := self.pools.take_free())):
                    await self._retire(over)
                for over in free:
                    self.pools.give_back(over)
                if not played.was_turned_away or self.watch.is_over:
                    break
                await asyncio.sleep(_ROOM_AFTER)
                played = await self._one(played.scene, pool)
        return played

    async def _retire(self, pool: AccountPool) -> None:
        """Take down what a scene has left open, once it has been observed."""
        await asyncio.sleep(max(0.0, pool.busy_until - time.monotonic()))
        if (before := self.watch.up.pop(pool.lane, None)) is not None:
            await self._tear_down(before)

    def _enter(self, played: Played) -> None:
        made = self._book.enter(played)
        self._entered.add(played.scene.name)
        if self.options.fail_fast and any(verdict.outcome is Outcome.FAIL for verdict in made):
            self.watch.end()
        self.on_scene(made)

    async def _one(
        self, scene: Scene, pool: AccountPool, *, renewed: bool = False, throttle: Throttle | None = None
    ) -> Played:
        """Play one scene; `renewed` if its accounts are an attempt to get round a limit, which may fail."""
        await self._retire(pool)
        pool.throttle = throttle or (None if scene.check.floods else self._throttle)
        stage = Stage(pool, self.target, scene.event, scene.wanted)
        self.stages.append((scene, stage))
        self.watch.up[pool.lane] = stage
        self.watch.life.follow(stage)
        played = Played(scene, stage)
        began = time.monotonic()
        await self._act(played, renewed=renewed)
        if scene.check.observe_after:
            pool.busy_until = time.monotonic() + self.target.limits.sweep
        played.ended = time.monotonic()
        played.seconds = played.ended - began
        if self.watch.is_doubtful(played):
            await self.watch.look_after(scene, self.pools.known())
        return played

    async def _act(self, played: Played, *, renewed: bool) -> None:
        """Play a scene within its time; why it ended early goes into `played`."""
        scene, stage = played.scene, played.stage
        limit = self.target.limits.scene * scene.check.timeout_factor
        try:
            async with self.watch.time_limit(scene, limit):
                await stage.set_up()
                await act(scene, stage)
        except TimeoutError:
            why = self.run.fault or f"the scene took longer than {limit:.0f} s"
            silent = scene.event and self.target.limits.is_often_silent(scene.event.name)
            played.reason = Unjudged(why, waits_for=no_answer(scene.event.name) if scene.event and silent else None)
        except Unjudged as unjudged:
            played.reason = unjudged
        except TargetFault as fault:
            played.reason = Unjudged(str(fault))
            played.stranded = renewed
            if not renewed:
                self.watch.fail(str(fault))
        except Exception as fault:  # the suite's own fault, whatever it is, must not pass for a finding
            self._note_own_fault(played, fault)
        for actor in stage.actors:
            if actor.failure is not None and self.target.adapter_fault is None:
                self._note_own_fault(played, actor.failure)

    def _note_own_fault(self, played: Played, fault: BaseException) -> None:
        played.error = f"{type(fault).__name__}: {fault}"
        self._log(f"scene {played.scene.name}", fault)

    def settle(self) -> None:
        """Close the verdicts of all that was chosen, with the invariants applied; whatever else went wrong."""
        if self.run.verdicts:
            return
        while self._deaths.held:
            self._enter(self._deaths.held.pop(0))
        recording = None
        try:
            recording = self._book.evaluate(self.stages) if self.stages else None
        except Exception as fault:  # as in `play`
            self._blame_the_suite(fault)
        self.run.plays = _played([stage for scene, stage in self.stages if scene.is_play])
        if self.target.recovers:
            self.run.notes.append(_RECOVERS)
        unplayed = self._book.close(self.chosen)
        if self._recorded and recording:
            self._keep(replace(recording, unplayed=unplayed))

    def _keep(self, recording: Recording) -> None:
        """Put a recording into the run, unless it is too large."""
        try:
            self.run.recording = packed_recording(recording, self.target.secrets)
        except TooLarge as much:
            self.run.notes.append(NOT_KEPT.format(much))
        except Exception as fault:  # as in `play`
            self._blame_the_suite(fault)

    async def _tear_down(self, stage: Stage) -> None:
        try:
            async with asyncio.timeout(1 if self.watch.life.ended else self.target.limits.answer):
                await stage.tear_down()
        except (TimeoutError, Unjudged, TargetFault) as why:
            named = f"a session named {LABEL}-{self.target.run}"
            self.run.leftovers.append(self._hide(f"{named}: {str(why) or 'it took too long'}"))

    async def _clear(self) -> None:
        """Delete everything that was created, however the run ended; what cannot be deleted is reported."""
        try:
            async with asyncio.timeout(_CLEARING):
                await asyncio.gather(*map(self._tear_down, self.watch.up.values()))
                self.watch.up.clear()
                journals = [stage.journal for stage in (*(stage for _, stage in self.stages), self._surveyed) if stage]
                left = await clear_away(self.provisioner, self.pools.all, journals)
        except TimeoutError:
            left = [f"all that has {self.target.run} in its name: it took longer than {_CLEARING:.0f} s"]
        await self._deaths.restart.end()
        self.run.leftovers += map(self._hide, left)
        if self.watch.life.ended or self.watch.life.outages:
            self.run.leftovers = in_one_line(self.run.leftovers, self.target.run)


def _played(stages: Sequence[Stage]) -> str:
    """Return how much was played besides scenes, and how much that covers, in words; empty if nothing was."""
    if not stages:
        return ""
    whole = covering()
    played, acts = sum(bool(stage.acts) for stage in stages), sum(len(play.acts) for play in whole.plays)
    covered = (
        f"{whole.pairs[0]:,} of {whole.pairs[1]:,} pairs and {whole.triples[0]:,} of {whole.triples[1]:,} triples of "
        "circumstances"
    )
    if played < len(whole.plays):
        return f"{played} of {len(whole.plays)} plays; all of them cover {covered}"
    return f"{played} plays of {acts:,} acts, which cover {covered}"

"""Searches for what breaks a requirement: plays at random, and makes what shows it as short as it can be."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from dungeonlab_conformance.clients.handshake import measure, reach
from dungeonlab_conformance.invariants.breaches import Breach
from dungeonlab_conformance.plays.acts import Play
from dungeonlab_conformance.plays.covering import covering
from dungeonlab_conformance.plays.generator import WARM, random_play
from dungeonlab_conformance.plays.shrinking import shortest
from dungeonlab_conformance.plays.situations import Situation, count, visited
from dungeonlab_conformance.record.archive.values import TooLarge
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict, VerdictKey
from dungeonlab_conformance.runner.evaluation import finding, unexplained
from dungeonlab_conformance.runner.recheck.packed_recording import NOT_KEPT, packed_trials
from dungeonlab_conformance.runner.recheck.trials import AGAIN, Trial, conclusion, first_of_each, key_of
from dungeonlab_conformance.runner.search.playing import Carried, Judged, Playing, judged
from dungeonlab_conformance.runner.selection import judgeable
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue

_LOG = logging.getLogger(__name__)
_TOGETHER = 20  # plays after which it is looked at what they show
_TRIES = 200  # parts of a play that are tried
_IN_A_ROW = 3  # times that a part must show it, where the shortest does so only at times
_IMPATIENCE = 0.2  # of each time limit, while parts are tried
_LAST = 30.0  # seconds beyond its time in which a search plays again what it has found
_JUDGING = 60.0  # seconds more, in which it comes to its end
_MOST_SEEN = 300_000  # observations that are kept; a result can hold about as many
_LONGEST = 4000  # characters of what went wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How many plays of which length, from which seed, for so many minutes at most.

    `actors` is how many tabs a play begins with; None for some.
    """

    seed: int
    plays: int = 200
    minutes: float = 10.0
    length: int = 32
    actors: int | None = None

    def all_plays(self) -> Iterator[Play]:
        """Yield the plays one by one: each looks for situations that those before it did not visit."""
        tabs, known = (self.actors, self.actors) if self.actors else WARM, set[Situation]()
        for number in range(1, self.plays + 1):
            yield random_play(f"{self.seed}-{number}", self.length, tabs, known)


@dataclass(slots=True)
class Count:
    """What was played, and visited by that."""

    plays: int = 0
    whole: int = 0  # plays that came to their end
    acts: int = 0
    showing: dict[VerdictKey, int] = field(default_factory=dict)  # plays in which each was seen
    situations: set[Situation] = field(default_factory=set)

    def add(self, came: Judged, shown: Sequence[Breach]) -> None:
        """Count plays, with what of that which they show is judged."""
        self.plays += len(came.carried)
        self.whole += sum(not each.ended_early for each in came.carried)
        self.acts += sum(len(each.stage.acts) for each in came.carried)
        self.situations.update(*(visited(each.play) for each in came.carried))
        for key, _ in {(key_of(breach), breach.journal) for breach in shown}:
            self.showing[key] = self.showing.get(key, 0) + 1

    @property
    def in_words(self) -> str:
        """The figures, in words."""
        whole, found = covering(), count(self.situations)
        return (
            f"{self.plays} plays, {self.acts:,} acts; visited {found[2]:,} of {whole.pairs[1]:,} pairs and "
            f"{found[3]:,} of {whole.triples[1]:,} triples of circumstances"
        )


class Search:
    """One search on one target; what is found are verdicts of its run."""

    def __init__(
        self,
        target: Target,
        options: SearchOptions,
        run: Run,
        on_plays: Callable[[int, int], None] = lambda *_: None,
        *,
        recorded: bool = False,
    ) -> None:
        """`on_plays` is called with how many plays more were played, and how many findings there are.

        A search that is `recorded` holds in its run all that `recheck` needs.
        """
        self.target = target
        self.options = options
        self.run = run
        self._on_plays = on_plays
        self._hide = partial(target.secrets.shortened, longest=_LONGEST)
        self._counted = Count()
        self._known: set[str] = set()  # requirements that were found broken
        self._verdicts: dict[VerdictKey, Verdict] = {}
        self._trials: dict[VerdictKey, Sequence[Trial]] = {}  # what each of them rests on
        self._recorded = recorded
        self._until = 0.0
        catalogue = Catalogue.load()
        pairs = [(each, event) for each, event in judgeable(catalogue) if each.level != "MAY" and not each.part]
        self._judged = {VerdictKey(each.id, event.name if event else None) for each, event in pairs}

    async def play(self) -> Run:
        """Search until its end, also when cut short; then clear everything away."""
        began = time.monotonic()
        self._until = began + 60 * self.options.minutes
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        playing = Playing(self.target)
        self.run.concurrency = playing.lanes
        try:
            async with asyncio.timeout(60 * self.options.minutes + _LAST + _JUDGING) as ending:
                await self._search(playing)
        except asyncio.CancelledError:
            self.run.interrupted = True
        except TargetFault as fault:
            self.run.fault = self._hide(str(fault))
        except Exception as fault:  # the suite's own: what was found before is reported all the same
            if ending.expired():
                self.run.fault = "the search did not end in its time; what it had found until then counts"
            else:
                self._blame_the_suite(fault)
        finally:
            self.run.leftovers += map(self._hide, await asyncio.shield(playing.clear_away()))
            self.settle()
            self.run.seconds = time.monotonic() - began
        return self.run

    def settle(self) -> None:
        """Put what was found, and how much was played for that, into the run."""
        order = {name: place for place, name in enumerate(Catalogue.load().requirements)}
        found = map(self._with_count, self._verdicts.values())
        self.run.verdicts = sorted(found, key=lambda v: (order[v.requirement], v.event or ""))
        self.run.scenes = self._counted.plays
        self.run.plays = self._counted.in_words
        if self._recorded and not self.run.recording:
            self._keep([trial for trials in self._trials.values() for trial in trials])

    def _keep(self, trials: Sequence[Trial]) -> None:
        """Put what the verdicts rest on into the run, unless it is too large."""
        self._recorded = False
        try:
            self.run.recording = packed_trials(trials, self.target.secrets)
        except TooLarge as much:
            self._forgo(much)
        except Exception as fault:  # as in `play`
            self._blame_the_suite(fault)

    def _with_count(self, verdict: Verdict) -> Verdict:
        """Return a verdict whose findings say, too, how many plays of the search showed the same."""
        among = f"; {self._counted.showing.get(verdict.key, 0)} of {self._counted.plays} plays showed it"
        findings = [replace(found, how_often=f"{found.how_often}{among}") for found in verdict.findings]
        return replace(verdict, findings=findings)

    def _blame_the_suite(self, fault: BaseException) -> None:
        self.run.end_by(fault, self._hide)
        _LOG.debug("the search: %s", self.target.secrets.redact("".join(traceback.format_exception(fault))))

    async def _search(self, playing: Playing) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._until - time.monotonic()):
                await reach(self.target)
                await measure(self.target)
                await playing.survey()
        left = self.options.all_plays()
        while not self._is_over() and (plays := list(itertools.islice(left, _TOGETHER))):
            await self._some(playing, plays)
        if not (self._counted.whole or self._verdicts):
            what = "no play came to its end" if self._counted.plays else "nothing was played"
            raise TargetFault(f"{what} in {self.options.minutes:g} minutes; raise --minutes")

    def _is_over(self) -> bool:
        return time.monotonic() >= self._until

    async def _some(self, playing: Playing, plays: Sequence[Play]) -> None:
        """Carry out some plays, and look closer at each thing that they show and that nothing known explains."""
        carried = await self._carried(playing, plays, self._until)
        if not carried:
            return
        came = judged(carried)
        if all(each.ended_early and not each.was_cut for each in came.carried):
            raise TargetFault(f"no play came to its end; the last one: {came.carried[-1].ended_early}")
        shown = [breach for breach in came.breaches if key_of(breach) in self._judged]
        self._counted.add(came, shown)
        self._on_plays(len(came.carried), len(self._verdicts))
        for key in dict.fromkeys(map(key_of, unexplained(shown, self._known))):
            if key not in self._verdicts:
                await self._look_closer(playing, key, came)
                self._on_plays(0, len(self._verdicts))

    async def _carried(self, playing: Playing, plays: Sequence[Play], until: float) -> list[Carried]:
        """Carry out plays, as many as begin until then; those under way are cut.

        Raises `TargetFault` if the server is gone then: what was seen as it went shows nothing.
        """
        playing.until = until
        carried = await playing.together(plays)
        if any(each.ended_early for each in carried):
            await reach(self.target)
        return carried

    async def _look_closer(self, playing: Playing, key: VerdictKey, upon: Judged) -> None:
        """Look for the shortest play that breaks the same, and play that again; enter what comes of it.

        It was come `upon` in some plays. If the shortest does not show it each time, another is looked for, of which
        each part did several times.
        """
        found = upon.plays[first_of_each(upon.breaches, key)[0].journal]
        self._enter(key, [(upon, False)], found.play)  # stands if the search is over before anything is played again
        most = -1
        for in_a_row in (1, _IN_A_ROW):
            with self._impatient():
                shows = partial(self._shows, playing, key, in_a_row)
                least = await shortest(found.play, shows, tries=_TRIES // in_a_row, at_once=playing.lanes)
            came = await self._carried(playing, [least] * AGAIN, self._until + _LAST)
            whole = [each for each in came if not each.was_cut]
            if not whole:
                break
            again = judged(whole)
            seen = len(first_of_each(again.breaches, key))
            if seen > most:
                most = seen
                trials = [(again, True)] if seen else [(upon, False), (again, True)]
                self._enter(key, trials, least if seen else found.play)
            if most == AGAIN or self._is_over():
                break

    async def _shows(self, playing: Playing, key: VerdictKey, in_a_row: int, play: Play) -> bool:
        """Whether a play breaks something, so many times in a row."""
        for _ in range(in_a_row):
            came = await self._carried(playing, [play], self._until)
            if not came or came[0].was_cut or not first_of_each(judged(came).breaches, key):
                return False
        return True

    @contextlib.contextmanager
    def _impatient(self) -> Iterator[None]:
        """Wait less for what never comes while the block runs, if the link is fast: much is tried in it."""
        limits = self.target.limits
        usual = limits.scale
        limits.scale = usual if limits.far else usual * _IMPATIENCE
        try:
            yield
        finally:
            limits.scale = usual

    def _enter(self, key: VerdictKey, came: Sequence[tuple[Judged, bool]], play: Play) -> None:
        """Enter a verdict with what it rests on: plays, each with whether they are counted; `play` shows it best."""
        trials = [(Trial(key, counted, each.recording), each) for each, counted in came]
        concluded = conclusion((trial, each.breaches) for trial, each in trials)
        breach = concluded.first
        assert breach is not None  # something was come upon
        carried = next(each.plays[breach.journal] for each, _ in came if breach.journal in each.plays)
        made = finding(breach.broken, carried.scene, carried.stage, breach.seen)
        verdict = Verdict(*key, Catalogue.load().requirements[key.requirement].level, Outcome.PASS)
        verdict.check, verdict.seconds = carried.scene.check.name, carried.seconds
        acts = tuple(map(str, play.acts))
        verdict.convict(replace(made, from_record=True, acts=acts, how_often=concluded.how_often))
        verdict.outcome = concluded.outcome(verdict.level)
        self._verdicts[key] = verdict
        if self._recorded:
            self._remember(key, [trial for trial, _ in trials])

    def _remember(self, key: VerdictKey, trials: Sequence[Trial]) -> None:
        """Keep what a verdict rests on, as long as that of all verdicts is no more than a result can hold."""
        self._trials[key] = trials
        if sum(each.observations for kept in self._trials.values() for each in kept) > _MOST_SEEN:
            self._forgo(TooLarge(f"of more than {_MOST_SEEN:,} observations"))

    def _forgo(self, much: TooLarge) -> None:
        self._recorded = False
        self._trials.clear()
        self.run.notes.append(NOT_KEPT.format(much))

"""Each weather, and what a run in it comes to. The tests and whoever reports the figures measure by the same code.

From the shell, for one weather or for all: ``python -m tests.false_alarms.forecast [--runs N] [NAME ...]``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.settings import Settings
from dungeonlab_spec import Catalogue
from tests.false_alarms.company import beside, burn, interrupt, play_on
from tests.false_alarms.link import Link, Network
from tests.false_alarms.servers import (
    AnswersLate,
    Counts,
    Hesitates,
    HesitatesOverHttp,
    SaysMore,
    SpeaksOverWebSocketOnly,
    TakesLittleAtOnce,
    TellsErrorsTwice,
    ThrowsOut,
    ThrowsOutLater,
    TurnsAwayAtTheDoor,
    stall,
)
from tests.serving import Variant, served

AT_ONCE = 3  # runs side by side; most of their time is waiting

LAGGARD = "bob"  # whose link is slow, where one is


class Signed(Target):
    """A target to which each actor says its name, so that the network can tell them apart."""

    def headers_for(self, identity: Identity | None) -> Mapping[str, str]:
        return {**self.headers, "X-Actor": identity.name if identity else "nobody"}


@dataclass(frozen=True, slots=True)
class Weather:
    """A correct server, and what is in the way of judging it."""

    claim: str
    variant: Variant = field(default_factory=Variant)
    target: type[Target] = Target
    company: Callable[[str], None] | None = None
    transport: str = "websocket"
    transports: tuple[str, ...] = ("websocket", "polling")
    one_core: bool = False
    scale: float = 1.0  # of the judge's time limits


FAR = Link(latency=0.100, jitter=0.020, rate=10_000)

WEATHERS: Mapping[str, Weather] = {
    "calm": Weather("nothing is in the way"),
    "hesitant": Weather("every handler waits up to 30 ms", Variant(pipeline=Hesitates, http=HesitatesOverHttp)),
    "far": Weather("100 ms each way, with jitter, at 10 kB/s", Variant(door=Network(FAR).before)),
    "laggard": Weather(
        f"{LAGGARD}'s link is much slower than everybody else's",
        Variant(door=Network(Link(0.001), f"X-Actor: {LAGGARD}".encode(), Link(0.150, 0.100, 10_000)).before),
        target=Signed,
    ),
    "errors-twice": Weather("refusals are told by an error event as well", Variant(pipeline=TellsErrorsTwice)),
    "thrown-out": Weather("whoever lacks the right is answered and disconnected", Variant(pipeline=ThrowsOut)),
    "thrown-out-later": Weather("whoever is refused is disconnected a moment later", Variant(pipeline=ThrowsOutLater)),
    "plain": Weather(
        "ids are small numbers; strangers get 401; long-polling",
        Variant(pipeline=Counts, http=TurnsAwayAtTheDoor),
        transport="polling",
    ),
    "websocket-only": Weather(
        "long-polling is not served", Variant(http=SpeaksOverWebSocketOnly), transports=("websocket",)
    ),
    "modest": Weather(
        "20 kB a message, 16 packets an upload; long-polling",
        Variant(Settings(largest_message=20_000), pipeline=TakesLittleAtOnce),
        transport="polling",
    ),
    "talkative": Weather("presence events, and events of the server's own", Variant(pipeline=SaysMore)),
    "limited": Weather("60 events a minute and user", Variant(Settings(rate_limit=60))),
    "late": Weather("one answer in a hundred takes longer than it may", Variant(pipeline=AnswersLate), scale=0.1),
    "stalling": Weather("the server stands still from time to time", Variant(door=stall), scale=0.1),
    "dozing": Weather("the judge stands still from time to time", company=interrupt, scale=0.1),
    "busy": Weather("other users play on the same server", company=play_on),
    "burning": Weather("one core for server and judge, the other one burns", company=burn, one_core=True),
}


@dataclass(frozen=True, slots=True)
class Day:
    """What one run in a weather came to.

    `red` says what was found broken, or failed in the suite: nothing should. A run that ended early for want of
    an answer has nothing red in it.
    """

    weather: str
    seconds: float
    counts: Mapping[str, int]
    red: tuple[str, ...]
    unjudged: Mapping[str, int]  # reasons, with how many verdicts each
    fault: str | None  # why the run ended early, if it did


@dataclass(frozen=True, slots=True)
class Climate:
    """What several runs in one weather came to."""

    weather: str
    days: tuple[Day, ...]

    @property
    def clean(self) -> int:
        """How many runs had nothing red."""
        return sum(not day.red for day in self.days)


def day(name: str) -> Day:
    """Judge the server of one weather once, with the whole suite."""
    weather = WEATHERS[name]
    with ExitStack() as stack:
        if weather.one_core:
            whole = os.sched_getaffinity(0)
            stack.callback(os.sched_setaffinity, 0, whole)
            os.sched_setaffinity(0, {min(whole)})
        url = stack.enter_context(served(weather.variant))
        if weather.company:
            stack.enter_context(beside(weather.company, url))
        run = play(
            weather.target(
                url, transport=weather.transport, transports=weather.transports, limits=Limits(weather.scale)
            ),
            scenes(Selection(), Catalogue.load()),
        )
    red = [
        f"{v.requirement} [{v.event}] {v.outcome}: {v.reason or v.findings[0].expected + '; got ' + v.findings[0].got}"
        for v in run.verdicts
        if v.outcome in ("fail", "warn", "error")
    ]
    if run.own_fault:
        red.append(run.own_fault)
    return Day(
        name,
        run.seconds,
        Counter(str(v.outcome) for v in run.verdicts),
        tuple(red),
        Counter(v.reason for v in run.verdicts if v.outcome == "unjudged"),
        run.fault,
    )


def climates(names: Iterable[str], runs: int, at_once: int = AT_ONCE) -> dict[str, Climate]:
    """Judge the servers of some weathers several times each, some runs side by side."""
    names = sorted(names, key=list(WEATHERS).index)
    tasks = [name for name in sorted(names, key=lambda n: n != "far") for _ in range(runs)]  # the longest first
    with ProcessPoolExecutor(at_once, mp_context=multiprocessing.get_context("spawn")) as pool:
        days = list(pool.map(day, tasks))
    return {name: Climate(name, tuple(d for d in days if d.weather == name)) for name in names}


def main() -> None:
    """Print what the weathers named on the command line came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(WEATHERS))
    asked = parser.parse_args()
    for climate in climates(asked.names, asked.runs).values():
        slowest = max(d.seconds for d in climate.days)
        print(f"{climate.weather}: {climate.clean}/{len(climate.days)} clean, at most {slowest:.1f} s")
        for found in climate.days:
            print(f"    {found.seconds:.1f} s: {dict(found.counts)}")
            for line in found.red:
                print(f"      red: {line[:400]}")
            for reason, count in found.unjudged.items():
                print(f"      unjudged {count}: {reason}")


if __name__ == "__main__":
    main()

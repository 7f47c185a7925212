"""In which order scenes are played, and with which accounts, where some are observed for a while after their end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from dungeonlab_conformance.checks.registry import Check
from dungeonlab_conformance.runner.concurrency import Pace
from dungeonlab_conformance.runner.interruptions.watch import Watch
from dungeonlab_conformance.runner.schedule import AccountPools, Queue, Schedule
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.target import Target

LATER = 3600.0  # seconds: none of these tests waits that long


def scene(name: str, **flags: Any) -> Scene:
    """Return a scene that is never played."""

    async def nothing(_: object) -> None:
        raise AssertionError

    return Scene(Check(name, ("join/member-admitted",), nothing, "", False, **flags), None, frozenset())


def pools() -> AccountPools:
    return AccountPools(Provisioner(Target("http://127.0.0.1:1")))


def names(queue: Queue) -> list[str]:
    return [found.check.name for found in iter(queue.next, None)]


SCENES = [
    scene("plain"),
    scene("observed", observe_after=True),
    scene("slow", slow=True),
    scene("observed too", observe_after=True),
]


@pytest.mark.parametrize(
    ("spare", "order"),
    [
        (0, ["slow", "plain", "observed", "observed too"]),
        (1, ["observed", "slow", "plain", "observed too"]),
        (2, ["observed", "observed too", "slow", "plain"]),
    ],
)
def test_what_is_observed_comes_first_as_long_as_accounts_may_rest(spare: int, order: list[str]) -> None:
    """And last where each lane needs its own; then others go on meanwhile."""
    assert names(Queue(SCENES, spare, pools())) == order


def test_a_scene_that_is_over_counts_by_the_accounts_that_rest_after_it() -> None:
    """One whose accounts are rested makes room for the next."""
    free = pools()
    queue = Queue(SCENES, 1, free)
    first, pool = queue.next(), free.new()
    assert first is not None
    queue.is_over(first)
    pool.busy_until = time.monotonic() + LATER
    free.give_back(pool)
    assert free.resting == 1
    assert names(queue)[0] == "slow"
    pool.busy_until = 0.0
    queue = Queue(SCENES, 1, free)
    assert names(queue)[0] == "observed"


def test_accounts_are_taken_rested_or_new_or_as_soon_as_they_are_rested() -> None:
    """The ones that were free for longest come first; there are never more than there may be."""
    free = pools()
    first, second, third = (free.take(3) for _ in range(3))
    for pool, seconds in ((first, 2 * LATER), (second, LATER), (third, -1.0)):
        pool.busy_until = time.monotonic() + seconds
        free.give_back(pool)
    assert free.take(3) is third
    assert free.take(3) is second  # resting, and rested before the first
    assert free.take(4) not in (first, second, third)
    assert free.take(3) is first
    assert len(free.all) == 4
    assert LATER < free.rest() <= 2 * LATER


async def played(chosen: list[Scene], pace: Pace) -> tuple[list[str], AccountPools]:
    """Play scenes of which each takes a moment, and is observed for hours if it is observed at all."""
    order: list[str] = []
    target = Target("http://127.0.0.1:1")
    found = AccountPools(Provisioner(target))

    async def play(scene: Scene, pool: AccountPool) -> AccountPool:
        assert pool.busy_until <= time.monotonic(), "accounts that should rest"
        order.append(scene.check.name)
        await asyncio.sleep(0)
        pool.busy_until = time.monotonic() + (LATER if scene.check.observe_after else 0.0)
        return pool

    await Schedule(target, pace, found, Watch(target, target.new_run(), str), play).play(chosen)
    return order, found


async def test_a_lane_goes_on_with_other_accounts() -> None:
    """What is observed holds up nothing, and there are no more accounts than lanes at the most."""
    observed = [scene(f"observed {number}", observe_after=True) for number in range(8)]
    order, found = await played([*(scene(f"{number}") for number in range(100)), *observed], Pace(far=False))
    assert set(order[:8]) == {each.check.name for each in observed}
    assert len(order) == 108
    assert len(found.all) <= 16


async def test_the_three_phases_of_a_run_follow_each_other() -> None:
    """What may end the server comes after what does not, by its number; what does both comes last."""
    chosen = [
        scene("last", phase="last"),
        scene("last and observed", phase="last", observe_after=True),
        scene("worst", destructive=9),
        scene("bad", destructive=1, observe_after=True),
        scene("main"),
    ]
    order, _ = await played(chosen, Pace(far=False))
    assert order == ["main", "bad", "worst", "last and observed", "last"]


@pytest.mark.parametrize(
    "pace",
    [Pace(far=True), Pace(far=False, exactly=4), Pace(far=False, limit=1), Pace(far=False, spares=False)],
    ids=["far", "exactly", "limit", "no spares"],
)
def test_each_lane_keeps_to_its_accounts_where_more_are_not_to_be_had(pace: Pace) -> None:
    """Over a far link, where users say how many, where accounts are given, and where sessions are kept."""
    assert pace.spare == 0


def test_half_of_the_first_lanes_always_find_accounts() -> None:
    """However many rest."""
    pace = Pace(far=False)
    assert pace.most - pace.spare == pace.first // 2

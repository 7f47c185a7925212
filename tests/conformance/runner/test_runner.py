"""What a run comes to, whatever the order, the number of lanes, or the accidents on the way."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from tests.mutants.judge import served

from dungeonlab_conformance.checks.registry import Check
from dungeonlab_conformance.clients.handshake import measure, reach
from dungeonlab_conformance.results.errors import Broken, Missing, TargetFault, Unjudged
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome, VerdictKey
from dungeonlab_conformance.runner import play
from dungeonlab_conformance.runner.interruptions.watch import Watch
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Scene, Selection, scenes
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue, Event

ECHO = "rooms/sender-hears-nothing"


def chosen(*only: str, events: tuple[str, ...] = ()) -> list[Scene]:
    return scenes(Selection(only=only, events=events), Catalogue.load())


async def played(url: str, picked: Sequence[Scene], concurrency: int = 4, *, fail_fast: bool = False) -> Run:
    target = Target(url, limits=Limits(2.0))
    run = target.new_run(RunOptions(concurrency=concurrency, fail_fast=fail_fast))
    return await Runner(target, picked, run).play()


def outcomes(run: Run) -> dict[tuple[str, str | None], Outcome]:
    return {(v.requirement, v.event): v.outcome for v in run.verdicts}


async def test_one_lane_gives_the_same_verdicts_as_many() -> None:
    """Against a server with a fault, side by side or one after the other."""
    with served("EchoesToTheSender") as url:
        many = await played(url, chosen("rooms", "join"), 8)
        one = await played(url, chosen("rooms", "join"), 1)
    assert outcomes(many) == outcomes(one)
    assert Outcome.FAIL in outcomes(one).values()


async def test_fail_fast_stops_at_the_first_broken_must() -> None:
    """What was not played any more is unjudged, and the run still fails."""
    with served("EchoesToTheSender") as url:
        run = await played(url, chosen("rooms"), 1, fail_fast=True)
    found = list(outcomes(run).values())
    assert found.count(Outcome.FAIL) == 1
    assert Outcome.UNJUDGED in found
    assert run.exit_code == 1


def test_a_selection_combines_its_conditions() -> None:
    """Ids, areas and globs select, exceptions take away, events and levels narrow."""
    catalogue = Catalogue.load()

    def ids(selection: Selection) -> set[tuple[str, str | None]]:
        return {
            (name, scene.event.name if scene.event else None)
            for scene in scenes(selection, catalogue)
            for name in scene.wanted
        }

    assert ids(Selection(only=(ECHO,), events=("chat-message",))) == {(ECHO, "chat-message")}
    assert {name for name, _ in ids(Selection(only=("rooms",), without=("rooms/*-hears-nothing",)))} == {
        name for name in catalogue.requirements if name.startswith("rooms/") and not name.endswith("-hears-nothing")
    }
    assert {catalogue.requirements[name].level for name, _ in ids(Selection(levels=("SHOULD",)))} == {"SHOULD"}
    assert ids(Selection(only=("no-such-area",))) == set()
    assert ids(Selection(events=("token:*",), only=(ECHO,))) == {
        (ECHO, f"token:{verb}") for verb in ("create", "move", "update", "delete")
    }


def scripted(raised: Exception | None, requirement: str = "join/member-admitted") -> Scene:
    """Return a scene that judges one requirement, and raises what is given."""

    async def a_scripted_scene(_: Stage) -> None:
        if raised:
            raise raised

    check = Check("scripted", (requirement,), a_scripted_scene, "", False)
    return Scene(check, None, frozenset(check.requirements))


@pytest.mark.parametrize(
    ("raised", "outcome", "code"),
    [
        (None, Outcome.PASS, 0),
        (Broken("this", "that"), Outcome.FAIL, 1),
        (Unjudged("too slow"), Outcome.UNJUDGED, 3),
        (Missing("revoke"), Outcome.SKIPPED, 3),
        (RuntimeError("a slip"), Outcome.ERROR, 4),
        (TargetFault("login refused"), Outcome.UNJUDGED, 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_what_a_scene_raises_decides_its_outcome(
    reference_url: str, raised: Exception | None, outcome: Outcome, code: int
) -> None:
    """A finding, no judgement, a missing part, the suite's own fault and an untestable target are kept apart."""
    run = await played(reference_url, [scripted(raised)])
    assert [v.outcome for v in run.verdicts] == [outcome]
    assert run.exit_code == code


NEEDS_JOIN = Unjudged("bob could not join", waits_for=VerdictKey("join/member-admitted"))


@pytest.mark.parametrize(
    ("others", "waits_for"),
    [
        ([], VerdictKey("join/member-admitted")),
        ([scripted(Unjudged("too slow"), ECHO)], VerdictKey("join/member-admitted")),
        ([scripted(Unjudged("too slow"))], VerdictKey("join/member-admitted")),
        ([scripted(Broken("this", "that"))], VerdictKey("join/member-admitted")),
        ([scripted(None)], None),
        ([scripted(Broken("this", "that"), ECHO)], None),
    ],
)
async def test_a_verdict_waits_for_what_was_not_shown_to_hold(
    reference_url: str, others: list[Scene], waits_for: VerdictKey | None
) -> None:
    """Whatever another scene on the same says, unless it convicts; a cause that holds is none, and the reason stays."""
    run = await played(reference_url, [*others, scripted(NEEDS_JOIN, ECHO)], 1)
    [verdict] = [v for v in run.verdicts if v.requirement == ECHO]
    assert verdict.waits_for == waits_for
    assert verdict.outcome is Outcome.FAIL or verdict.reason


async def test_a_session_that_cannot_be_cleared_away_is_reported_separately(
    reference_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed clean-up is no verdict about the server."""

    async def tear_down(_: Stage) -> None:
        raise Unjudged("DELETE answered 500")

    monkeypatch.setattr(Stage, "tear_down", tear_down)
    run = await played(reference_url, [scripted(None)])
    assert run.exit_code == 0
    assert run.leftovers
    assert "DELETE answered 500" in run.leftovers[0]


async def test_nothing_is_said_of_a_server_that_is_not_there() -> None:
    """Every verdict is unjudged, and the fault says what to do."""
    run = await played("http://127.0.0.1:1", chosen("join"))
    assert run.fault is not None
    assert "is the server running?" in run.fault
    assert {v.outcome for v in run.verdicts} == {Outcome.UNJUDGED}
    assert run.exit_code == 3


async def test_the_round_trip_is_measured(reference_url: str) -> None:
    """Time limits grow with a slow link."""
    target = Target(reference_url)
    await reach(target)
    await measure(target)
    assert target.limits.round_trip > 0
    assert target.limits.answer > Limits().answer


async def test_lanes_that_find_the_server_dead_at_the_same_time_end_in_order() -> None:
    """One that is ending already is not ended once more, which would be a fault of the suite."""
    target = Target("http://127.0.0.1:1")
    watch = Watch(target, target.new_run(), str)
    failed: list[Exception] = []

    async def played() -> None:
        async with watch.time_limit(scripted(None), 60):
            try:
                await asyncio.Event().wait()
            finally:
                try:
                    watch.give_up("ends while the first is ending", silent=True)
                except RuntimeError as error:
                    failed.append(error)

    lanes = [asyncio.ensure_future(played()) for _ in range(3)]
    await asyncio.sleep(0)  # all have begun then
    assert len(watch._limits) == len(lanes)
    watch.give_up("many at once", silent=True)
    results = await asyncio.gather(*lanes, return_exceptions=True)
    assert [type(result) for result in results] == [TimeoutError] * 3
    assert failed == []


def test_the_first_run_of_a_process_is_freed_too(reference_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was given, the target above all, is put where the collector never looks: that may not lead back to it."""
    runners: weakref.WeakSet[Runner] = weakref.WeakSet()

    def noted(*args: Any, **options: Any) -> Runner:
        runner = Runner(*args, **options)
        runners.add(runner)
        return runner

    monkeypatch.setattr(play, "Runner", noted)
    target = Target(reference_url, limits=Limits(0.5))
    play._spare_the_collector.cache_clear()
    play.play(target, chosen("names"))
    gc.collect()
    assert len(runners) == 0
    gc.unfreeze()


def test_playing_again_keeps_nothing_of_the_run_before(reference_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call frees what the one before remembered; none puts it where the collector never looks."""
    runners: weakref.WeakSet[Runner] = weakref.WeakSet()

    def noted(*args: Any, **options: Any) -> Runner:
        runner = Runner(*args, **options)
        runners.add(runner)
        return runner

    play.play(Target(reference_url, limits=Limits(2.0)), chosen("names"))  # the first one of a process fills caches
    monkeypatch.setattr(play, "Runner", noted)
    for _ in range(3):
        play.play(Target(reference_url, limits=Limits(2.0)), chosen("names"))
        assert len(runners) <= 1


async def test_a_run_without_observed_scenes_is_observed_as_a_whole() -> None:
    """What comes late is found with any selection, even if none of its scenes is observed by itself."""

    async def someone_looks_on(stage: Stage, _: Event) -> None:
        alice, _ = await stage.joined("alice", "bob")
        await stage.connected("mallory")
        await alice.send(await stage.request(Catalogue.load()["chat-message"]))

    check = Check("someone_looks_on", ("rooms/outsider-hears-nothing",), someone_looks_on, "", True)
    event = Catalogue.load()["chat-message"]
    with served("LeaksAfter300Milliseconds") as url:
        run = await Runner(Target(url), [Scene(check, event, frozenset(check.requirements))]).play()
    assert [v.outcome for v in run.verdicts] == [Outcome.FAIL]

"""A server that is killed, hangs or is replaced while it is judged; `python -m tests.hostile accidents` tries many."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.results.errors import Broken, TargetFault
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.runner.interruptions.liveness import Liveness
from dungeonlab_conformance.runner.interruptions.survival import GONE, standing
from dungeonlab_conformance.stage.stage import Provocation, Stage
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from tests.conformance.scripted_server import OPEN, serving
from tests.hostile.accident import Accident, greeter, judge_through

QUICK = ("--timeout", "0.2", "--concurrency", "8")  # lanes that all find out at once
ABOUT_DYING = {"payloads/server-survives", "connect/malformed-frames-are-harmless"}


@pytest.mark.parametrize("name", ["killed", "silent", "garbage", "stranger", "greeter", "no websocket"])
def test_whatever_becomes_of_the_server_nobody_is_convicted(name: str, tmp_path: Path) -> None:
    """Exit code 3, one sentence, within the bounds of every run; what was judged before stands."""
    report = tmp_path / "r.json"
    run = judge_through(Accident(name, 0.7), *QUICK, "--only", "acks", "--only", "rooms", "--json", report)
    assert (run.code, run.problem) == (3, ""), run.said
    assert "cut short: " in run.said
    result = load_run(report)
    assert result.fault is not None
    assert {v.outcome for v in result.verdicts} <= {"pass", "unjudged"}


def test_a_server_that_was_replaced_is_named_as_such() -> None:
    """The sentence says that another server answers, not that nobody does."""
    run = judge_through(Accident("stranger", 2.5), *QUICK, "--no-plays")  # by then somebody has been answered
    assert run.code == 3, run.said
    assert "knows none of the users" in run.said.replace("\n", " ")


def provoked(*requirements: str, until: float) -> Stage:
    """Return a stage on which the server was found gone under these requirements, after something rude at 10 s."""
    stage = Stage.__new__(Stage)
    stage.journal, stage.provocations = Journal(), [Provocation(10.0, until)]
    stage.judged = {}
    for number, requirement in enumerate(requirements):
        broken = Broken("an answer", "nothing")
        broken.at = 20.0 + number
        stage.judged[requirement] = [broken]
    return stage


def test_a_server_that_dies_of_what_it_was_sent_is_blamed_once() -> None:
    """Under the first requirement that is about surviving; the finding says that a killed server looks the same."""
    stage = provoked("payloads/others-notice-nothing", *sorted(ABOUT_DYING), until=12.0)
    names = (*stage.judged, "payloads/very-deep")
    stood = {name: found for name in names if (found := standing(stage, name, 15.0, silent=False))}
    assert list(stood) == ["connect/malformed-frames-are-harmless"]
    assert GONE in str(stood["connect/malformed-frames-are-harmless"][0])


def test_a_server_that_dies_when_it_was_sent_nothing_is_not_blamed() -> None:
    """Neither before anything rude was sent, nor after it gave a sign of life again."""
    stage = provoked(*ABOUT_DYING, until=12.0)
    assert standing(stage, "payloads/server-survives", 9.0, silent=False) is None
    stage.journal.write("bob", 1, "hears", "chat-message")
    seen = stage.journal.observations[-1].at
    stage.provocations = [Provocation(seen - 2, seen - 1)]
    for found in stage.judged.values():
        found[0].at = seen + 2  # type: ignore[union-attr]
    assert standing(stage, "payloads/server-survives", seen + 1, silent=False) is None


def test_what_was_found_before_the_end_stands() -> None:
    """A finding is not lost because the server went away later in the same scene."""
    stage = provoked("payloads/wrong-type", until=30.0)
    assert standing(stage, "payloads/wrong-type", 25.0, silent=False) == stage.judged["payloads/wrong-type"]
    assert standing(stage, "payloads/wrong-type", 15.0, silent=False) is None


async def test_one_connection_that_breaks_does_not_say_what_became_of_the_server() -> None:
    """The server is asked once more: it may be the moment at which it went, or another one came.

    Twice over the first connection that broke, since aiohttp repeats a GET by itself.
    """
    asked = 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal asked
        asked += request.method == "GET"  # and not the POST that says that nobody will poll
        if asked <= 2 and request.transport is not None:
            request.transport.abort()
        return web.Response(text=OPEN)

    async with serving(handle) as url:
        life = Liveness(Target(url))
        await life.look([], [])
    assert asked == 3
    assert life.ended is None


async def test_a_server_that_lets_anybody_in_is_not_the_one_that_answered() -> None:
    """Where requests were answered before, asking for a namespace that does not exist is no sign of that server."""
    stage = provoked(until=0.0)
    stage.actors = []
    with greeter() as url:
        target = Target(url, limits=Limits(scale=0.5))
        life = Liveness(target)
        life.follow(stage)
        for came_back in (set[str](), {"join-session"}):
            target.workarounds.came_back = came_back
            stage.journal.write("bob", 1, "is closed", "")
            with pytest.raises(TargetFault, match="not answered any more") if came_back else nullcontext():
                await life.look([stage], [Identity("alice", "u1", {})])


async def test_connections_that_one_end_closes_one_by_one_end_with_the_first() -> None:
    """One of them may still seem to stand when somebody looks: what was found meanwhile is no finding."""
    stage = provoked(until=0.0)
    stage.actors = [SimpleNamespace(closed=False, connection=2)]  # type: ignore[list-item]
    stage.journal.write("bob", 2, "connects", "")

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=OPEN)

    async with serving(handle) as url:
        life = Liveness(Target(url))
        life.follow(stage)
        stage.journal.write("bob", 1, "is closed", "")
        first = stage.journal.observations[-1].at
        await life.look([stage], [])
    stage.journal.write("bob", 2, "is closed", "")
    life.end([stage])
    assert life.ended == first

"""Plays on real servers: the reference server keeps to the model, and faulty ones do not."""

from __future__ import annotations

import asyncio

import pytest
from tests.mutants.judge import served
from tests.serving import Variant
from tests.serving import served as served_variant

from dungeonlab_conformance.model.judge import ModelFinding, judge
from dungeonlab_conformance.plays.acts import Act, Play
from dungeonlab_conformance.plays.executor import Executor
from dungeonlab_conformance.plays.generator import random_play
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.target.workarounds import Workarounds


async def carried_out(url: str, play: Play) -> tuple[int, list[ModelFinding]]:
    """Carry a play out on a server; return how many acts were done, and what the model found."""
    target = Target(url, limits=Limits(0.3))
    target.room, target.workarounds = Room(), Workarounds()
    provisioner = Provisioner(target)
    stage = Stage(AccountPool(0, provisioner), target)
    try:
        await Executor(stage).carry_out(play)
        return len(stage.acts), judge(stage.journal, target.limits.answer)
    finally:
        await stage.tear_down()
        await provisioner.close()


def chat(tab: str, session: str = "here") -> Act:
    """Return the act of saying something."""
    return Act("send", tab, event="chat-message", session=session)


def join(tab: str, session: str = "here") -> Act:
    """Return the act of joining."""
    return Act("send", tab, event="join-session", session=session)


@pytest.mark.parametrize("seed", range(12))
def test_the_reference_server_keeps_to_the_model(seed: int) -> None:
    """Whatever is played, the model finds nothing."""
    play = random_play(seed, 40)
    with served_variant(Variant()) as url:
        done, found = asyncio.run(carried_out(url, play))
    assert [f"{each.requirement}: {each.broken}" for each in found] == []
    assert done > 30


@pytest.mark.parametrize(
    ("fault", "broken", "acts"),
    [
        ("MergesData", "tokens/update-changes-only-what-was-sent", [("full", "full"), ("data:empty-list", "full")]),
        ("KnowsNoDefaults", "tokens/defaults-filled", [("minimal", "full")]),
    ],
)
def test_what_is_stored_otherwise_is_found(fault: str, broken: str, acts: list[tuple[str, str]]) -> None:
    """A token that is not as it was asked for is found by the first answer that shows it."""
    played = [Act("connect", "alice"), join("alice")]
    played += [Act("send", "alice", event="token:create", token="t1", payload=acts[0][0])]
    played += [Act("send", "alice", event="token:update", token="t1", payload=payload) for _, payload in acts]
    played += [Act("send", "alice", event="token:update", token="t1", payload="data:empty-list")]
    with served(fault) as url:
        _, found = asyncio.run(carried_out(url, Play.of(fault, played)))
    assert {each.requirement for each in found} == {broken}


def test_impossible_acts_are_left_out() -> None:
    """Who is not connected sends nothing, what was never created is not moved; the rest goes on."""
    acts = [
        chat("alice"),
        Act("connect", "bob"),
        Act("send", "bob", event="token:move", token="t9"),
        Act("disconnect", "carol"),
        join("bob"),
        Act("connect", "stranger"),
        chat("bob"),
    ]
    with served_variant(Variant()) as url:
        done, found = asyncio.run(carried_out(url, Play.of("impossible", acts)))
    assert found == []
    assert done >= 3

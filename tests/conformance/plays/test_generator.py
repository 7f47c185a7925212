"""Random plays: the same for the same seed, plausible, and any part of one is a play."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from dungeonlab_conformance.payloads.kinds import kinds_of
from dungeonlab_conformance.plays.acts import HERE, VERBS, Act, Play
from dungeonlab_conformance.plays.generator import MOST_TABS, WARM, random_play
from dungeonlab_conformance.plays.situations import Situation, visited
from dungeonlab_conformance.plays.world import World

SEEDS = range(200)


def outcomes(play: Play) -> Counter[str]:
    """Return how often each thing becomes of an act of a play."""
    world, found = World(), Counter[str]()
    for act in play.acts:
        if not world.can(act):
            found["impossible"] += 1
        elif act.does == "send":
            found[next(world.objections(act), "accepted")] += 1
        world.do(act)
    return found


def test_the_same_seed_makes_the_same_play() -> None:
    """In another process, too, whose texts have other hashes; another seed makes another play."""
    code = "from dungeonlab_conformance.plays.generator import random_play; print(random_play(7, 60).to_json())"
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert made == {str(random_play(7, 60).to_json())}
    assert random_play(8, 60) != random_play(7, 60)


def test_a_play_begins_warm() -> None:
    """Four to seven tabs are connected first, and most of them join."""
    opened = in_rooms = 0
    for seed in SEEDS:
        acts = random_play(seed, 0).acts
        tabs = [act.tab for act in acts if act.does == "connect"]
        joined = [act.tab for act in acts if act.event == "join-session"]
        assert WARM[0] <= len(tabs) <= WARM[1]
        assert len(set(tabs)) == len(tabs)
        opened, in_rooms = opened + len(tabs), in_rooms + len(joined)
    assert in_rooms > 0.7 * opened


def test_plays_that_are_led_visit_more() -> None:
    """Plays that look for what those before did not visit come to more of it, by a tenth at least."""
    known = set[Situation]()
    led = [random_play(seed, known=known) for seed in range(60)]
    reached, else_reached = (
        {situation for play in plays for situation in visited(play)} for plays in (led, map(random_play, range(60)))
    )
    assert known <= reached
    assert len(reached) > 1.1 * len(else_reached)


def test_plays_are_plausible_and_wrong_acts_are_among_them() -> None:
    """Every act is possible, about half of the requests are accepted, and each objection occurs."""
    found = sum((outcomes(random_play(seed)) for seed in SEEDS), Counter[str]())
    sent = sum(found.values())
    assert found["impossible"] == 0
    assert found["accepted"] > 0.4 * sent
    for objection in ("shape", "session", "member", "joined", "encounter", "token", "user", "action"):
        assert found[objection] > 0.001 * sent, objection


def test_everything_occurs() -> None:
    """Each verb, acts with and without a callback, bursts, twists, and legal and illegal payloads."""
    acts = [act for seed in SEEDS for act in random_play(seed, 60).acts]
    sent = [act for act in acts if act.does == "send"]
    assert {act.does for act in acts} == set(VERBS)
    assert {act.callback for act in sent} == {act.together for act in sent} == {True, False}
    assert {kinds_of(act.event, act.action)[act.payload] for act in sent} == {True, False}
    assert len({act.twist for act in sent}) > 20
    assert {act.transport for act in acts} == {"", "polling", "upgrade"}


def test_no_play_opens_more_tabs_than_a_server_is_to_bear() -> None:
    """Connections are the dearest of all."""
    for seed in SEEDS:
        world = World()
        for act in random_play(seed, 100).acts:
            world.do(act)
            assert len(world.tabs) <= MOST_TABS


@settings(max_examples=200, deadline=None, database=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_any_part_of_a_play_is_a_play(seed: int, data: st.DataObject) -> None:
    """Whatever is left out, the rest can be gone through: what is impossible then changes nothing."""
    acts = random_play(seed).acts
    kept = data.draw(st.lists(st.booleans(), min_size=len(acts), max_size=len(acts)))
    world = World()
    for act in (act for act, keep in zip(acts, kept, strict=True) if keep):
        before = world.copy()
        possible = world.can(act)
        objections = list(world.objections(act)) if possible and act.does == "send" else []
        assert world.do(act) == possible
        if not possible:
            assert world == before
        for tab in world.tabs.values():
            assert not tab.room or world.is_member(tab.role, tab.room)
        if objections and act.event != "join-session":
            assert (world.members, world.tokens) == (before.members, before.tokens)


def test_what_slots_name_may_be_missing() -> None:
    """A tab that is not there sends nothing; a token that nobody made is asked for by nobody."""
    world = World()
    assert not world.do(Act("send", "alice", "chat-message", HERE))
    assert world.do(Act("connect", "alice"))
    assert not world.do(Act("connect", "alice"))
    assert not world.do(Act("send", "alice", "token:move", token="t1"))
    assert world.do(Act("send", "alice", "token:move", token="nowhere"))
    assert not world.do(Act("send", "alice", "token:create", encounter="2"))
    assert not world.do(Act("send", "alice", "token:create", encounter="first"))

"""Shrinking: what is left of a play shows the fault still, and nothing can be left out of it."""

from __future__ import annotations

import asyncio

import pytest

from dungeonlab_conformance.plays.acts import Act, Play
from dungeonlab_conformance.plays.generator import random_play
from dungeonlab_conformance.plays.shrinking import shortest
from dungeonlab_conformance.plays.world import World


def shows(play: Play, fault: str) -> bool:
    """Say whether a play comes across a made-up fault."""
    world, seen = World(), False
    for act in play.acts:
        if world.can(act) and act.does == "send":
            objections = list(world.objections(act))
            tab = world.tabs[act.tab]
            seen = (
                seen
                or {
                    "removed members may chat": act.event == "chat-message"
                    and objections[:1] == ["member"]
                    and act.role in world.removed[act.session],
                    "a second tab acts unjoined": act.event.startswith("token:")
                    and objections == ["joined"]
                    and any(other.room == act.session for other in world.of(tab.role)),
                    "a deleted token moves": act.event == "token:move"
                    and objections == ["token"]
                    and act.token in world.tokens
                    and not world.tokens[act.token].is_there,
                }[fault]
            )
        world.do(act)
    return seen


FAULTS = {"removed members may chat": 3, "a second tab acts unjoined": 5, "a deleted token moves": 5}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_long_play_becomes_as_short_as_one_by_hand(fault: str) -> None:
    """Whatever play it was found by; in less than 200 tries."""
    found = [play for seed in range(200) if shows(play := random_play(seed, 60), fault)]
    assert len(found) > 5
    for play in found[:5]:
        tries = 0

        async def still_fails(part: Play) -> bool:
            nonlocal tries
            tries += 1
            return shows(part, fault)

        short = await shortest(play, still_fails)
        assert shows(short, fault)
        assert len(short.acts) <= FAULTS[fault] + 1, [str(act) for act in short.acts]
        assert tries <= 200
        assert short.name == play.name
        assert {act.payload for act in short.acts} <= {"minimal", short.acts[-1].payload}


async def test_what_is_left_is_said_plainly() -> None:
    """Payloads are minimal, callbacks usual, and tabs numbered from the first, where that does not matter."""
    acts = (
        Act("connect", "bob"),
        Act("connect", "alice/3", transport="polling"),
        Act("send", "alice/3", "join-session"),
        Act("send", "alice/3", "chat-message", payload="text:markup", callback=False, together=True),
    )

    async def still_fails(play: Play) -> bool:
        return any(act.event == "chat-message" for act in play.acts)

    short = await shortest(Play("x", acts), still_fails)
    assert short.acts == (Act("send", "alice", "chat-message"),)


async def test_candidates_are_tried_side_by_side_and_none_twice() -> None:
    """No more at once than is allowed, and no more in all."""
    running, most, seen = 0, 0, []

    async def still_fails(play: Play) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        seen.append(play.acts)
        await asyncio.sleep(0)
        running -= 1
        return False

    play = random_play(3, 60)
    assert await shortest(play, still_fails, tries=30, at_once=3) == play
    assert most == 3
    assert len(seen) == len(set(seen)) == 30


async def test_what_goes_wrong_in_a_try_is_not_hidden() -> None:
    """It is no finding."""

    async def still_fails(play: Play) -> bool:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await shortest(random_play(3), still_fails)

"""No false alarm in plays: correct servers that do otherwise wherever the protocol leaves that open."""

from __future__ import annotations

import pytest
from tests.plays.conditions import NAMES, NODE, play_under
from tests.plays.habits import HABITS, SHOULD

from dungeonlab_conformance.plays.acts import Act, Play
from dungeonlab_conformance.plays.generator import random_play
from dungeonlab_spec import Catalogue

SEEDS = (1,)
FULL_OF_IT = (1061, 1173, 1605, 3040, 3280, 3292, 3349, 3580, 3614, 3711, 4922, 4934)


@pytest.mark.parametrize("name", HABITS)
def test_nothing_is_found_against_a_server_with_a_habit(name: str) -> None:
    """Whatever is played on it, neither the model nor an invariant finds anything broken that must not be."""
    came = play_under(name, [random_play(seed, 12) for seed in SEEDS])
    assert came.findings == []
    assert not came.ended_early
    assert came.acts > 20


@pytest.mark.parametrize("name", ["at-once", "random-limit", "errors-later"])
def test_nothing_is_found_in_what_comes_late(name: str) -> None:
    """What is asked without a callback takes effect, or is refused, at some time; these plays have much of it."""
    came = play_under(name, [random_play(seed) for seed in FULL_OF_IT])
    assert came.findings == []


def test_what_is_tolerated_is_no_must() -> None:
    """A server with a habit may do otherwise than it should, and not otherwise than it must."""
    requirements = Catalogue.load().requirements
    assert {requirements[each].level for tolerated in SHOULD.values() for each in tolerated} == {"SHOULD"}
    assert SHOULD.keys() <= HABITS.keys() <= {*NAMES} - {NODE}


def join(tab: str, session: str = "here", *, callback: bool = True) -> Act:
    """Return the act of joining."""
    return Act("send", tab, event="join-session", session=session, callback=callback)


def chat(tab: str, session: str = "here") -> Act:
    """Return the act of saying something."""
    return Act("send", tab, event="chat-message", session=session)


WRITTEN = {
    "a join without a callback moves the user's other tab out, and the room hears nothing": (
        "no-presence",
        [
            *(Act("connect", tab) for tab in ("carol", "carol/2", "bob")),
            *map(join, ("carol", "bob")),
            join("carol/2", "there", callback=False),
            chat("bob"),
            chat("carol"),
        ],
    ),
    "leaving a room is refused after a join without a callback has moved one to another": (
        "ids-hidden",
        [
            Act("connect", "carol"),
            join("carol", "there"),
            join("carol", "here", callback=False),
            Act("send", "carol", event="leave-session", session="there", callback=False),
            chat("carol", "here"),
        ],
    ),
    "what somebody made who had not joined is there, and the room hears it": (
        "unjoined-act",
        [
            *(Act("connect", tab) for tab in ("alice", "bob")),
            join("bob"),
            Act("send", "alice", event="token:create", token="t1"),
            Act("send", "bob", event="token:move", token="t1"),
            Act("send", "alice", event="token:delete", token="t1", callback=False),
            Act("send", "bob", event="token:move", token="t1"),
        ],
    ),
    "a question about a token that is gone is refused": (
        "missing-refused",
        [
            Act("connect", "alice"),
            join("alice"),
            Act("send", "alice", event="token:create", token="t1"),
            Act("send", "alice", event="token:delete", token="t1"),
            Act("send", "alice", event="validate-action", token="t1", action="token:move"),
            Act("send", "alice", event="validate-action", token="nowhere", action="token:move"),
            Act("send", "alice", event="validate-action", encounter="other", action="token:create"),
        ],
    ),
    "a change without a callback takes effect after what was sent later, where nobody hears of it": (
        "at-once",
        [
            *(Act("connect", tab) for tab in ("alice", "alice/2")),
            *map(join, ("alice", "alice/2")),
            Act("send", "alice", event="token:create", token="t1"),
            Act("send", "alice/2", event="leave-session"),
            *(Act("send", "alice", event="token:move", token="t1", callback=number % 2 > 0) for number in range(8)),
        ],
    ),
    "users become members by joining, those too who were removed": (
        "joining-enrols",
        [
            *(Act("connect", tab) for tab in ("alice", "mallory", "bob")),
            *map(join, ("alice", "mallory")),
            chat("mallory"),
            Act("send", "mallory", event="get-user-data", user="alice"),
            Act("remove", "alice"),
            chat("alice"),
            join("alice"),
            chat("alice"),
        ],
    ),
}


@pytest.mark.parametrize("what", WRITTEN)
def test_nothing_is_found_where_a_server_may_choose(what: str) -> None:
    """What is written down above shows a choice that servers have."""
    name, acts = WRITTEN[what]
    came = play_under(name, [Play.of(what, acts)])
    assert (came.findings, [*came.ended_early]) == ([], [])

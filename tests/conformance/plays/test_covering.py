"""The covering plays: what their tool makes, all possible, within the price of a run, and how much they cover."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from tools.covering.__main__ import plays

from dungeonlab_conformance.payloads.kinds import TWISTS, kinds_of
from dungeonlab_conformance.plays.acts import HERE, Act
from dungeonlab_conformance.plays.covering import covering
from dungeonlab_conformance.plays.situations import count, visited
from dungeonlab_conformance.plays.world import World

ACTS = [act for play in covering().plays for act in play.acts]
SENT = [act for act in ACTS if act.does == "send"]
AT_LEAST = {"pairs": 0.6, "triples": 0.45}  # of the situations that many random plays come upon


def test_the_file_is_what_the_tool_makes() -> None:
    """The first plays, at least; `python -m tools.covering --check` makes them all, which takes longer."""
    assert list(islice(plays(), 4)) == list(covering().plays[:4])


def test_how_much_is_covered() -> None:
    """The figures in the file are those of its plays, and no smaller than they were."""
    found = covering()
    covered = count(frozenset().union(*map(visited, found.plays)))
    assert (covered[2], covered[3]) == (found.pairs[0], found.triples[0])
    assert found.pairs[0] > AT_LEAST["pairs"] * found.pairs[1]
    assert found.triples[0] > AT_LEAST["triples"] * found.triples[1]


def test_every_act_is_possible_on_a_correct_server() -> None:
    """None is left out there."""
    for play in covering().plays:
        world = World()
        for act in play.acts:
            assert world.do(act), (play.name, str(act))


def test_the_plays_are_within_the_price_of_a_run() -> None:
    """Few of them, of a length that one can read; connections, logins and changes over HTTP are rare."""
    found = Counter(act.does for act in ACTS)
    assert len(covering().plays) <= 25
    assert len(ACTS) <= 1_900
    assert max(len(play.acts) for play in covering().plays) <= 135
    assert found["connect"] <= 140
    assert len(ACTS) - found["send"] - found["connect"] <= 70
    assert len({play.name for play in covering().plays}) == len(covering().plays)


def test_faults_of_count_are_counted() -> None:
    """25 messages and 12 changes of a token in one play, 75 requests at once, 20 in one room."""
    many = next(play for play in covering().plays if play.name == "many of a kind")
    assert sum(act.event == "chat-message" for act in many.acts) >= 25
    assert sum(act.event in ("token:move", "token:update") and act.token == "t1" for act in many.acts) >= 12
    assert longest_burst(many.acts) == 75
    world, most, tokens = World(), 0, 0
    for play in covering().plays:
        world = World()
        for act in play.acts:
            world.do(act)
            most = max(most, len(world.in_room(HERE)))
            tokens = max(tokens, sum(token.is_there for token in world.tokens.values()))
    assert most == 20
    assert tokens >= 7


def longest_burst(acts: tuple[Act, ...]) -> int:
    """Return how many requests are under way at the same time at most."""
    longest = current = 0
    for act in acts:
        current = current + 1 if act.together else 1
        longest = max(longest, current)
    return longest


def test_each_odd_content_and_each_twist_is_sent() -> None:
    """Each legal kind of message, move and update; each of drafts but of names; each twist of each id."""
    sent = {(act.event, act.payload) for act in SENT}
    for event in ("chat-message", "token:move", "token:update", "token:create"):
        kinds = {(event, kind) for kind, is_legal in kinds_of(event).items() if is_legal}
        assert {kind for kind in kinds - sent if kind != ("token:create", "full")} <= {
            ("token:create", kind) for kind in kinds_of("token:create") if kind.startswith("text:")
        }
    twisted = {act.twist for act in SENT}
    for twist in TWISTS:
        assert {twist, f"encounter {twist}", f"session {twist}"} <= twisted
    assert {"text:half-surrogate", "data:half-surrogate"} <= {act.payload for act in SENT}

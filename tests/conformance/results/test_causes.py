"""What waits for what: causes by weight, whatever the chain, and none where nothing is known to stand in the way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.conformance.report.runs import CREATE, JOIN, failing, waiting

from dungeonlab_conformance.results.causes import causes, idle
from dungeonlab_conformance.results.verdict import Outcome, Verdict, VerdictKey

ROOMS = VerdictKey("rooms/every-other-member-hears-once")


def verdict(key: VerdictKey, outcome: Outcome) -> Verdict:
    return Verdict(key.requirement, key.event, "MUST", outcome, "why")


def found(*verdicts: Verdict) -> dict[str, list[str]]:
    """Return the causes, each with what waits for it."""
    return {cause.key.title: [v.requirement for v in cause.waiting] for cause in causes(verdicts)}


def test_the_cause_for_which_most_wait_comes_first() -> None:
    """Each with its own verdict, and those that wait in the order of the run."""
    run = [waiting("a/a", JOIN), failing(*JOIN), failing(*CREATE), waiting("b/b", CREATE), waiting("c/c", CREATE)]
    assert found(*run) == {CREATE.title: ["b/b", "c/c"], JOIN.title: ["a/a"]}
    assert list(found(*run)) == [CREATE.title, JOIN.title]
    assert [cause.own for cause in causes(run)] == [run[2], run[1]]


def test_what_waits_for_what_waits_counts_for_the_last() -> None:
    """A chain has one cause: what itself waits for nothing."""
    run = [waiting("a/a", VerdictKey("b/b")), waiting("b/b", JOIN), failing(*JOIN)]
    assert found(*run) == {JOIN.title: ["a/a", "b/b"]}


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.UNJUDGED, Outcome.SKIPPED, Outcome.ERROR, None])
def test_a_cause_need_not_be_broken(outcome: Outcome | None) -> None:
    """It may be skipped, could not be judged either, or was not selected at all; then it has no verdict of its own."""
    run = [waiting("a/a", JOIN), *([verdict(JOIN, outcome)] if outcome else [])]
    assert found(*run) == {JOIN.title: ["a/a"]}
    assert [cause.own for cause in causes(run)] == [run[1] if outcome else None]
    assert idle(run) == []


def test_what_was_shown_to_hold_is_no_cause() -> None:
    """What waits for it has no known cause, and is the cause of what waits for that."""
    run = [verdict(JOIN, Outcome.PASS), waiting("a/a", JOIN), waiting("b/b", VerdictKey("a/a"))]
    assert found(*run) == {"a/a": ["b/b"]}
    assert idle(run) == [run[1]]


def test_those_that_wait_for_each_other_have_one_cause() -> None:
    """The first of them by name, also for those outside of the circle; nothing waits for itself."""
    keys = [VerdictKey(name) for name in ("b/b", "c/c", "a/a")]
    circle = [waiting(key.requirement, keys[number - 1]) for number, key in enumerate(keys)]
    assert found(*circle, waiting("d/d", keys[1])) == {"a/a": ["b/b", "c/c", "d/d"]}
    assert found(waiting("a/a", VerdictKey("a/a"))) == {}
    assert idle([waiting("a/a", VerdictKey("a/a"))]) != []


@pytest.mark.parametrize("last", [VerdictKey("a/00000"), JOIN])
def test_a_chain_of_any_length_is_followed_once(last: VerdictKey) -> None:
    """In a result that somebody has made, thousands may wait one for the other, and the last for the first."""
    keys = [*(VerdictKey(f"a/{number:05}") for number in range(10_000)), last]
    chain = [waiting(key.requirement, after) for key, after in pairwise(keys)]
    [cause] = causes(chain)
    assert cause.key == last
    assert len(cause.waiting) == len(chain) - (last == keys[0])


def test_a_requirement_without_an_event_is_that_of_all_its_events() -> None:
    """It stands in the way until it holds for each of them."""
    held, broken = (verdict(VerdictKey(ROOMS.requirement, event), Outcome.PASS) for event in ("token:move", "chat"))
    waits = waiting("a/a", ROOMS)
    assert found(held, broken, waits) == {}
    broken.outcome = Outcome.FAIL
    assert found(held, broken, waits) == {ROOMS.title: ["a/a"]}
    assert causes([held, broken, waits])[0].own is broken


def test_only_what_could_not_be_reached_waits() -> None:
    """Whatever a result that somebody has edited says of a verdict that was reached."""
    reached = waiting("a/a", JOIN)
    reached.outcome = Outcome.PASS
    assert found(reached, failing(*JOIN)) == {}

"""A green for want of evidence never: what shows nothing is unjudged, and names what stands in the way."""

from __future__ import annotations

import pytest
from tests.mutants.judge import broken, judged

from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, VerdictKey


@pytest.fixture(scope="module")
def open_to_strangers() -> Run:
    """Return what some of the suite said of a server on which a stranger may do whatever a member may."""
    only = (
        "join/disconnect-keeps-membership",
        "authorization/refusal-precedes-disconnection",
        "authorization/outsider-*",
    )
    return judged("ChecksWhomItKnows", 1.0, only=only)


@pytest.mark.parametrize(
    ("requirement", "event"),
    [
        ("join/disconnect-keeps-membership", None),
        ("authorization/refusal-precedes-disconnection", "chat-message"),
        ("authorization/refusal-precedes-disconnection", "token:move"),
    ],
)
def test_where_strangers_may_all_nothing_is_concluded_from_what_members_may(
    open_to_strangers: Run, requirement: str, event: str | None
) -> None:
    """Neither that somebody is a member still, nor how strangers are refused: it waits for strangers to be refused."""
    [verdict] = [v for v in open_to_strangers.verdicts if v.key == (requirement, event)]
    assert verdict.outcome is Outcome.UNJUDGED
    assert verdict.waits_for == VerdictKey("authorization/outsider-refused", event or "chat-message")


def test_what_is_garbled_is_not_taken_for_invalid_even_if_nothing_else_is_judged() -> None:
    """Of a server whose broadcasts of moves say something else, though only invalid requests are selected."""
    assert broken(judged("TellsMovesWithoutTheirGoal", 1.0, only=("payloads/refused-not-broadcast",))) == set()

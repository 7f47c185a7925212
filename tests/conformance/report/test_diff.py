"""What changed between two runs."""

from __future__ import annotations

import copy

import pytest
from tests.conformance.report.runs import ECHO, broken_run

from dungeonlab_conformance.report.diff import changes, exit_code, text
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict


def a_run(outcome: Outcome | None) -> Run:
    return Run("url", [Verdict(ECHO, "token:move", "MUST", outcome, "why")] if outcome else [])


def test_a_run_does_not_differ_from_itself() -> None:
    """Nothing changed, and that is fine."""
    found = changes(broken_run(), copy.deepcopy(broken_run()))
    assert (found, text(found), exit_code(found)) == ([], "nothing changed", 0)


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("pass", "fail", 1),
        ("pass", "unjudged", 1),
        ("pass", "skipped", 1),
        ("pass", "error", 1),
        ("unjudged", "fail", 1),
        ("pass", None, 1),
        (None, "fail", 1),
        ("fail", "pass", 0),
        ("fail", "unjudged", 0),
        ("fail", None, 0),
        (None, "pass", 0),
        ("pass", "note", 0),
        ("note", "pass", 0),
    ],
)
def test_only_what_got_worse_fails(before: str | None, after: str | None, code: int) -> None:
    """Broken where it was not, or not known to hold any more: 1. Everything else: 0."""
    runs = [a_run(Outcome(o) if o else None) for o in (before, after)]
    found = changes(*runs)
    assert len(found) == 1
    assert exit_code(found) == code


def test_what_got_worse_comes_first() -> None:
    """Under a heading of its own, with what it was and what it is."""
    old, new = broken_run(), broken_run()
    new.verdicts[0].outcome, new.verdicts[1].outcome = Outcome.FAIL, Outcome.PASS
    assert text(changes(old, new)).splitlines() == [
        "worse (1)",
        "  connect/websocket: pass -> fail",
        "better (1)",
        "  join/outsider-refused: fail -> pass",
    ]

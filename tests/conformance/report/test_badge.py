"""The badge: says no more than was judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conformance.report.runs import ECHO, broken_run, failing, passing_run

from dungeonlab_conformance.report import badge
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome


def one_that_is(outcome: Outcome, requirement: str = ECHO) -> Run:
    run = passing_run()
    run.claim = run.claim if outcome is Outcome.WARN else ""
    next(v for v in run.verdicts if v.requirement == requirement).outcome = outcome
    return run


def a_part() -> Run:
    run = passing_run()
    run.claim, run.verdicts = "", run.verdicts[:3]
    return run


@pytest.mark.parametrize(
    ("run", "message", "colour"),
    [
        (passing_run(), "conformant", "brightgreen"),
        (one_that_is(Outcome.WARN, "order/one-sender-in-order"), "conformant, 1 to improve", "yellowgreen"),
        (one_that_is(Outcome.FAIL), "1 of 115 broken", "red"),
        (one_that_is(Outcome.UNJUDGED), "1 of 115 not shown", "orange"),
        (one_that_is(Outcome.ERROR), "suite error", "lightgrey"),
        (one_that_is(Outcome.SKIPPED), " MUSTs shown", "blue"),
        (a_part(), "3 of ", "blue"),
        (Run("url", fault="gone"), "cut short", "lightgrey"),
        (Run("url", interrupted=True), "cut short", "lightgrey"),
        (Run("url", own_fault="KeyError"), "suite error", "lightgrey"),
    ],
)
def test_only_a_claim_is_green(run: Run, message: str, colour: str) -> None:
    """Each thing that a run can come to has its own words, and green is for what may be claimed."""
    total = len({v.requirement for v in passing_run().verdicts})
    said, painted = badge.state(run)
    assert message.replace("115", str(total)) in said
    assert painted == colour


def test_the_endpoint_is_what_shields_expects(tmp_path: Path) -> None:
    """Label, message and colour, in the version that it knows."""
    badge.write(broken_run(), tmp_path / "badge.json")
    document = json.loads((tmp_path / "badge.json").read_text())
    label = "DungeonLab 1.0 at 127.0.0.1:18732"
    assert document == {"schemaVersion": 1, "label": label, "message": "2 of 10 broken", "color": "red"}


def test_the_bundled_server_has_no_badge(tmp_path: Path) -> None:
    """A badge says something about somebody's server; nothing is written about the one that the suite brings along."""
    run = passing_run()
    run.bundled = True
    with pytest.raises(ValueError, match="bundled"):
        badge.write(run, tmp_path / "badge.json")
    assert list(tmp_path.iterdir()) == []


def test_an_address_stays_short_and_without_credentials() -> None:
    """However long the server's URL is, and whatever name is in it."""
    run = passing_run()
    run.target = f"https://***@{'very-' * 40}long.example"
    label = badge.endpoint(run)["label"]
    assert len(label) < 70
    assert "***" not in label


def test_a_known_failure_is_still_one() -> None:
    """A badge is for strangers: what is accepted by the server's authors is broken for everybody else."""
    verdict = failing(ECHO, "token:move")
    verdict.known = "ticket 41"
    assert badge.state(Run("url", [verdict]))[1] == "red"

"""A claim of conformance: said only when every MUST of the version was judged, and held."""

from __future__ import annotations

import pytest
from tests.conformance.report.runs import ECHO, failing, passing_run

from dungeonlab_conformance.results.claim import claim, obstacles
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_spec import Catalogue


def test_a_run_in_which_every_must_held_makes_the_claim() -> None:
    """It names version and server; what is broken of SHOULD and MAY does not stand in the way."""
    run = passing_run()
    for verdict in run.verdicts:
        if verdict.level != "MUST":
            verdict.outcome = {"SHOULD": Outcome.WARN, "MAY": Outcome.NOTE}[verdict.level]
    assert claim(run) == f"Conformant to version {Catalogue.load().version} of the DungeonLab protocol: {run.target}"


def test_a_claim_says_of_what() -> None:
    """The server, and the file that described it: a claim that is copied elsewhere still says whose it is."""
    run = passing_run()
    run.target, run.options, run.bundled = "the bundled reference server", RunOptions(), True
    assert claim(run).endswith(": the bundled reference server")
    run.target, run.bundled = "http://127.0.0.1:4000", False
    run.options = RunOptions(target_file="some/where/target.toml")
    assert claim(run).endswith(": http://127.0.0.1:4000 (target.toml)")


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.PASS])
def test_one_must_that_did_not_hold_withholds_the_claim(outcome: Outcome) -> None:
    """Broken, unjudged, skipped, the suite's own error: none of them is a MUST that was shown to hold."""
    run = passing_run()
    next(v for v in run.verdicts if v.requirement == ECHO).outcome = outcome
    assert claim(run) == ""


def test_one_must_that_was_not_selected_withholds_the_claim() -> None:
    """A run of a part claims nothing of the whole, and says how much of it is missing."""
    run = passing_run()
    run.verdicts = [v for v in run.verdicts if v.requirement != ECHO]
    missing = sum(v.requirement == ECHO for v in passing_run().verdicts)
    assert claim(run) == ""
    assert next(obstacles(run)).startswith(f"{missing} of ")


def test_a_known_failure_withholds_the_claim() -> None:
    """What is accepted is broken all the same."""
    broken = failing(ECHO, "token:move")
    broken.known = "ticket 41"
    run = passing_run()
    run.verdicts = [broken if (v.requirement, v.event) == (ECHO, "token:move") else v for v in run.verdicts]
    assert (run.exit_code, claim(run)) == (0, "")


@pytest.mark.parametrize("how", [{"fault": "gone"}, {"interrupted": True}])
def test_a_run_that_was_cut_short_claims_nothing(how: dict[str, object]) -> None:
    """Even if every verdict was reached before: the late leaks were not waited for."""
    run = passing_run()
    for name, value in how.items():
        setattr(run, name, value)
    assert claim(run) == ""
    assert "cut short" in next(obstacles(run))


def test_a_requirement_of_a_later_version_is_neither_selected_nor_in_the_way() -> None:
    """An older version is frozen: what came later is not demanded by it."""
    everything = {name for scene in scenes(Selection(), Catalogue.load()) for name in scene.wanted}
    frozen = scenes(Selection(version="0.9"), Catalogue.load())
    assert everything
    assert frozen == []
    assert claim(Run("url", protocol="0.9")) == ""


@pytest.mark.parametrize(
    ("fail_on", "outcome", "code"),
    [
        ("MUST", Outcome.WARN, 0),
        ("SHOULD", Outcome.WARN, 1),
        ("MAY", Outcome.WARN, 1),
        ("SHOULD", Outcome.NOTE, 0),
        ("MAY", Outcome.NOTE, 1),
        ("MUST", Outcome.UNJUDGED, 0),
        ("SHOULD", Outcome.UNJUDGED, 3),
    ],
)
def test_the_level_that_fails_a_run_can_be_chosen(fail_on: str, outcome: Outcome, code: int) -> None:
    """What is weaker than the chosen level does not decide how the run ends."""
    level = "MAY" if outcome is Outcome.NOTE else "SHOULD"
    run = Run("url", [Verdict("a/b", None, level, outcome, "why")])  # type: ignore[arg-type]
    run.fail_on = fail_on  # type: ignore[assignment]
    assert run.exit_code == code

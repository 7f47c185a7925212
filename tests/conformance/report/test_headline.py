"""The sentence that a report opens with: what was not shown never reads as if it held."""

from __future__ import annotations

import pytest
from tests.conformance.report.runs import ECHO, broken_run, failing, passing_run

from dungeonlab_conformance.report.content.headline import headline
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict


def known() -> Verdict:
    verdict = failing(ECHO, "token:move")
    verdict.known = "ticket 41"
    return verdict


def bundled() -> Run:
    run = passing_run()
    run.bundled = True
    return run


def judged(outcome: Outcome) -> Verdict:
    return Verdict(ECHO, "token:move", "MUST", outcome, "why")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (passing_run(), "Conformant: every MUST of version 1.0 held"),
        (bundled(), "The bundled reference server is conformant: every MUST of version 1.0 held"),
        (broken_run(), "2 requirements are broken"),
        (Run("u", [failing(ECHO, "token:move")]), "1 requirement is broken"),
        (Run("u", [failing(ECHO)], fault="gone"), "1 requirement is broken, and the run was cut short"),
        (Run("u", [judged(Outcome.PASS)]), "Every MUST that was judged held"),
        (Run("u", [judged(Outcome.UNJUDGED)]), "Nothing is broken, but 1 verdict could not be reached"),
        (Run("u", [judged(Outcome.SKIPPED)]), "Nothing was shown to hold"),
        (Run("u", [judged(Outcome.ERROR), failing(ECHO)]), "The suite itself failed in 1 verdict"),
        (Run("u", own_fault="KeyError"), "The suite itself failed"),
        (Run("u", [known()]), "Nothing is broken but what is known: 1 verdict"),
        (Run("u", [known()], stale=["x holds"]), "The list of known failures is out of date"),
        (Run("u", [known(), failing(ECHO, "token:delete")]), "1 requirement is broken"),
        (Run("u", fault="gone"), "The run was cut short"),
        (Run("u", interrupted=True), "The run was interrupted"),
    ],
)
def test_each_end_of_a_run_has_its_sentence(run: Run, said: str) -> None:
    """The suite's own fault first, then what is broken, then what is missing; praise last."""
    assert headline(run) == said

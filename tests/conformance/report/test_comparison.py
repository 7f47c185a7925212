"""In which verdicts several runs differ."""

from __future__ import annotations

import copy
import json

from tests.conformance.report.runs import ECHO, broken_run, nasty_run, passing_run

from dungeonlab_conformance.report.content.comparison import differences, lines, text, to_json
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey

WIDTH = 80


def a_run(*outcomes: Outcome) -> Run:
    events = ("chat-message", "token:move")
    run = Run("http://127.0.0.1:3000")
    run.verdicts = [
        Verdict(ECHO, event, "MUST", outcome, "why" if outcome is Outcome.UNJUDGED else "")
        for event, outcome in zip(events, outcomes, strict=False)
    ]
    for verdict in run.verdicts:
        if verdict.outcome is Outcome.FAIL:
            verdict.findings.append(Finding("alice to hear nothing", '{"a": 1}', "$.a"))
    return run


def test_what_is_the_same_in_all_is_no_difference() -> None:
    """A run and its copies differ in nothing, whatever they say."""
    for run in (broken_run(), nasty_run(), passing_run()):
        assert differences([run, copy.deepcopy(run), copy.deepcopy(run)]) == []
        assert list(lines([run, run]))[-1] == ("bold", "no verdict differs")


def test_each_difference_has_the_outcome_of_every_run() -> None:
    """Of three runs too; one that does not have the verdict has none."""
    runs = [a_run(Outcome.FAIL, Outcome.PASS), a_run(Outcome.PASS, Outcome.PASS), a_run(Outcome.PASS)]
    [first, second] = differences(runs)
    assert (first.key, first.outcomes) == (VerdictKey(ECHO, "chat-message"), (Outcome.FAIL, Outcome.PASS, Outcome.PASS))
    assert (second.key, second.outcomes) == (VerdictKey(ECHO, "token:move"), (Outcome.PASS, Outcome.PASS, None))


def test_events_that_differ_alike_stand_together() -> None:
    """With what the first finding says, and in lines that fit a terminal."""
    shown = [line for _, line in lines([a_run(Outcome.FAIL, Outcome.FAIL), a_run(Outcome.PASS, Outcome.PASS)], WIDTH)]
    assert shown[-7:] == [
        f"MUST  {ECHO}",
        "   for chat-message, token:move",
        "   1  fail    expected alice to hear nothing at $.a",
        '              got {"a": 1}',
        "   2  pass",
        "",
        "2 verdicts differ, on 1 requirement",
    ]


def test_no_line_is_wider_than_it_may_be() -> None:
    """Whatever a server said, and nothing of it moves the cursor."""
    for _, line in lines([broken_run(), passing_run(), nasty_run()], WIDTH):
        assert len(line) <= WIDTH or line.startswith(("MUST", "SHOULD", "MAY", "1  ", "2  ", "3  "))
        assert "\x1b" not in line


def test_the_json_holds_the_differences_alone() -> None:
    """With the first finding of each verdict, and the counts of each server."""
    document = json.loads(text([a_run(Outcome.FAIL), a_run(Outcome.UNJUDGED)]))
    [difference] = document["differences"]
    assert difference["verdicts"] == [
        {"outcome": "fail", "reason": "", "expected": "alice to hear nothing", "got": '{"a": 1}', "path": "$.a"},
        {"outcome": "unjudged", "reason": "why"},
    ]
    assert (difference["requirement"], difference["event"], difference["level"]) == (ECHO, "chat-message", "MUST")
    assert [server["counts"]["fail"] for server in document["servers"]] == [1, 0]
    assert to_json([a_run(), a_run(Outcome.PASS)])["differences"][0]["verdicts"][0] is None

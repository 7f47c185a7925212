"""JUnit XML: read as a CI server reads it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.conformance.report.runs import CREATE, ECHO, broken_run, failing, nasty_run, passing_run, played_run, waiting

from dungeonlab_conformance.report import junit
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where to write."""
    return tmp_path / "junit.xml"


def written(run: Run, file: Path) -> ET.Element:
    junit.write(run, file)
    return ET.parse(file).getroot()


def the_case(run: Run, file: Path) -> ET.Element:
    [case] = written(run, file).iter("testcase")
    return case


def properties(element: ET.Element) -> dict[str | None, str | None]:
    return {p.get("name"): p.get("value") for p in element.iterfind("properties/property")}


def test_every_verdict_is_a_case_of_its_area(file: Path) -> None:
    """One suite per area, one case per verdict, and the sums at the top are those of the cases."""
    run = broken_run()
    root = written(run, file)
    assert [suite.get("name") for suite in root] == ["connect", "join", "rooms", "presence"]
    cases = list(root.iter("testcase"))
    assert len(cases) == len(run.verdicts) == int(root.get("tests", 0))
    assert int(root.get("failures", 0)) == len([c for c in cases if c.find("failure") is not None]) == 3
    assert int(root.get("errors", 0)) == len([c for c in cases if c.find("error") is not None]) == 3


def test_a_case_names_its_requirement_as_a_property(file: Path) -> None:
    """Id, level, section and event can be distinguished by a machine, and so can what repeats it."""
    case = the_case(Run("url", [failing(ECHO, "token:move")]), file)
    found = properties(case)
    assert (found["requirement"], found["level"], found["event"]) == (ECHO, "MUST", "token:move")
    assert found["section"] == "5"
    assert found["again"] == f"dungeonlab-conformance run --only {ECHO} --event token:move"


def test_times_are_in_milliseconds_at_most(file: Path) -> None:
    """What a clock has beyond that is noise, in which a search for anything finds something."""
    verdict = failing(ECHO, "token:move")
    verdict.seconds = 1.23456789
    assert the_case(Run("url", [verdict]), file).get("time") == "1.235"


def test_a_failure_says_what_was_expected_and_what_came(file: Path) -> None:
    """The message is for the list, the text for the page of one case."""
    failure = the_case(Run("url", [failing(ECHO, "token:move")]), file).find("failure")
    assert failure is not None
    assert failure.get("message") == "expected silence; got an echo"
    assert "MUST NOT" in (failure.text or "")


def test_a_failure_in_a_play_says_who_did_what(file: Path) -> None:
    """An act a line, the last ones with their numbers, and how often it was seen."""
    failure = the_case(played_run(), file).find("failure")
    assert failure is not None
    lines = (failure.text or "").splitlines()
    assert {"… 4 earlier acts", "  5  alice chat-message in here, 5", "seen 10 of 10 times"} <= {*lines}


@pytest.mark.parametrize(
    ("level", "outcome", "fail_on", "found"),
    [
        ("MUST", Outcome.FAIL, "MUST", "failure"),
        ("SHOULD", Outcome.WARN, "MUST", "system-out"),
        ("SHOULD", Outcome.WARN, "SHOULD", "failure"),
        ("MAY", Outcome.NOTE, "MUST", "skipped"),
        ("MAY", Outcome.NOTE, "MAY", "failure"),
        ("MUST", Outcome.SKIPPED, "MUST", "skipped"),
        ("MUST", Outcome.UNJUDGED, "MUST", "error"),
        ("SHOULD", Outcome.UNJUDGED, "MUST", "skipped"),
        ("SHOULD", Outcome.ERROR, "MUST", "error"),
    ],
)
def test_what_fails_the_run_is_red_and_nothing_else(
    file: Path, level: str, outcome: Outcome, fail_on: str, found: str
) -> None:
    """A viewer is red exactly where the run is."""
    verdict = Verdict(ECHO, None, level, outcome, "why")  # type: ignore[arg-type]
    case = the_case(Run("url", [verdict], fail_on=fail_on), file)  # type: ignore[arg-type]
    assert [child.tag for child in case if child.tag != "properties"] == [found]


def test_a_known_failure_is_skipped_with_its_reason(file: Path) -> None:
    """It is neither green nor red."""
    verdict = failing(ECHO, "token:move")
    verdict.known = "ticket 41"
    skipped = the_case(Run("url", [verdict]), file).find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "known: ticket 41"


def test_what_could_not_be_reached_says_what_it_waits_for(file: Path) -> None:
    """In the message, which is what a list of cases shows; it is no success for that."""
    error = the_case(Run("url", [waiting("join/outsider-refused", CREATE)]), file).find("error")
    assert error is not None
    assert error.get("message") == f"unjudged: no answer; waits for {CREATE.title}"


def test_what_is_wrong_with_the_run_is_a_case_of_its_own(file: Path) -> None:
    """A run that was cut short, or a list that is out of date, is red even if no verdict is."""
    root = written(Run("url", fault="gone", own_fault="KeyError", stale=["x holds"]), file)
    [suite] = root
    assert [(c.get("name"), c.findall("error")[0].get("message")) for c in suite] == [
        ("fault", "gone"),
        ("suite", "KeyError"),
        ("known failures", "x holds"),
    ]


def test_the_claim_stands_in_the_file(file: Path) -> None:
    """Only where there is one."""
    assert "claim" in properties(written(passing_run(), file)[0])
    assert "claim" not in properties(written(broken_run(), file)[0])


def test_a_hostile_server_does_not_break_the_file(file: Path) -> None:
    """XML cannot hold everything; what it cannot is replaced."""
    assert len(list(written(nasty_run(), file).iter("testcase"))) > len(nasty_run().verdicts)


def test_what_a_terminal_would_obey_is_named(file: Path) -> None:
    """As the terminal and Markdown do."""
    finding = Finding("é☃", "\x1b[2J\x9b2J\u202e\u2028", None, "check")
    junit.write(Run("url", [failing(ECHO, "token:move", finding)]), file)
    assert "expected é☃; got ␛[2JU+009B2JU+202EU+2028" in file.read_text("utf-8")
    assert not set("\x9b\u202e\u2028") & set(file.read_text("utf-8"))

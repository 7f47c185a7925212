"""The run as JUnit XML, for CI servers: one suite per area, one case per verdict."""

from __future__ import annotations

import itertools
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from dungeonlab_conformance.report.words import finding_lines
from dungeonlab_conformance.run import Run
from dungeonlab_conformance.verdict import Outcome, Verdict
from dungeonlab_spec import Catalogue


def write(run: Run, file: Path) -> None:
    """Write the run to a file. A warning passes, and says so in its output; what was unjudged is an error."""
    document = JUnitXml("dungeonlab-conformance")
    for area, verdicts in itertools.groupby(run.verdicts, key=lambda v: v.requirement.partition("/")[0]):
        suite = TestSuite(area)
        for verdict in verdicts:
            suite.add_testcase(_case(verdict))
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    document.write(str(file), pretty=True)


def _case(verdict: Verdict) -> TestCase:
    requirement = Catalogue.load().requirements[verdict.requirement]
    area, _, name = verdict.requirement.partition("/")
    case = TestCase(f"{name}[{verdict.event}]" if verdict.event else name, f"dungeonlab.{area}", verdict.seconds)
    properties = Properties()  # type: ignore[no-untyped-call]
    for key, value in (
        ("requirement", verdict.requirement),
        ("level", verdict.level),
        ("section", requirement.section),
    ):
        properties.add_property(Property(key, value))
    case.append(properties)  # type: ignore[no-untyped-call]
    text = "\n".join(line for finding in verdict.findings for line in finding_lines(finding))
    text = _printable(f"{requirement.sentence}\n{text}")
    match verdict.outcome:
        case Outcome.FAIL:
            first = verdict.findings[0]
            case.result = [_result(Failure(_printable(f"expected {first.expected}; got {first.got}")), text)]
        case Outcome.WARN:
            case.system_out = text
        case Outcome.SKIPPED | Outcome.NOTE:
            case.result = [Skipped(_printable(verdict.reason or "optional, and not there"))]
        case Outcome.UNJUDGED | Outcome.ERROR:
            case.result = [_result(Error(_printable(f"{verdict.outcome}: {verdict.reason}")), text)]
    return case


def _result(result: Failure | Error, text: str) -> Failure | Error:
    result.text = text
    return result


def _printable(text: str) -> str:
    """Replace what XML cannot hold."""
    return "".join(c if c in "\t\n\r" or _fits(c) else "\N{REPLACEMENT CHARACTER}" for c in text)


def _fits(c: str) -> bool:
    return " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"

"""The run as JUnit XML, for CI servers: one suite per area, one case per verdict."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from dungeonlab_conformance.report.content.grouping import requirement_of
from dungeonlab_conformance.report.content.wording import LONGEST, finding_lines, reason_in_words, repeat
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict, fails
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import printable, shortened


def write(run: Run, file: Path) -> None:
    """Write the run to a file, or to standard output."""
    files.write(text(run), file)


def text(run: Run) -> str:
    """Return the run as a document in XML.

    What fails the run is a failure, or an error if it could not be judged. What is broken and does not fail it, a
    SHOULD as a rule, passes and says so in its output; what is known is skipped, with the reason.
    """
    document = JUnitXml(printable(f"dungeonlab-conformance: {run.subject}"))
    for area, verdicts in itertools.groupby(run.verdicts, key=lambda v: v.requirement.partition("/")[0]):
        suite = TestSuite(printable(area))
        _describe(suite, run)
        for verdict in verdicts:
            suite.add_testcase(_case(verdict, run))
        document.add_testsuite(suite)
    troubles = [("fault", run.fault), ("suite", run.own_fault), *(("known failures", stale) for stale in run.stale)]
    if any(what for _, what in troubles):
        document.add_testsuite(_run_suite(troubles))
    document.update_statistics()  # type: ignore[no-untyped-call]
    page = io.BytesIO()
    document.write(page, pretty=True)
    return page.getvalue().decode()


def _describe(suite: TestSuite, run: Run) -> None:
    """Say in a suite's properties what was judged by what, and what may be said of it."""
    for key, value in (
        ("target", run.target),
        ("target-file", run.target_file),
        ("bundled", "true" if run.bundled else ""),
        ("side", run.side),
        ("protocol", run.protocol),
        ("claim", run.claim),
    ):
        if value:
            suite.add_property(key, printable(value))


def _run_suite(troubles: list[tuple[str, str | None]]) -> TestSuite:
    """Return what is wrong with the run as a whole, so that no viewer shows it green."""
    suite = TestSuite("run")
    for name, what in troubles:
        if what:
            case = TestCase(name, "dungeonlab.run", 0)
            case.result = [_result(Error(printable(what)), printable(what))]
            suite.add_testcase(case)
    return suite


def _case(verdict: Verdict, run: Run) -> TestCase:
    requirement = requirement_of(verdict.requirement)
    area, _, name = verdict.requirement.partition("/")
    called = printable(f"{name}[{verdict.event}]" if verdict.event else name)
    case = TestCase(called, printable(f"dungeonlab.{area}"), round(verdict.seconds, 3))
    properties = Properties()  # type: ignore[no-untyped-call]
    for key, value in (
        ("requirement", verdict.requirement),
        ("level", verdict.level),
        ("section", requirement.section),
        ("outcome", str(verdict.outcome)),
        ("event", verdict.event or ""),
        ("again", repeat(verdict, run) if verdict.findings else ""),
    ):
        if not value:
            continue

        properties.add_property(Property(key, printable(value)))
    case.append(properties)  # type: ignore[no-untyped-call]
    text = "\n".join(line for finding in verdict.findings for line in finding_lines(finding))
    text = printable(f"{requirement.sentence}\n{text}")
    found = "; ".join(f"expected {f.expected}; got {f.got}" for f in verdict.findings[:1]) or reason_in_words(verdict)
    said = printable(shortened(found, LONGEST))
    if verdict.known:
        case.result = [Skipped(printable(f"known: {verdict.known}"))]
        case.system_out = text
    elif verdict.outcome is Outcome.ERROR or (verdict.outcome is Outcome.UNJUDGED and fails(verdict, run.fail_on)):
        case.result = [_result(Error(f"{verdict.outcome}: {said}"), text)]
    elif fails(verdict, run.fail_on):
        case.result = [_result(Failure(said), text)]
    elif verdict.outcome is Outcome.WARN:
        case.system_out = text
    elif verdict.outcome is not Outcome.PASS:
        case.result = [Skipped(said or "optional, and not there")]
    return case


def _result(result: Failure | Error, text: str) -> Failure | Error:
    result.text = text
    return result

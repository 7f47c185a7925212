"""The run for GitHub Actions: annotations as workflow commands, job summary, and outputs. Prints nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dungeonlab_conformance.report import markdown
from dungeonlab_conformance.report.content.grouping import RequirementVerdicts, to_mend
from dungeonlab_conformance.report.content.headline import headline
from dungeonlab_conformance.report.content.wording import acts_lines, causes_in_words, repeat, sent_text
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import counts
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.text.files import open_to_write
from dungeonlab_conformance.text.printable import one_line, printable, shortened, without_commands

TITLE = "DungeonLab conformance"  # of annotations about a run as a whole
_SHOWN = 9  # of each kind; GitHub shows ten of a step, and the tenth counts the rest
_LONGEST = 2000  # characters of a message
_SUMMARY = 1 << 20  # bytes that GitHub takes of one step


def commands(run: Run) -> str:
    """Return the annotations, one workflow command a line: an error for each broken MUST, a warning for each SHOULD.

    What other verdicts wait for stands first among them, and in a notice of its own. A run that failed without breaking
    anything (unreachable, interrupted) is one error.
    """
    return "\n".join(_commands(run))


def append_summary(run: Run, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Append the run as Markdown to the file that GITHUB_STEP_SUMMARY names; None if it names none.

    What is in the file already counts towards GitHub's limit, so less is written then.
    """
    name = environment.get("GITHUB_STEP_SUMMARY")
    if not name:
        return None
    file = Path(name)
    there = file.stat().st_size if file.exists() else 0
    content = markdown.text(run, min(markdown.LIMIT, _SUMMARY - there - 1024))
    with open_to_write(file, "a") as summary:
        summary.write(content + "\n")
    return file


def append_outputs(run: Run, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Append result, claim and counts to the file that GITHUB_OUTPUT names; None if it names none."""
    name = environment.get("GITHUB_OUTPUT")
    if not name:
        return None
    claim = "" if run.bundled else one_line(run.claim)  # nothing may be said of a server that was not judged
    rows = {"result": result(run), "claim": claim, **counts(run.verdicts)}
    with open_to_write(Path(name), "a") as outputs:
        outputs.writelines(f"{key}={value}\n" for key, value in rows.items())
    return Path(name)


def result(run: Run) -> str:
    """Return in one word how a run ended.

    What held for the bundled server is no success of anybody's own, so it has a word of its own.
    """
    passed = "bundled" if run.bundled else "conformant" if run.claim else "passed"
    return {0: passed, 1: "broken", 3: "untestable", 4: "error", 130: "interrupted"}[run.exit_code]


def command(kind: str, title: str, message: str) -> str:
    """Return one workflow command, escaped as the runner expects it."""
    return f"::{kind} title={_property(title)}::{_data(message)}"


def _commands(run: Run) -> Iterator[str]:
    rows = to_mend(run)
    for kind, level in (("error", "MUST"), ("warning", "SHOULD")):
        some = [judged for judged in rows if judged.requirement.level == level]
        for judged in some[:_SHOWN]:
            yield command(kind, judged.requirement.id, _message(judged, run))
        if len(some) > _SHOWN:
            more = f"{len(some) - _SHOWN} more requirements are broken; the job summary has them all."
            yield command(kind, TITLE, more)
    if said := causes_in_words(run, _SHOWN):
        yield command("notice", TITLE, "\n".join(said))
    for stale in run.stale[:_SHOWN]:
        yield command("error", "Known failures", stale)
    errors = [v.reason for v in run.verdicts if v.outcome is Outcome.ERROR]
    fault = run.own_fault or run.fault or (errors[0] if errors else "")
    if fault or (run.exit_code and not rows):
        yield command("error", TITLE, f"{headline(run)}\njudged: {run.subject}\n{fault}".strip())
    if run.bundled:
        yield command("warning", TITLE, f"{run.subject} was judged, and no other; give a URL or a target file")


def _message(judged: RequirementVerdicts, run: Run) -> str:
    verdict, finding = judged.verdicts[0], judged.verdicts[0].findings[0]
    events = [v.event for v in judged.verdicts if v.event]
    lines = [judged.requirement.sentence]
    if events:
        lines.append(f"Broken for {', '.join(events)}.")
    where = f" at {finding.path}" if finding.path else ""
    if finding.sent:
        lines.append(f"sent: {sent_text(finding.sent, 500)}")
    lines += [f"expected{where}: {finding.expected}", f"got: {shortened(finding.got, 500)}"]
    lines += [f"judged: {run.subject}", f"again: {repeat(verdict, run)}", *acts_lines(finding)]
    return shortened("\n".join(lines), _LONGEST)


def _data(text: str) -> str:
    text = without_commands(printable(text))
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

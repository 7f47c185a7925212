"""A finding in words, the same in every report that is text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Verdict
from dungeonlab_conformance.text.printable import shortened

LONGEST = 2000  # characters of what came, in reports that are text
_LINES, _LINE = 80, 600  # of a transcript, and characters of each; the result has all of it


def repeat(verdict: Verdict, run: Run) -> str:
    """Return the command that judges exactly this verdict again.

    What an invariant saw in the scene of another requirement is seen again only if that is played, too.
    """
    wanted, events = [verdict.requirement], [verdict.event]
    for found in verdict.findings[:1]:
        if found.requirements and (found.check, found.event) != (verdict.check, verdict.event):
            wanted += found.requirements
            events = [verdict.event, found.event] if verdict.event and found.event else []  # `--event` takes no other
    words = [f"--only {shlex.quote(name)}" for name in dict.fromkeys(wanted)]
    words += [f"--event {shlex.quote(event)}" for event in dict.fromkeys(events) if event]
    return " ".join([run.again, *words])


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yield expected, got and transcript, one line each."""
    where = f" at {finding.path}" if finding.path else ""
    yield f"expected{where}: {shortened(finding.expected, LONGEST)}"
    yield f"got: {shortened(finding.got, LONGEST)}"
    yield f"transcript of {finding.scene} (milliseconds, actor):"
    hidden = max(0, len(finding.transcript) - _LINES)
    if hidden or finding.left_out:
        yield f"  … {earlier(hidden, finding.left_out)}"
    for line in finding.transcript[-_LINES:]:
        yield f"  {line_text(line)}"


def earlier(hidden: int, left_out: int) -> str:
    """Say how many lines come before those that are shown: some that the result has, and some that were not kept."""
    lost = f"{left_out} were not kept, to bound the size of the result" if left_out else ""
    return f"{hidden + left_out} earlier lines" + (f" ({lost})" if lost else "")


def line_text(line: TranscriptLine, longest: int = _LINE) -> str:
    """Return one line of a transcript with its time in milliseconds."""
    return f"{line.at:9.1f}  {spoken(line, longest)}"


def spoken(line: TranscriptLine, longest: int = _LINE) -> str:
    """Return one line of a transcript as a sentence: who does what."""
    return f"{line.actor} {line.act} {line.event} {shortened(line.body, longest)}".rstrip()

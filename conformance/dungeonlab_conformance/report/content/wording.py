"""A finding in words, and a cause, the same in every report that is text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report.content.excerpt import ACTS, acts_excerpt, excerpt
from dungeonlab_conformance.report.content.headline import counted
from dungeonlab_conformance.results.causes import Cause, causes
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict
from dungeonlab_conformance.text.printable import shortened

ARROW = "►"  # before the line of a transcript that convicts
LONGEST = 2000  # characters of what came, in reports that are text
_LINES, _LINE = 80, 600  # of a transcript, and characters of each; the result has all of it


def repeat(verdict: Verdict, run: Run) -> str:
    """Return the command that judges exactly this verdict again.

    What an invariant saw in the scene of another requirement is seen again only if that is played, too. What a search
    found, the whole search finds again; clients are judged by all that they do.
    """
    if run.options.search or run.side == "client":
        return run.again
    wanted, events = [verdict.requirement], [verdict.event]
    for found in verdict.findings[:1]:
        if found.requirements and (found.check, found.event) != (verdict.check, verdict.event):
            wanted += found.requirements
            events = [verdict.event, found.event] if verdict.event and found.event else []  # `--event` takes no other
    words = [f"--only {shlex.quote(name)}" for name in dict.fromkeys(wanted)]
    words += [f"--event {shlex.quote(event)}" for event in dict.fromkeys(events) if event]
    if any(found.from_a_play for found in verdict.findings[:1]) and not run.options.plays:
        words.append("--plays")
    return " ".join([run.again, *words])


def causes_in_words(run: Run, most: int) -> list[str]:
    """Return a sentence for each cause that is not known, for which most wait first; beyond `most`, one for the rest.

    It says what to mend, or, where the cause is not shown to be broken, what became of it.
    """
    found = [cause for cause in causes(run.verdicts) if not cause.is_known]
    said = [cause_in_words(cause) for cause in found[:most]]
    if rest := found[most:]:
        number = sum(len(cause.waiting) for cause in rest)
        said.append(f"{counted(len(rest), 'more cause')}: {_wait(number, 'it' if len(rest) == 1 else 'them')}")
    return said


def cause_in_words(cause: Cause) -> str:
    """Return what is to be done about a cause, and how much waits for it."""
    name = cause.key.title
    match cause.own and cause.own.outcome:
        case None:
            what = f"{name} was not judged in this run"
        case Outcome.UNJUDGED:
            what = f"{name} could not be judged either"
        case Outcome.SKIPPED:
            what = f"{name} was skipped"
        case Outcome.ERROR:
            what = f"the suite itself failed at {name}"
        case _:
            what = f"mend {name} first"
    return f"{what}: {_wait(len(cause.waiting), 'it')}"


def reason_in_words(verdict: Verdict) -> str:
    """Return why a verdict is what it is, and what it waits for, if that is known."""
    return f"{verdict.reason}; waits for {verdict.waits_for.title}" if verdict.waits_for else verdict.reason


def _wait(number: int, what: str) -> str:
    return f"{counted(number, 'verdict')} {'waits' if number == 1 else 'wait'} for {what}"


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yield the acts of a play, what was sent, expected and got, and the transcript around what convicts."""
    where = f" at {finding.path}" if finding.path else ""
    yield from acts_lines(finding)
    if finding.how_often:
        yield finding.how_often
    if finding.sent:
        yield f"sent: {sent_text(finding.sent, LONGEST)}"
    yield f"expected{where}: {shortened(finding.expected, LONGEST)}"
    yield f"got: {shortened(finding.got, LONGEST)}"
    yield f"transcript of {finding.scene} (milliseconds, actor):"
    yield from (f"  {line}" for line in transcript_lines(finding, _LINES, _LINE))


def acts_lines(finding: Finding, most: int | None = ACTS) -> Iterator[str]:
    """Yield the last acts of the play in which a finding was seen, with their numbers; nothing of a scene."""
    shown = acts_excerpt(finding, most)
    if shown.opening:
        yield shown.opening
    yield from (f"{number:>3}  {act}" for number, act in shown.acts)


def transcript_lines(finding: Finding, most: int | None, longest: int) -> Iterator[str]:
    """Yield `most` lines of a transcript with their times in milliseconds, and above and below them how many more.

    The one that convicts begins with an arrow.
    """
    shown = excerpt(finding, most)
    if shown.opening:
        yield shown.opening
    for each in shown.lines:
        yield f"{ARROW if each.convicts else ' '}{each.line.at:8.1f}  {spoken(each.line, longest)}"
    if shown.ending:
        yield shown.ending


def sent_text(line: TranscriptLine, longest: int) -> str:
    """Return a request as a finding names it: who sent which event, and its payload."""
    return f"{line.event} {shortened(line.body, longest)}".rstrip()


def spoken(line: TranscriptLine, longest: int = _LINE) -> str:
    """Return one line of a transcript as a sentence: who does what."""
    return f"{line.actor} {line.act} {line.event} {shortened(line.body, longest)}".rstrip()

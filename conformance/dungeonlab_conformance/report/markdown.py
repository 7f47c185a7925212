"""The run as Markdown, for job summaries and comments: the sum, then what is broken and how to see it again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from dungeonlab_conformance.report.content.excerpt import acts_excerpt
from dungeonlab_conformance.report.content.grouping import RequirementVerdicts, areas, broken
from dungeonlab_conformance.report.content.headline import counted, headline
from dungeonlab_conformance.report.content.mermaid import mermaid
from dungeonlab_conformance.report.content.sequence_diagram import diagram
from dungeonlab_conformance.report.content.usual_cause import usual_cause
from dungeonlab_conformance.report.content.wording import causes_in_words, repeat, sent_text, transcript_lines
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import counts
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import one_line, shortened

LIMIT = 900_000  # bytes; GitHub takes 1 MiB per step
_LONGEST, _LINES, _LINE = 800, 30, 300  # characters of what came; lines of a transcript, characters of each
_CAUSES = 5  # for which most verdicts wait
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@&])")


def write(run: Run, file: Path) -> None:
    """Write the run to a file, or to standard output."""
    files.write(text(run), file)


def text(run: Run, limit: int = LIMIT) -> str:
    """Return the run in at most `limit` bytes of UTF-8; what is left out is counted at the end."""
    rows = broken(run)
    parts, size = [_head(run)], len(_head(run).encode()) + 200
    for number, judged in enumerate(rows):
        part = "\n".join(_requirement(judged, run))
        size += len(part.encode()) + 1
        if size > limit:
            parts.append(f"{counted(len(rows) - number, 'broken requirement')} more did not fit here.\n")
            break
        parts.append(part)
    return "\n".join(parts)


def _head(run: Run) -> str:
    lines = [f"## {_plain(headline(run))}", ""]
    lines += [f"{_subject(run)}, DungeonLab protocol {_plain(run.protocol)}: {_sum(run)}", ""]
    if run.claim:
        lines += [f"**{_plain(run.claim)}**", ""]
    for stale in run.stale:
        lines += [f"**Known failures:** {_plain(stale)}", ""]
    for said in causes_in_words(run, _CAUSES):
        lines += [f"**Cause:** {_plain(said)}", ""]
    if run.own_fault:
        lines += [f"**The suite itself failed:** {_plain(shortened(run.own_fault, _LONGEST))}", ""]
    if run.fault:
        lines += [f"**Cut short:** {_plain(shortened(run.fault, _LONGEST))}", ""]
    if run.plays:
        lines += [f"Played{'' if run.options.search else ' besides'}: {_plain(run.plays)}", ""]
    for note in run.notes:
        lines += [f"**Note:** {_plain(shortened(note, _LONGEST))}", ""]
    for leftover in dict.fromkeys(run.leftovers):
        lines += [f"**Not cleared away:** {_plain(shortened(leftover, _LONGEST))}", ""]
    if run.verdicts:
        there = [outcome for outcome in Outcome if any(v.outcome is outcome for v in run.verdicts)]
        lines += [f"| area | {' | '.join(there)} |", f"|---|{'--:|' * len(there)}"]
        for area in areas(run):
            found = counts(area.verdicts)
            lines.append(f"| {_plain(area.name)} | {' | '.join(str(found[o] or '') for o in there)} |")
        lines.append("")
    return "\n".join(lines)


def _subject(run: Run) -> str:
    """Return what was judged; code if it is an address, so that no link is made of it."""
    if run.bundled:
        return f"**{_plain(run.target)}** and no other"
    return f"{_code(run.target)} ({_code(PurePath(run.target_file).name)})" if run.target_file else _code(run.target)


def _sum(run: Run) -> str:
    requirements = len({v.requirement for v in run.verdicts})
    return f"{counted(requirements, 'requirement')}, {counted(len(run.verdicts), 'verdict')} in {run.seconds:.1f} s."


def _requirement(judged: RequirementVerdicts, run: Run) -> Iterator[str]:
    requirement = judged.requirement
    yield f"### {judged.worst.upper()} {_code(requirement.id)}"
    yield ""
    yield f"{_plain(requirement.sentence)} (section {_plain(requirement.section)})"
    yield ""
    found = [verdict for verdict in judged.verdicts if verdict.findings]
    yield f"*Usually:* {_plain(usual_cause(found[0]))}"
    yield ""
    for number, verdict in enumerate(found):
        yield from _verdict(verdict, run, drawn=number == 0)


def _verdict(verdict: Verdict, run: Run, *, drawn: bool) -> Iterator[str]:
    first = verdict.findings[0]
    if verdict.event:
        yield f"**{_plain(verdict.event)}**"
        yield ""
    if verdict.known:
        yield f"*Known:* {_plain(verdict.known)}"
        yield ""
    where = f" at {_code(first.path)}" if first.path else ""
    yield from _acts(first)
    if first.how_often:
        yield f"- {_plain(first.how_often)}"
    if first.sent:
        yield f"- sent: {_code(sent_text(first.sent, _LONGEST))}"
    yield f"- expected{where}: {_code(first.expected)}"
    yield f"- got: {_code(first.got)}"
    if len(verdict.findings) > 1:
        yield f"- and {len(verdict.findings) - 1} more like it"
    yield f"- again: {_code(repeat(verdict, run))}"
    yield ""
    if first.transcript:
        lines = [shortened(one_line(line), _LINE) for line in transcript_lines(first, _LINES, _LINE)]
        fence = _ticks("\n".join(lines), 3)
        yield f"<details><summary>Transcript of {html.escape(one_line(first.scene))}</summary>\n"
        if drawn:
            yield f"```mermaid\n{mermaid(diagram(first.transcript, first.convicting))}\n```\n"
        yield f"{fence}text"
        yield from lines
        yield f"{fence}\n\n</details>\n"


def _acts(finding: Finding) -> Iterator[str]:
    """Yield the acts of the play in which a finding was seen, as a list with their numbers."""
    shown = acts_excerpt(finding)
    if shown.opening:
        yield f"{_plain(shown.opening)}\n"
    for number, act in shown.acts:
        yield f"{number}. {_code(act)}"
    if shown.acts:
        yield ""


def _plain(words: str) -> str:
    """Return words in which Markdown sees no markup."""
    return _SPECIAL.sub(r"\\\1", one_line(words))


def _code(words: str) -> str:
    """Return words as a code span, whatever backticks they hold."""
    words = shortened(one_line(words), _LONGEST)
    ticks = _ticks(words, 1)
    pad = " " if words[:1] in ("`", " ", "") or words[-1:] == "`" else ""
    return f"{ticks}{pad}{words}{pad}{ticks}"


def _ticks(words: str, least: int) -> str:
    """Return a run of backticks longer than any in the words."""
    longest = max((len(run) for run in re.findall("`+", words)), default=0)
    return "`" * max(least, longest + 1)

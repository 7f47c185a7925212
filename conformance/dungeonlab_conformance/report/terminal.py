"""What a person sees: progress while it runs, then what is broken with all it takes to mend it, then the sum."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from types import TracebackType

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from dungeonlab_conformance.report.content.excerpt import ACTS, ExcerptLine, excerpt
from dungeonlab_conformance.report.content.grouping import RequirementVerdicts, areas, to_mend
from dungeonlab_conformance.report.content.headline import counted
from dungeonlab_conformance.report.content.usual_cause import usual_cause
from dungeonlab_conformance.report.content.wording import (
    ARROW,
    acts_lines,
    causes_in_words,
    reason_in_words,
    repeat,
    sent_text,
)
from dungeonlab_conformance.results.causes import causes
from dungeonlab_conformance.results.claim import obstacles
from dungeonlab_conformance.results.exit_codes import EXIT_TARGET
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import counts
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey, fails
from dungeonlab_conformance.text.printable import one_line, shortened

STYLE = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.WARN: "yellow",
    Outcome.NOTE: "cyan",
    Outcome.SKIPPED: "dim",
    Outcome.UNJUDGED: "magenta",
    Outcome.ERROR: "bold magenta",
}
_SHOWN = (Outcome.NOTE, Outcome.SKIPPED, Outcome.UNJUDGED, Outcome.ERROR)  # those that have no more than a reason
_ORDER = (*_SHOWN, Outcome.WARN, Outcome.FAIL)
_TRANSCRIPT = 14  # lines around the one that convicts, unless more are asked for
_LONGEST = {False: 300, True: 4000}  # characters of a payload, and with -v
_WORD = re.compile(r"\S+\s*")
_ARGUMENT = re.compile(r"""(?:--[\w-]+ )?(?:'[^']*'|"[^"]*"|\S)+\s*""")  # of a command: an option and its value
_ALIKE = 4  # verdicts with one reason that are worth a line each
_CAUSES = {False: 3, True: 1000}  # of what could not be reached, and with -v


class Following:
    """A progress bar on a terminal, and nothing at all elsewhere."""

    def __init__(self, console: Console, scenes: int) -> None:
        self.failing = 0
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failing]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.progress.add_task("judging", total=scenes, failing="")

    def __enter__(self) -> Following:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def say(self, console: Console, line: str) -> None:
        """Print a line, above the bar if both are on a terminal."""
        where = self.progress.console if console.is_terminal and self.progress.live.is_started else console
        where.print(line, markup=False, highlight=False, soft_wrap=True)

    def on_scene(self, verdicts: list[Verdict]) -> None:
        """Count a scene that was played."""
        self.failing += sum(v.outcome is Outcome.FAIL for v in verdicts)
        self.progress.update(self.task, advance=1, failing=f"{self.failing} broken" if self.failing else "")

    def on_plays(self, more: int, found: int) -> None:
        """Count plays of a search, which has found so much by now."""
        self.progress.update(self.task, advance=more, failing=f"{found} found" if found else "")


def open_run(run: Run, console: Console) -> None:
    """Print, before anything is judged, what is about to be."""
    why = ", since neither a URL nor a target file was given" if run.bundled else ""
    _say(console, f"Judging {_shown(run.subject)}{why}")


def open_report(run: Run, console: Console) -> None:
    """Print what an earlier run judged, and when."""
    _say(console, f"Judged {_shown(run.subject)}, {_shown(run.began)}")


def show(run: Run, console: Console, *, verbosity: int = 0) -> None:
    """Print the run: `verbosity` 1 for whole transcripts and what passed, -1 for what decides how it ends alone.

    The last line says what was judged.
    """
    if verbosity < 0:
        decisive, folded = deciding(run), _waiting(run)
        for verdict in decisive:
            if verdict.key not in folded:
                _say(console, f"[{STYLE[verdict.outcome]}]{verdict.outcome.upper()}[/]  {_shown(verdict.title)}")
        if any(verdict.key in folded for verdict in decisive):
            _causes(run, console, whole=False)
    if verbosity >= 0 and _anything_judged(run):
        if verbosity > 0:
            for verdict in run.verdicts:
                if verdict.outcome is Outcome.PASS:
                    _say(console, f"[green]PASS[/]  {_shown(verdict.title)}")
        _without_findings(run, console, whole=verbosity > 0)
        for judged in reversed(to_mend(run)):  # what matters most stands last, where a terminal shows it
            _broken(judged, run, console, whole=verbosity > 0)
        if not run.options.search:  # which judges nothing but what it finds
            _areas(run, console)
        _causes(run, console, whole=verbosity > 0)
    if verbosity > 0 and not run.claim:
        _say(console, f"no claim of conformance: {_shown('; '.join(obstacles(run)))}")
    _conclusion(run, console, quiet=verbosity < 0)


def deciding(run: Run) -> list[Verdict]:
    """Return the verdicts that decide how a run ends: what fails it, or else what keeps it from ending well.

    None if it ends well, or if it was cut short before anything failed: then that decides, not what was not reached.
    """
    failing = [v for v in run.verdicts if fails(v, run.fail_on) and not v.known]
    decisive = [v for v in run.verdicts if v.outcome is Outcome.ERROR] + [v for v in failing if v.findings]
    if decisive or run.exit_code != EXIT_TARGET or run.fault:
        return decisive
    return failing or [v for v in run.verdicts if v.outcome is Outcome.SKIPPED]


def sentence(run: Run) -> str:
    """Return the whole run in one line of rich's markup."""
    if run.options.search and not run.verdicts:
        return f"nothing was found in {run.seconds:.1f} s"
    found = counts(run.verdicts)
    ids = len({v.requirement for v in run.verdicts})
    said = ", ".join(
        f"[{STYLE[Outcome(name)]}]{n} {name}[/]" for name, n in found.items() if n or name in ("pass", "fail")
    )
    known = sum(bool(v.known) for v in run.verdicts)
    return f"{counted(ids, 'requirement')}, {counted(len(run.verdicts), 'verdict')} in {run.seconds:.1f} s: {said}" + (
        f" ({known} known)" if known else ""
    )


def _anything_judged(run: Run) -> bool:
    return any(v.outcome is not Outcome.UNJUDGED for v in run.verdicts) or not (run.fault or run.interrupted)


def _conclusion(run: Run, console: Console, *, quiet: bool) -> None:
    if run.plays:
        _say(console, f"[dim]played{'' if run.options.search else ' besides'}: {_shown(run.plays)}[/]")
    for note in run.notes:
        _say(console, f"[cyan]note:[/] {_shown(note)}")
    for leftover, times in Counter(run.leftovers).items():
        again = f" ({times} times)" if times > 1 else ""
        _say(console, f"[yellow]not cleared away:[/] {_shown(leftover)}{again}")
    for stale in run.stale:
        _say(console, f"[bold red]known failures:[/] {_shown(stale)}")
    if run.fault:
        _say(console, f"[bold magenta]cut short:[/] {_shown(run.fault)}")
    if run.interrupted:
        _say(console, "[bold magenta]interrupted:[/] what was not reached is unjudged")
    if run.own_fault:
        _say(console, f"[bold magenta]the suite itself failed:[/] {_shown(run.own_fault)}; please report it")
    if not _anything_judged(run):
        if run.interrupted or run.own_fault or run.target not in (run.fault or ""):
            _say(console, f"{_shown(run.subject)}: nothing was judged")
    elif not run.claim:
        _say(console, f"{_shown(run.subject)}: {sentence(run)}")
    else:
        if not quiet:
            _say(console, sentence(run))
        _say(console, f"[bold green]{_shown(run.claim)}[/]")


def _waiting(run: Run) -> set[VerdictKey]:
    """Return what waits for a cause that is named in the sum."""
    return {verdict.key for cause in causes(run.verdicts) if not cause.is_known for verdict in cause.waiting}


def _causes(run: Run, console: Console, *, whole: bool) -> None:
    """Print what to mend first: a line for each cause of what could not be reached."""
    folded = textwrap.TextWrapper(console.width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    for said in causes_in_words(run, _CAUSES[whole]):
        for line in folded.wrap(one_line(said)):
            _say(console, f"[bold]{_shown(line)}[/]")


def _without_findings(run: Run, console: Console, *, whole: bool) -> None:
    """Print a line for each verdict that says no more than its reason; one for many that share it.

    What waits for a cause is counted in the sum, unless the whole is wanted.
    """
    groups: dict[tuple[int, str, str], list[Verdict]] = {}
    folded = set() if whole else _waiting(run)
    for verdict in run.verdicts:
        if verdict.key in folded:
            continue
        if verdict.known:
            said = f"[{STYLE[verdict.outcome]}]KNOWN[/]", verdict.known
        elif verdict.outcome in _SHOWN[0 if whole else 1 :]:
            said = f"[{STYLE[verdict.outcome]}]{verdict.outcome.upper()}[/]", reason_in_words(verdict) or _got(verdict)
        else:
            continue
        groups.setdefault((_ORDER.index(verdict.outcome), *said), []).append(verdict)
    for (_, mark, reason), verdicts in sorted(groups.items(), key=lambda item: item[0][0]):
        if len(verdicts) > _ALIKE and not whole:
            names = list(dict.fromkeys(v.requirement for v in verdicts))
            on = _shown(", ".join(names[:2])) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
            _say(console, f"{mark}  {len(verdicts)} verdicts on {on}: {_shown(reason)}")
        else:
            for verdict in verdicts:
                _say(console, f"{mark}  {_shown(verdict.title)}: {_shown(reason)}")


def _got(verdict: Verdict) -> str:
    return verdict.findings[0].got if verdict.findings else ""


def _broken(judged: RequirementVerdicts, run: Run, console: Console, *, whole: bool) -> None:
    """Print one requirement: its first verdict with all it takes to mend it, the others in short."""
    for number, verdict in enumerate(judged.verdicts):
        if number and not whole:
            got = shortened(_got(verdict), 200)
            _say(console, f"  [bold]and for {_shown(verdict.event or '')}[/]: [red]got[/] {_shown(got)}")
        else:
            mark = f"[{STYLE[verdict.outcome]}]{verdict.outcome.upper()}[/]"
            requirement = judged.requirement
            _say(console, f"\n{mark}  [bold]{_shown(verdict.title)}[/]")
            _paragraph(console, f"{requirement.sentence} (section {requirement.section})")
            for finding in verdict.findings if whole else verdict.findings[:1]:
                _finding(finding, console, whole=whole)
            if len(verdict.findings) > 1 and not whole:
                _say(console, f"  [dim]and {len(verdict.findings) - 1} more like it (-v shows them)[/]")
            _paragraph(console, f"usually: {usual_cause(verdict)}")
        _say_command(console, f"  [dim]again:[/] {_shown(repeat(verdict, run))}")


def _finding(finding: Finding, console: Console, *, whole: bool) -> None:
    longest = _LONGEST[whole]
    where = f" at {finding.path}" if finding.path else ""
    for line in acts_lines(finding, None if whole else ACTS):
        more = " (-v shows them)" if line.startswith("…") else ""
        _say(console, f"  {_shown(line)}{more}")
    if finding.how_often:
        _say(console, f"  [bold]{_shown(finding.how_often)}[/]")
    if finding.sent:
        _say(console, f"  [bold]sent[/]: {_shown(sent_text(finding.sent, longest))}")
    _say(console, f"  [green]expected[/]{_shown(where)}: {_shown(shortened(finding.expected, longest))}")
    _say(console, f"  [red]got[/]: {_shown(shortened(finding.got, longest))}")
    shown = excerpt(finding, None if whole else _TRANSCRIPT)
    if shown.opening:
        _say(console, f"  [dim]{shown.opening}{' (-v shows more)' if shown.before else ''}[/]")
    for each in shown.lines:
        text = _line(each, longest)
        if console.is_terminal and not whole:
            console.print(text, no_wrap=True, overflow="ellipsis")
        else:
            _say(console, text)
    if shown.ending:
        _say(console, f"  [dim]{shown.ending} (-v shows more)[/]")


def _line(each: ExcerptLine, longest: int) -> str:
    line = each.line
    act = f"[bold]{_shown(line.actor)}[/] {line.act} {_shown(line.event)}".rstrip()
    said = f" [dim]{_shown(shortened(line.body, longest))}[/]" if line.body else ""
    if each.convicts:
        return f"[red]{ARROW}[/] [red]{line.at:8.1f} ms[/]  {act}{said}"
    return f"  [dim]{line.at:8.1f} ms[/]  {act}{said}"


def _paragraph(console: Console, text: str) -> None:
    lines = textwrap.wrap(one_line(text), console.width - 2, break_long_words=False, break_on_hyphens=False)
    for line in lines:
        _say(console, f"  {_shown(line)}")


def _say(console: Console, markup: str) -> None:
    """Print one line; a terminal shows it as several, divided between words. Elsewhere it stays one, for programs.

    A word that is longer than a line stays whole, for the terminal to wrap.
    """
    _print(console, markup, _WORD)


def _say_command(console: Console, markup: str) -> None:
    """Print one line with a command; where it is divided, a backslash stands, so that a shell reads it as one."""
    _print(console, markup, _ARGUMENT, end=" \\")


def _print(console: Console, markup: str, word: re.Pattern[str], end: str = "") -> None:
    text = Text.from_markup(markup)
    offsets: list[int] = []
    unbroken = text.plain.lstrip("\n")
    indent = " " * (len(unbroken) - len(unbroken.lstrip()) + 2)
    if console.is_terminal:
        offsets = _breaks(text.plain, word, console.width - len(end), len(indent))
    lines = text.divide(offsets)
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        whole = Text(indent if number else "").append_text(line)
        if not last:
            whole.rstrip()
        console.print(whole.append("" if last else end), soft_wrap=True)


def _breaks(plain: str, word: re.Pattern[str], width: int, indent: int) -> list[int]:
    """Return at which words the lines begin that a text takes, but for the first one."""
    offsets: list[int] = []
    taken = len(plain) - len(plain.lstrip())
    for found in word.finditer(plain):
        if taken + cell_len(found[0].rstrip()) > width and taken > indent:
            offsets.append(found.start())
            taken = indent
        taken += cell_len(found[0])
    return offsets


def _shown(text: str) -> str:
    return escape(one_line(text))


def _areas(run: Run, console: Console) -> None:
    there = [outcome for outcome in Outcome if any(v.outcome is outcome for v in run.verdicts)]
    rows = areas(run)
    wide = max((len(area.name) for area in rows), default=0)
    _say(console, f"\n[dim]{'area':<{wide}}{''.join(f'  {outcome:>5}' for outcome in there)}[/]")
    for area in rows:
        found = counts(area.verdicts)
        cells = (_cell(found[outcome], outcome) for outcome in there)
        _say(console, f"{_shown(area.name):<{wide}}{''.join(cells)}")


def _cell(number: int, outcome: Outcome) -> str:
    return f"[{STYLE[outcome] if number else 'dim'}]  {number or '·':>{max(5, len(outcome))}}[/]"

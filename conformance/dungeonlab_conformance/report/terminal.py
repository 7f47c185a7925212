"""What a person sees: progress while it runs, then what is broken with all it takes to mend it, then the sum."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dungeonlab_conformance.report.result import counts
from dungeonlab_conformance.report.words import repeat, title
from dungeonlab_conformance.runner import Run, Scene
from dungeonlab_conformance.verdict import Finding, Outcome, Verdict
from dungeonlab_spec import Catalogue

STYLE = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.WARN: "yellow",
    Outcome.NOTE: "cyan",
    Outcome.SKIPPED: "dim",
    Outcome.UNJUDGED: "magenta",
    Outcome.ERROR: "bold magenta",
}
_SHOWN = (Outcome.NOTE, Outcome.SKIPPED, Outcome.UNJUDGED, Outcome.ERROR, Outcome.WARN, Outcome.FAIL)
_TRANSCRIPT = 14  # the last lines, unless more are asked for


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

    def on_scene(self, _: Scene, verdicts: list[Verdict]) -> None:
        """Count a scene that was played."""
        self.failing += sum(v.outcome is Outcome.FAIL for v in verdicts)
        self.progress.update(self.task, advance=1, failing=f"{self.failing} broken" if self.failing else "")


def show(run: Run, console: Console, *, verbosity: int = 0) -> None:
    """Print the run: `verbosity` -1 for the last line only, 1 for whole transcripts and what passed."""
    if verbosity >= 0:
        for outcome in _SHOWN if verbosity else _SHOWN[1:]:
            for verdict in run.verdicts:
                if verdict.outcome is outcome:
                    _one(verdict, run, console, whole=verbosity > 0)
        if verbosity > 0:
            for verdict in run.verdicts:
                if verdict.outcome is Outcome.PASS:
                    console.print(f"[green]pass[/]  {escape(title(verdict))}", highlight=False)
        _areas(run, console)
    for leftover in run.leftovers:
        console.print(f"[yellow]not cleared away:[/] {escape(leftover)}", highlight=False)
    if run.fault:
        console.print(f"[bold magenta]cut short:[/] {escape(run.fault)}", highlight=False, soft_wrap=True)
    console.print(sentence(run), highlight=False, soft_wrap=True)


def sentence(run: Run) -> str:
    """Return the whole run in one line."""
    found = counts(run.verdicts)
    ids = len({v.requirement for v in run.verdicts})
    said = ", ".join(
        f"[{STYLE[Outcome(name)]}]{n} {name}[/]" for name, n in found.items() if n or name in ("pass", "fail")
    )
    return f"{ids} requirements, {len(run.verdicts)} verdicts in {run.seconds:.1f} s: {said}"


def _one(verdict: Verdict, run: Run, console: Console, *, whole: bool) -> None:
    requirement = Catalogue.load().requirements[verdict.requirement]
    mark = f"[{STYLE[verdict.outcome]}]{verdict.outcome.upper()}[/]"
    if not verdict.findings:
        console.print(f"{mark}  {escape(title(verdict))}: {escape(verdict.reason)}", highlight=False, soft_wrap=True)
        return
    console.print()
    console.print(f"{mark}  [bold]{escape(title(verdict))}[/]", highlight=False)
    console.print(f"  {escape(requirement.sentence)} [dim](section {requirement.section})[/]", highlight=False)
    for finding in verdict.findings if whole else verdict.findings[:1]:
        _finding(finding, console, whole=whole)
    if len(verdict.findings) > 1 and not whole:
        console.print(f"  [dim]and {len(verdict.findings) - 1} more like it (-v shows them)[/]")
    console.print(f"  [dim]usually:[/] {escape(requirement.hint)}", highlight=False)
    console.print(f"  [dim]again:[/]   {escape(repeat(verdict, run.target))}", highlight=False, soft_wrap=True)


def _finding(finding: Finding, console: Console, *, whole: bool) -> None:
    where = f" at {finding.path}" if finding.path else ""
    console.print(f"  [green]expected[/]{escape(where)}: {escape(finding.expected)}", highlight=False)
    console.print(f"  [red]got[/]: {escape(finding.got)}", highlight=False)
    lines = finding.transcript if whole else finding.transcript[-_TRANSCRIPT:]
    if len(lines) < len(finding.transcript):
        console.print(f"  [dim]… {len(finding.transcript) - len(lines)} earlier lines (-v shows them)[/]")
    for line in lines:
        text = f"  [dim]{line.at:8.1f} ms[/]  [bold]{escape(line.actor)}[/] {line.act} {escape(line.event)} "
        console.print(
            text + f"[dim]{escape(line.body)}[/]",
            highlight=False,
            soft_wrap=whole,
            overflow="ellipsis",
            no_wrap=not whole,
        )


def _areas(run: Run, console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("area")
    for outcome in Outcome:
        table.add_column(outcome.value, justify="right")
    for area in dict.fromkeys(v.requirement.partition("/")[0] for v in run.verdicts):
        found = counts([v for v in run.verdicts if v.requirement.partition("/")[0] == area])
        cells = [f"[{STYLE[Outcome(name)]}]{n}[/]" if n else "[dim]·[/]" for name, n in found.items()]
        table.add_row(area, *cells)
    console.print()
    console.print(table)

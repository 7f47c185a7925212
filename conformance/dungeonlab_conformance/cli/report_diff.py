"""`report` and `diff`: what can be made of earlier results. Need no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dungeonlab_conformance.cli.options import reports
from dungeonlab_conformance.cli.options.paths import FILE

if TYPE_CHECKING:
    from dungeonlab_conformance.results.run import Run


def loaded(file: Path) -> Run:
    """Return an earlier run; what is no result is wrong usage."""
    from dungeonlab_conformance.results.load import load_run

    try:
        return load_run(file)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@click.command()
@click.argument("result", type=FILE)
@reports.reporting
@click.option("-v", "--verbose", is_flag=True, help="Print whole transcripts, and what passed.")
def report(result: Path, verbose: bool, **files: Path | None) -> None:
    """Make reports of RESULT, which an earlier run wrote with --json or --ndjson; print it if none is asked for."""
    from rich.console import Console

    from dungeonlab_conformance.report import terminal

    reports.make_sure_of(files, read=[result])
    run = loaded(result)
    fault = run.own_fault
    reports.make_sure_of_badge(files, bundled=run.bundled)
    problems = reports.write(run, files)
    if not any(files.values()):
        console = Console(highlight=False)
        terminal.open_report(run, console)
        terminal.show(run, console, verbosity=int(verbose))
    for problem in problems:
        click.echo(problem, err=True)
    if run.own_fault and not fault:
        click.echo(f"the suite itself failed: {run.own_fault}; please report it", err=True)
        raise SystemExit(4)
    raise SystemExit(2 if problems else 0)


@click.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
def diff(old: Path, new: Path) -> None:
    """Show what changed from one result to another.

    Exit codes: 0 nothing got worse; 1 something did; 2 one of the files is no result.
    """
    from dungeonlab_conformance.report import diff as changed
    from dungeonlab_conformance.text.printable import one_line

    before, after = loaded(old), loaded(new)
    found = changed.changes(before, after)
    click.echo(changed.text(found))
    if before.subject != after.subject:
        click.echo(f"two servers were compared: {one_line(before.subject)}, then {one_line(after.subject)}")
    raise SystemExit(changed.exit_code(found))

"""`report`, `diff` and `recheck`: what can be made of earlier results. Need no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dungeonlab_conformance.cli import streams
from dungeonlab_conformance.cli.options import reports
from dungeonlab_conformance.cli.options.paths import FILE

if TYPE_CHECKING:
    from dungeonlab_conformance.results.run import Run, RunOptions
    from dungeonlab_conformance.results.verdict import VerdictKey
    from dungeonlab_conformance.runner.recheck.recheck import Rechecked

_LONGEST = 120.0  # seconds that computing verdicts again may take; those of a usual run take two
_SHOWN = 40  # differences


def loaded(file: Path) -> Run:
    """Return an earlier run; what is no result is wrong usage."""
    from dungeonlab_conformance.results.load import load_run

    try:
        return load_run(file)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def watched(file: Path) -> Run | None:
    """Return what became of the clients in a recording of a tap; None if the file is none."""
    from dungeonlab_conformance.record.tapped import ndjson
    from dungeonlab_conformance.tap.verdicts import judged
    from dungeonlab_conformance.text.files import Unreadable

    if not ndjson.is_recording(file):
        return None
    try:
        directed = ndjson.is_directed(file)
        return judged(f"the recording {file}", ndjson.read(file), ("report", str(file)), directed=directed)
    except Unreadable as error:
        raise click.UsageError(str(error)) from None


@click.command()
@click.argument("result", type=FILE)
@reports.reporting
@click.option("-v", "--verbose", is_flag=True, help="Print whole transcripts, and what passed.")
def report(result: Path, verbose: bool, **files: Path | None) -> None:
    """Make reports of RESULT, which an earlier run wrote with --json or --ndjson; print it if none is asked for.

    A recording that `tap --record` or `client --record` wrote is judged for that.
    """
    from dungeonlab_conformance.report import terminal

    reports.make_sure_of(files, read=[result])
    run = watched(result) or loaded(result)
    fault = run.own_fault
    reports.make_sure_of_badge(files, bundled=run.bundled)
    problems = reports.write(run, files)
    if not any(files.values()):
        console = streams.console()
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


@click.command()
@click.argument("result", type=FILE)
def recheck(result: Path) -> None:
    """Compute the verdicts of RESULT again from what it recorded, without any server, and compare them.

    Needs a result that `run --json` or `search --json` wrote. Exit codes: 0 all that follows from the recording is
    what is written; 1 something differs; 2 the file is no such result.
    """
    from importlib.metadata import version

    from dungeonlab_conformance.results.load import load_document
    from dungeonlab_conformance.runner.recheck.patience import within
    from dungeonlab_conformance.runner.recheck.recheck import recheck as compare
    from dungeonlab_conformance.text.files import shown
    from dungeonlab_conformance.text.printable import one_line

    try:
        with within(_LONGEST):
            run, document = load_document(result)
            if run.side == "client":
                raise click.UsageError(f"{shown(result)} is about clients; only verdicts on servers are computed again")
            if not run.recording:
                raise click.UsageError(
                    f"{shown(result)} holds no recording of its run; `run --json` and `search --json` write one"
                )
            found = compare(run, document, _chosen(run.options))
    except ValueError as error:
        known = str(error).startswith(shown(result))
        said = str(error) if known else f"{shown(result)} holds a recording that cannot be used: {error}"
        raise click.UsageError(one_line(said)) from None
    except (TimeoutError, MemoryError) as error:
        why = str(error) or "it takes more memory than there is"
        raise click.UsageError(f"{shown(result)} cannot be checked again: {why}") from None
    own = version("dungeonlab-conformance")
    if run.suite != own:
        click.echo(f"written by version {one_line(run.suite)}, computed again by the rules of version {own}")
    _show(found, searched=bool(run.options.search))
    raise SystemExit(1 if found.differences else 0)


def _chosen(options: RunOptions) -> list[VerdictKey]:
    """Return on what there has to be a verdict after a run with these options; a search has them on what it found."""
    from dungeonlab_conformance.results.verdict import VerdictKey
    from dungeonlab_conformance.runner.selection import Selection, scenes
    from dungeonlab_spec import Catalogue

    if options.search:
        return []
    levels = tuple(map(str.upper, options.levels))
    parts = ("http",) if options.http else ()
    given = Selection(options.only, options.without, options.events, levels, options.protocol_version, parts)
    chosen = scenes(given, Catalogue.load())
    names = [(scene, scene.event.name if scene.event else None) for scene in chosen]
    return list(dict.fromkeys(VerdictKey(name, event) for scene, event in names for name in sorted(scene.wanted)))


def _show(found: Rechecked, *, searched: bool) -> None:
    from dungeonlab_conformance.text.printable import one_line

    for line in found.differences[:_SHOWN]:
        click.echo(f"≠ {one_line(line)}")
    differ = len(found.differences)
    if differ > _SHOWN:
        click.echo(f"≠ and {differ - _SHOWN} more")
    click.echo(
        f"verdicts computed again: {found.verdicts}, from {found.scenes} {'plays' if searched else 'scenes'} with "
        f"{found.observations} observations; broken by what was recorded: {found.convicted}"
    )
    if searched:
        click.echo("how much the search played besides, and in how many plays each showed, is taken as it is written")
    else:
        click.echo(f"findings that scenes made themselves, which cannot be computed, taken as they are: {found.taken}")
        if found.unclaimed:
            click.echo(f"no claim of conformance follows: {one_line('; '.join(found.unclaimed))}")
    click.echo(f"differences from what is written: {differ}" if differ else "all is as it is written")

"""Which finding of a result a command is about, and on which server it was made."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.target import make_target
from dungeonlab_conformance.record.secrets.leaks import HIDDEN

if TYPE_CHECKING:
    from dungeonlab_conformance.results.run import Run
    from dungeonlab_conformance.results.verdict import Finding, Verdict
    from dungeonlab_conformance.target.target import Target


_LONGEST = 300  # characters of what is to be added to a command


def choosing(command: Any) -> Any:
    """Add RESULT, ID and the options that name one finding, and ``--at-once``."""
    for option in (
        click.option("--at-once", is_flag=True, help="Ask at once what was asked at once, for faults that need it."),
        click.option(
            "--finding",
            "number",
            type=click.IntRange(1),
            default=1,
            show_default=True,
            help="Which of its findings.",
        ),
        click.option("--event", metavar="NAME", help="Which event's failure, if there are several."),
        click.argument("requirement", metavar="ID"),
        click.argument("result", type=FILE),
    ):
        command = option(command)
    return command


def chosen(run: Run, requirement: str, event: str | None, number: int) -> tuple[Verdict, Finding]:
    """Return the finding that a command names, and the verdict it belongs to; if there is none, it is wrong usage."""
    if run.side == "client":
        raise click.UsageError(f"clients are judged by all that they do, which nobody can play; again: {run.again}")
    broken = [v for v in run.verdicts if v.findings and v.requirement == requirement]
    matching = [v for v in broken if event is None or v.event == event]
    if not matching:
        raise click.UsageError(_none_such(run, requirement, event, broken))
    if number > len(matching[0].findings):
        raise click.UsageError(f"there are only {len(matching[0].findings)} findings")
    finding = matching[0].findings[number - 1]
    if not finding.transcript:
        raise click.UsageError("no transcript of it was kept")
    return matching[0], finding


def _none_such(run: Run, requirement: str, event: str | None, broken: list[Verdict]) -> str:
    """Say what the result has findings on instead."""
    from dungeonlab_conformance.text.spelling import did_you_mean
    from dungeonlab_spec import Catalogue

    if broken:
        events = ", ".join(v.event or "no event" for v in broken)
        return f"nothing was found broken under {requirement!r} for {event!r}; there are findings on it for: {events}"
    names = dict.fromkeys(v.requirement for v in run.verdicts if v.findings)
    hint = f"; {did_you_mean(requirement, names)}" if names and requirement not in Catalogue.load().requirements else ""
    there = f"this result has findings on: {', '.join(names)}" if names else "this result has no findings"
    return f"nothing was found broken under {requirement!r}; {there}{hint}"


def server_of(run: Run, url: str | None, target_file: Path | None, scale: float, *, references: bool = False) -> Target:
    """Return the server on which a result was made, or the one that is named in its place; see `make_target`."""
    from dungeonlab_conformance.target.limits import Limits
    from dungeonlab_conformance.target.target import EMBEDDED, Target

    if url is None and target_file is None:
        if run.bundled:
            return Target(EMBEDDED, limits=Limits(scale))
        url, target_file = _where(run)
    return make_target(url, target_file, None, scale, references=references)


def _where(run: Run) -> tuple[str | None, Path | None]:
    """Return URL and target file of an earlier run; what a result does not hold is wrong usage.

    So is a target file that only the result names, but for the one that every command takes: results may come from
    strangers, and a file's accounts go where the URL leads, and its adapter is run.
    """
    from dungeonlab_conformance.target.file.advice import NAME
    from dungeonlab_conformance.text.printable import one_line, shortened

    url = run.options.url
    file = Path(run.target_file) if run.target_file else None
    if url is None and file is None:
        raise click.UsageError("this result does not say which server was judged; give a URL")
    if url is not None and HIDDEN in url:
        raise click.UsageError(f"this result does not hold the secrets in {url}; give the whole URL")
    if file is not None and (url is not None or file != Path(NAME)):
        named = shlex.join([*([url] if url else []), "--target", str(file)])
        raise click.UsageError(
            "this result was made with a target file, whose accounts are not used because a result says so; "
            f"to use them, add: {one_line(shortened(named, _LONGEST))}"
        )
    return url, file

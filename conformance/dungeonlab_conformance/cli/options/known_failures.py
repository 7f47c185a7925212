"""The options about known failures, and what is done with their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli.options.paths import FILE

if TYPE_CHECKING:
    from dungeonlab_conformance.results.known_failures import KnownFailure
    from dungeonlab_conformance.results.run import Run


def accepting(command: Any) -> Any:
    """Add ``--known-failures``, ``--write-known-failures`` and ``--reason``."""
    for option in (
        click.option(
            "--reason", metavar="TEXT", help="With --write-known-failures: the reason of each entry without one."
        ),
        click.option(
            "--write-known-failures",
            "listing_file",
            type=FILE,
            metavar="FILE",
            help="List what fails in FILE, for you to give the reasons; what is listed there already is kept.",
        ),
        click.option(
            "--known-failures",
            "known_file",
            type=FILE,
            metavar="FILE",
            help="Accept the failures listed in FILE; complain of those listed that hold.",
        ),
    ):
        command = option(command)
    return command


def make_sure_of_reason(reason: str | None, listing_file: Path | None) -> None:
    """Make sure that a reason says something, and is for a list; else it is wrong usage."""
    if reason is not None and not reason.strip():
        raise click.UsageError("--reason is empty; say why these failures are accepted")
    if reason is not None and listing_file is None:
        raise click.UsageError("--reason is for the list that --write-known-failures writes; name its FILE")


def load(file: Path | None, *, needs_reasons: bool = True) -> list[KnownFailure]:
    """Return what a file lists, nothing for none; a file that is not as it should be is wrong usage."""
    from dungeonlab_conformance.results.known_failures import load_known_failures

    try:
        return load_known_failures(file, needs_reasons=needs_reasons) if file else []
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def is_rewritten(known_file: Path | None, listing_file: Path | None) -> bool:
    """Whether the list of known failures that is read is about to be replaced."""
    return known_file is not None and listing_file is not None and known_file.resolve() == listing_file.resolve()


def accepted(known_file: Path | None, listing_file: Path | None) -> list[KnownFailure]:
    """Return what is accepted; also make sure, before a long run, that a list that is there already can be read."""
    before = load(listing_file if listing_file and listing_file.exists() else None, needs_reasons=False)
    return before if is_rewritten(known_file, listing_file) else load(known_file)


def write(result: Run, file: Path, reason: str) -> list[str]:
    """List what fails; returns a sentence for what could not be written."""
    from dungeonlab_conformance.report import known_failures

    if result.fault or result.interrupted:
        return [f"{file} was not written: the run was cut short, and what it did not reach is no failure"]
    try:
        missing = known_failures.write(result, file, reason)
    except OSError as error:
        return [f"{file} could not be written: {error.strerror}"]
    except ValueError as error:
        return [f"the list of known failures was not written: {error}"]
    if missing:
        click.echo(f"{file} lists what fails; give each entry a reason ({missing} without)", err=True)
    return []

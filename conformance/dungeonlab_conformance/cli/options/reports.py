"""The options that write reports, shared by `run` and `report`. What a report is made of is its own business."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.streams import commands
from dungeonlab_conformance.text.files import STANDARD
from dungeonlab_conformance.text.printable import sentence_of

if TYPE_CHECKING:
    from dungeonlab_conformance.results.run import Run

FORMATS = {  # option, module, help
    "json": (
        "results.to_json",
        "Write the result as JSON, from which `report` makes any other format. Here and below, - is standard output.",
    ),
    "junit": ("report.junit", "Write JUnit XML."),
    "markdown": ("report.markdown", "Write Markdown."),
    "html": ("report.html", "Write one self-contained HTML page."),
    "badge": (
        "report.badge",
        "Write a badge: JSON for an endpoint of shields.io. Not of the bundled server.",
    ),
}


def reporting(command: Any) -> Any:
    """Add an option for each format; a command gets them as `json_file`, `junit_file`, ..."""
    for name, (_, what) in reversed(FORMATS.items()):
        command = click.option(f"--{name}", f"{name}_file", type=FILE, metavar="FILE", help=what)(command)
    return command


def make_sure_of(files: Mapping[str, Path | None], *, read: Iterable[Path | None] = ()) -> None:
    """Make sure, before a long run, that each file can be written and is none that is `read`; else: wrong usage."""
    given = [file for file in files.values() if file is not None]
    for source in read:
        for file in given:
            if source and file != STANDARD and _same(file, source):
                raise click.UsageError(f"{file} is read by this command; name another file for what it writes")
    for number, file in enumerate(given):
        for other in given[:number]:
            if _same(file, other):
                also = f", as {other}" if other != file else ""
                raise click.UsageError(f"{_shown(file)} is named for two reports{also}")
    for file in given:
        if file != STANDARD and (why := _obstacle(file)):
            raise click.UsageError(f"{file} cannot be written: {why}")


def _shown(file: Path) -> str:
    return "standard output" if file == STANDARD else str(file)


def _obstacle(file: Path) -> str:
    """Say what is in the way of writing to a file; nothing is left behind of the attempt."""
    try:
        if not file.parent.is_dir():
            return f"there is no folder {file.parent}"
        if file.exists() and not file.is_file():  # a pipe would notice the attempt
            return "" if os.access(file, os.W_OK) else "permission denied"
        there = file.exists()
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
        if not there:
            file.resolve().unlink()
    except (OSError, ValueError) as error:
        return (getattr(error, "strerror", None) or str(error)).lower()
    return ""


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file: relative, by a link, or in other letters where those are all one."""
    if STANDARD in (one, other):
        return one == other
    with suppress(OSError, ValueError):
        one, other = one.resolve(), other.resolve()
        if one == other:
            return True
        if one.exists() and other.exists():
            return one.samefile(other)
        if str(one).casefold() == str(other).casefold():
            return one.parent.with_name(one.parent.name.swapcase()).exists()
    return one == other


def to_output(files: Mapping[str, Path | None]) -> bool:
    """Whether a report goes to standard output; what people read then goes to standard error."""
    return STANDARD in files.values()


def make_sure_of_badge(files: Mapping[str, Path | None], *, bundled: bool) -> None:
    """Make sure that a badge is no SVG, and none of the bundled server: it would pass for another server's."""
    file = files.get("badge_file")
    if file is not None and file.suffix.lower() == ".svg":
        raise click.UsageError(
            f"--badge writes the JSON of a shields.io endpoint, no SVG; name {file.stem}.json instead"
        )
    if file is not None and bundled:
        raise click.UsageError(
            "--badge is for a server of your own, and this is about the bundled reference server; "
            "give a URL or a target file"
        )


def write(run: Run, files: Mapping[str, Path | None]) -> list[str]:
    """Write the reports asked for; returns a sentence for each that could not be written."""
    problems = []
    for name, (module, _) in FORMATS.items():
        file = files.get(f"{name}_file")
        if file is not None:
            try:
                importlib.import_module(f"dungeonlab_conformance.{module}").write(run, file)
            except OSError as error:
                problems.append(_unwritten(file, error))
            except Exception as fault:  # our own: the other reports are written all the same
                run.own_fault = run.own_fault or f"the report {name} could not be made: {sentence_of(fault)}"
    return problems


def tell_github(run: Run, *, errors: bool = False) -> list[str]:
    """Annotate the workflow run, append to the job summary and set outputs, where GitHub Actions says it is there.

    Annotations go to standard output, or to standard `errors`. Returns a sentence for each file that cannot be written.
    """
    from dungeonlab_conformance.report import github

    if os.environ.get("GITHUB_ACTIONS") == "true" and (annotations := github.commands(run)):
        commands(annotations, errors=errors)
    problems = []
    for variable, append in (("GITHUB_STEP_SUMMARY", github.append_summary), ("GITHUB_OUTPUT", github.append_outputs)):
        try:
            append(run)
        except (OSError, ValueError) as error:  # a name with a NUL in it is a ValueError
            problems.append(f"{_unwritten(Path(os.environ[variable]), error)} ({variable} names it)")
    return problems


def _unwritten(file: Path, error: Exception) -> str:
    return f"{_shown(file)} could not be written: {getattr(error, 'strerror', None) or error}"

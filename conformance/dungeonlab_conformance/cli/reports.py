"""The options that write reports, shared by `run` and `report`. What a report is made of is its own business."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dungeonlab_conformance.run import Run

FORMATS = {  # option, module, help
    "json": ("result", "Write the result as JSON, from which `report` makes any other format later."),
    "junit": ("junit", "Write JUnit XML."),
    "markdown": ("markdown", "Write Markdown."),
    "html": ("html", "Write one self-contained HTML page."),
    "badge": ("badge", "Write a badge: SVG if FILE ends in .svg, else JSON for shields.io. Not of the bundled server."),
}
FILE = click.Path(dir_okay=False, path_type=Path)


def reporting(command: Any) -> Any:
    """Add an option for each format; a command gets them as `json_file`, `junit_file`, ..."""
    for name, (_, what) in reversed(FORMATS.items()):
        command = click.option(f"--{name}", f"{name}_file", type=FILE, metavar="FILE", help=what)(command)
    return command


def make_sure_of(files: Mapping[str, Path | None]) -> None:
    """Make sure, before a long run, that each file can be written; what cannot is wrong usage."""
    given = [file.absolute() for file in files.values() if file is not None]
    for file in given:
        if not file.parent.is_dir():
            raise click.UsageError(f"{file} cannot be written: there is no folder {file.parent}")
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise click.UsageError(f"{file} cannot be written: permission denied")
        if given.count(file) > 1:
            raise click.UsageError(f"{file} is named for two reports")


def refuse_badge(files: Mapping[str, Path | None], *, bundled: bool) -> None:
    """Make sure that no badge is made of the bundled server: it would be taken for somebody's own."""
    if bundled and files.get("badge_file"):
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
                importlib.import_module(f"dungeonlab_conformance.report.{module}").write(run, file)
            except OSError as error:
                problems.append(f"{file} could not be written: {error.strerror}")
    return problems


def tell_github(run: Run) -> None:
    """Annotate the workflow run, append to the job summary and set outputs, where GitHub Actions says it is there."""
    from dungeonlab_conformance.report import github

    if os.environ.get("GITHUB_ACTIONS") == "true" and (annotations := github.commands(run)):
        click.echo(annotations)
    github.append_summary(run)
    github.append_outputs(run)

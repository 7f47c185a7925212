"""`init` and `export`: files to begin with, and the schemas of those that are read and written."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.target.file.advice import NAME
from dungeonlab_conformance.text import files


@click.command()
@click.argument("file", type=FILE, default=NAME)
@click.option("--force", is_flag=True, help="Write it even if there is one.")
def init(file: Path, force: bool) -> None:
    """Write a commented target file to FILE, dungeonlab-target.toml by default."""
    from importlib.resources import files as resources

    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; --force writes over it")
    template = resources("dungeonlab_conformance.target.file").joinpath("template.toml").read_text("utf-8")
    _write(template, file)
    if file != files.STANDARD:
        named = shlex.quote(str(file))
        click.echo(
            f"{file} is written; say in it where your server is, then: dungeonlab-conformance probe --target {named}"
        )


@click.group()
def export() -> None:
    """Write what other tools may want to know."""


def _exporting(name: str, what: str) -> Callable[[Callable[[], Any]], click.Command]:
    def register(schema: Callable[[], Any]) -> click.Command:
        @export.command(name, help=f"Write the JSON Schema of {what} to FILE, or to standard output.")
        @click.argument("file", type=FILE, required=False)
        def command(file: Path | None) -> None:
            _write(files.to_json(schema()), file or files.STANDARD)

        return command

    return register


@_exporting("target-schema", "a target file")
def _target_schema() -> Any:
    from dungeonlab_conformance.target.file.schema import schema

    return schema()


@_exporting("report-schema", "a result, as --json writes it,")
def _report_schema() -> Any:
    from dungeonlab_conformance.results.load import schema

    return schema()


def _write(text: str, file: Path) -> None:
    try:
        files.write(text, file)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror}") from None

"""`init` and `export`: files to begin with, and what other tools read of the protocol and of our own files."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from dungeonlab_conformance.cli.options.paths import FILE, FOLDER
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
    """Write what other tools read: schemas, descriptions and examples of the protocol."""


def _exporting(name: str, what: str) -> Callable[[Callable[[], str]], click.Command]:
    def register(text: Callable[[], str]) -> click.Command:
        @export.command(name, help=f"Write {what} to FILE, or to standard output.")
        @click.argument("file", type=FILE, required=False)
        def command(file: Path | None) -> None:
            _write(text(), file or files.STANDARD)

        return command

    return register


@_exporting("target-schema", "the JSON Schema of a target file")
def _target_schema() -> str:
    from dungeonlab_conformance.target.file.schema import schema

    return files.to_json(schema())


@_exporting("report-schema", "the JSON Schema of a result, as --json writes it,")
def _report_schema() -> str:
    from dungeonlab_conformance.results.load import schema

    return files.to_json(schema())


@_exporting("typescript", "TypeScript types of the payloads, and of the events for socket.io-client and socket.io,")
def _typescript() -> str:
    from dungeonlab_conformance.exports.typescript import typescript

    return typescript()


@_exporting("python", "Python types of the payloads, and of a client that sends them,")
def _python() -> str:
    from dungeonlab_conformance.exports.python import python

    return python()


@_exporting("asyncapi", "an AsyncAPI 3 description of the events, with examples and requirements,")
def _asyncapi() -> str:
    from dungeonlab_conformance.exports.asyncapi import asyncapi

    return files.to_json(asyncapi())


@_exporting("openapi", "the OpenAPI 3.1 description of the HTTP side")
def _openapi() -> str:
    from dungeonlab_spec.catalogue import http_side

    return files.to_json(dict(http_side()))


_FORCE = click.option("--force", is_flag=True, help="Write into the folder even if it holds other files.")


@export.command("json-schema")
@click.argument("file", type=FILE, required=False)
@click.option("--each", metavar="DIR", type=FOLDER, help="Write a file for each payload to DIR instead.")
@_FORCE
def _json_schema(file: Path | None, each: Path | None, force: bool) -> None:
    """Write one JSON Schema with a definition for each payload to FILE, or to standard output."""
    from dungeonlab_conformance.exports import json_schema

    if file and each:
        raise click.UsageError("FILE takes all payloads, --each a folder for one file each; name one of them")
    if force and not each:
        raise click.UsageError("--force is for --each: a file is written over in any case")
    if each:
        texts = {name: files.to_json(schema) for name, schema in json_schema.files().items()}
        _write_folder(texts, each, json_schema.KNOWN_BY, force)
    else:
        _write(files.to_json(json_schema.bundle()), file or files.STANDARD)


@export.command("examples")
@click.argument("folder", type=FOLDER, metavar="DIR")
@_FORCE
def _examples(folder: Path, force: bool) -> None:
    """Write every valid and invalid example to DIR, with an index.json that says of each what it is."""
    from dungeonlab_conformance.exports.examples import INDEX, examples

    _write_folder(examples(), folder, INDEX, force)


def _write_folder(texts: Mapping[str, str], folder: Path, known_by: str, force: bool) -> None:
    from dungeonlab_conformance.exports.folder import Foreign, write

    try:
        write(texts, folder, known_by, force=force)
    except Foreign as refusal:
        raise click.UsageError(str(refusal)) from None
    except OSError as error:
        raise click.UsageError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    click.echo(f"{len(texts)} files are in {folder}")


def _write(text: str, file: Path) -> None:
    try:
        files.write(text, file)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror}") from None

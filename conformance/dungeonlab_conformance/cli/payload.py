"""`validate`: one payload against its schema. Needs no server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

_MOST = 16 << 20  # bytes of a payload; servers take one million or so


@click.command()
@click.argument("event")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-")
@click.option("--direction", type=click.Choice(["request", "ack", "emission"]), default="request", show_default=True)
def validate(event: str, file: Path, direction: Any) -> None:
    """Hold a JSON payload from FILE (or standard input) against the schema of EVENT."""
    from dungeonlab_conformance import files
    from dungeonlab_conformance.report.printable import one_line
    from dungeonlab_spec import validate as judge

    try:
        text = files.read(file, _MOST)
    except files.Unreadable as fault:
        raise click.UsageError(str(fault)) from None
    try:
        payload = json.loads(text)
    except RecursionError:
        raise click.UsageError(f"{files.shown(file)} holds no JSON that can be judged: {files.TooDeep()}") from None
    except ValueError as error:
        raise click.UsageError(f"{files.shown(file)} holds no JSON: {error}") from None
    try:
        found = judge(event, payload, direction)
    except KeyError:
        raise click.UsageError(f"there is no event {event!r} in the catalogue") from None
    except LookupError as error:
        raise click.UsageError(str(error)) from None
    for violation in found:
        click.echo(one_line(str(violation)))
    if found:
        raise SystemExit(1)
    click.echo(f"valid: {event} {direction}")

"""`validate`: one payload against its schema. Needs no server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from dungeonlab_conformance.cli.options.paths import FILE

_MOST = 16 << 20  # bytes of a payload; servers take one million or so
DIRECTIONS = ("request", "ack", "emission")


@click.command()
@click.argument("event")
@click.argument("file", type=FILE, default="-")
@click.option("--direction", type=click.Choice(DIRECTIONS), default="request", show_default=True)
def validate(event: str, file: Path, direction: Any) -> None:
    """Check a JSON payload from FILE (or standard input) against the schema of EVENT."""
    from dungeonlab_conformance.text import files
    from dungeonlab_conformance.text.printable import one_line
    from dungeonlab_conformance.text.spelling import did_you_mean
    from dungeonlab_conformance.text.tree import TooDeep
    from dungeonlab_spec import Catalogue
    from dungeonlab_spec import validate as judge

    events = Catalogue.load().events
    if event not in events:  # said before anything is read: standard input may be a person's keyboard
        raise click.UsageError(f"there is no event {event!r} in the catalogue; {did_you_mean(event, events)}")
    if getattr(events[event], direction) is None:
        there = ", ".join(kind for kind in DIRECTIONS if getattr(events[event], kind) is not None)
        raise click.UsageError(f"{event} has no {direction}; it has {there}")
    try:
        text = files.read(file, _MOST)
    except files.Unreadable as fault:
        raise click.UsageError(str(fault)) from None
    try:
        payload = json.loads(text)
    except RecursionError:
        raise click.UsageError(f"{files.shown(file)} holds no JSON that can be judged: {TooDeep()}") from None
    except ValueError as error:
        raise click.UsageError(f"{files.shown(file)} holds no JSON: {error}") from None
    found = judge(event, payload, direction)
    for violation in found:
        click.echo(one_line(str(violation)))
    if found:
        raise SystemExit(1)
    click.echo(f"valid: {event} {direction}")

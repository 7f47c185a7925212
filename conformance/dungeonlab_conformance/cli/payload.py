"""`validate`: one payload against its schema. Needs no server."""

from __future__ import annotations

from typing import Any

import click

DIRECTIONS = ("request", "ack", "emission")


@click.command()
@click.argument("event")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--direction", type=click.Choice(DIRECTIONS), default="request", show_default=True)
def validate(event: str, file: Any, direction: Any) -> None:
    """Hold a JSON payload from FILE (or standard input) against the schema of EVENT."""
    import json

    from dungeonlab_conformance.spelling import did_you_mean
    from dungeonlab_spec import Catalogue
    from dungeonlab_spec import validate as judge

    events = Catalogue.load().events
    if event not in events:  # said before anything is read: standard input may be a person's keyboard
        raise click.UsageError(f"there is no event {event!r} in the catalogue; {did_you_mean(event, events)}")
    if getattr(events[event], direction) is None:
        there = ", ".join(kind for kind in DIRECTIONS if getattr(events[event], kind) is not None)
        raise click.UsageError(f"{event} has no {direction}; it has {there}")
    try:
        payload = json.load(file)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{file.name} holds no JSON: {error}") from None
    found = judge(event, payload, direction)
    for violation in found:
        click.echo(str(violation))
    if found:
        raise SystemExit(1)
    click.echo(f"valid: {event} {direction}")

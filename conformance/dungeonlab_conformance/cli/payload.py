"""`validate`: one payload against its schema. Needs no server."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.argument("event")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--direction", type=click.Choice(["request", "ack", "emission"]), default="request", show_default=True)
def validate(event: str, file: Any, direction: Any) -> None:
    """Hold a JSON payload from FILE (or standard input) against the schema of EVENT."""
    import json

    from dungeonlab_spec import validate as judge

    try:
        payload = json.load(file)
    except ValueError as error:
        raise click.UsageError(f"{file.name} holds no JSON: {error}") from None
    try:
        found = judge(event, payload, direction)
    except KeyError:
        raise click.UsageError(f"there is no event {event!r} in the catalogue") from None
    except LookupError as error:
        raise click.UsageError(str(error)) from None
    for violation in found:
        click.echo(str(violation))
    if found:
        raise SystemExit(1)
    click.echo(f"valid: {event} {direction}")

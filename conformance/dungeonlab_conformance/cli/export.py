"""`export`: the schemas by which other tools can read what this one reads and writes. Needs no server."""

from __future__ import annotations

import click


@click.group()
def export() -> None:
    """Print a schema that others can build on."""


@export.command("report-schema")
def report_schema() -> None:
    """Print the JSON Schema of what --json writes."""
    import json

    from dungeonlab_conformance.report.result_schema import schema

    click.echo(json.dumps(schema(), indent=2, ensure_ascii=False))

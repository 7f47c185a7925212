"""`probe`: whether a run could begin at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dungeonlab_conformance.cli.options import waiting
from dungeonlab_conformance.cli.options.target import make_target, pointing

if TYPE_CHECKING:
    from dungeonlab_conformance.runner.diagnostics.probe import ProbeResult
    from dungeonlab_conformance.target.target import Target

_MARKS = {"done": "✓", "failed": "✗", "missing": "-", "not tried": " "}


@click.command()
@pointing
@waiting.waiting
def probe(url: str | None, target_file: Path | None, scale: float, wait: float) -> None:
    """Try to reach the server, log everybody in, join, revoke and clear up. Judges nothing."""
    import asyncio

    from dungeonlab_conformance.clients.handshake import wait_for
    from dungeonlab_conformance.runner.embedded import reference_server
    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.target.target import EMBEDDED

    target = make_target(url, target_file, None, scale)
    click.echo(f"Probing {target.new_run().subject}")

    async def whole() -> int:
        if target.url != EMBEDDED:
            await wait_for(target, wait, waiting.tell)
            return await _walk(target)
        async with reference_server() as started:
            target.url = started
            return await _walk(target)

    try:
        with Signals() as signals:  # what was made is cleared away first
            code = asyncio.run(signals.until_stopped(whole()))
    except asyncio.CancelledError:
        code = 130
    raise SystemExit(code)


async def _walk(target: Target) -> int:
    from dungeonlab_conformance.runner.diagnostics.probe import probing

    failed = False
    async for result in probing(target):
        _show(result)
        failed = failed or result.state == "failed"
    return 3 if failed else 0


def _show(result: ProbeResult) -> None:
    from dungeonlab_conformance.text.printable import one_line

    said = f": {one_line(result.problem)}" if result.problem else " (not tried)" if result.state == "not tried" else ""
    click.echo(f"{_MARKS[result.state]} {result.name}{said}")
    if result.hint:
        click.echo(f"  → {result.hint}")

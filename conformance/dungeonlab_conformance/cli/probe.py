"""`probe`: whether a run could begin at all."""

from __future__ import annotations

import click

from dungeonlab_conformance.cli.options import make_target


@click.command()
@click.argument("url")
@click.option("--timeout", "scale", type=click.FloatRange(0.01, 100), default=1.0, help="Scale of every time limit.")
def probe(url: str, scale: float) -> None:
    """Try to reach the server at URL, log in and join. Judges nothing."""
    import asyncio

    from dungeonlab_conformance.probe import probing

    target = make_target(url, "websocket", scale)

    async def walk() -> int:
        async for step, problem in probing(target):
            click.echo(f"{'✗' if problem else '✓'} {step}" + (f": {problem}" if problem else ""))
            if problem:
                return 3
        return 0

    raise SystemExit(asyncio.run(walk()))

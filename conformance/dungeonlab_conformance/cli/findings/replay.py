"""`replay`: the recorded messages of a finding, played again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dungeonlab_conformance.cli.findings.chosen import choosing, chosen, server_of
from dungeonlab_conformance.cli.options.target import pointing
from dungeonlab_conformance.cli.report_diff_recheck import loaded

if TYPE_CHECKING:
    from dungeonlab_conformance.results.verdict import Finding
    from dungeonlab_conformance.runner.diagnostics.replay import ReplayedLine
    from dungeonlab_conformance.target.target import Target

_MARKS = {"done": ">", "as recorded": "=", "otherwise": "≠", "nothing": "∅", "besides": "+", "left out": "-"}


@click.command()
@choosing
@pointing
def replay(
    result: Path,
    requirement: str,
    event: str | None,
    number: int,
    at_once: bool,
    url: str | None,
    target_file: Path | None,
    scale: float,
) -> None:
    """Play the messages of a failure in RESULT again, against the same server or the one at URL.

    Each line is shown with what came of it: > sent, = the server did as recorded, ≠ it did otherwise, ∅ it did
    nothing, + it did something besides, - left out. Exit codes: 0 all came as recorded; 1 something did not;
    2 wrong usage; 3 the target could not be reached or set up.
    """
    import asyncio

    from dungeonlab_conformance.results.errors import TargetFault, Unjudged
    from dungeonlab_conformance.runner.embedded import reference_server
    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.target.target import EMBEDDED
    from dungeonlab_conformance.text.printable import one_line

    run = loaded(result)
    _, finding = chosen(run, requirement, event, number)
    if finding.left_out:
        click.echo(
            f"the first {finding.left_out} lines of this transcript were not kept and cannot be played", err=True
        )
    target = server_of(run, url, target_file, scale)

    async def whole() -> int:
        if target.url != EMBEDDED:
            return await _play(target, finding, at_once)
        async with reference_server() as started:
            target.url = started
            return await _play(target, finding, at_once)

    try:
        with Signals() as signals:
            code = asyncio.run(signals.until_stopped(whole()))
    except (TargetFault, Unjudged) as fault:
        click.echo(one_line(target.secrets.redact(str(fault))))
        code = 3
    except asyncio.CancelledError:
        code = 130
    raise SystemExit(code)


async def _play(target: Target, finding: Finding, at_once: bool) -> int:
    from dungeonlab_conformance.runner.diagnostics.replay import fresh, replay

    spoken, otherwise = 0, 0
    async for played in replay(target, finding, at_once=at_once):
        _show(played, target)
        spoken += played.came in ("as recorded", "otherwise", "nothing")
        otherwise += fresh(played)
    subject = target.new_run().subject
    if otherwise:
        click.echo(f"{subject} did otherwise than recorded in {otherwise} places")
    else:
        click.echo(f"{subject} did all {spoken} things as recorded")
    return int(bool(otherwise))


def _show(played: ReplayedLine, target: Target) -> None:
    from dungeonlab_conformance.report.content.wording import spoken
    from dungeonlab_conformance.text.printable import one_line, shortened

    at = f"{played.line.at:8.1f} ms" if played.came != "besides" else " " * 11
    click.echo(f"{_MARKS[played.came]} {at}  {one_line(spoken(played.line, 300))}")
    if played.now:
        click.echo(f"{'':15}now: {one_line(shortened(target.secrets.redact(played.now), 300))}")

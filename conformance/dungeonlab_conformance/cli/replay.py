"""`replay`: the recorded messages of a finding, played again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dungeonlab_conformance.cli.pointing import make_target, pointing
from dungeonlab_conformance.cli.report import RESULT, loaded

if TYPE_CHECKING:
    from dungeonlab_conformance.replay import Step
    from dungeonlab_conformance.run import Run
    from dungeonlab_conformance.target import Target
    from dungeonlab_conformance.verdict import Finding

_MARKS = {"done": ">", "as recorded": "=", "otherwise": "≠", "nothing": "∅", "besides": "+", "left out": "-"}


@click.command()
@click.argument("result", type=RESULT)
@click.argument("requirement", metavar="ID")
@click.option("--event", metavar="NAME", help="Which event's failure, if there are several.")
@click.option(
    "--finding", "number", type=click.IntRange(1), default=1, show_default=True, help="Which of its findings."
)
@click.option("--at-once", is_flag=True, help="Ask at once what was asked at once, for faults that need it.")
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

    from dungeonlab_conformance.embedded import reference_server
    from dungeonlab_conformance.signals import Signals
    from dungeonlab_conformance.target import EMBEDDED
    from dungeonlab_conformance.verdict import TargetFault, Unjudged

    run = loaded(result)
    finding = _finding(run, requirement, event, number)
    if url is None and target_file is None:
        url, target_file = _where(run)
    target = make_target(url, target_file, None, scale)

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
        click.echo(target.secrets.redact(str(fault)))
        code = 3
    except asyncio.CancelledError:
        code = 130
    raise SystemExit(code)


def _finding(run: Run, requirement: str, event: str | None, number: int) -> Finding:
    found = [v for v in run.verdicts if v.requirement == requirement and (event is None or v.event == event)]
    told = [v for v in found if v.findings]
    if not told:
        names = ", ".join(dict.fromkeys(v.requirement for v in run.verdicts if v.findings)) or "nothing"
        raise click.UsageError(f"nothing was found broken under {requirement!r}; this result has findings on: {names}")
    if number > len(told[0].findings):
        raise click.UsageError(f"there are only {len(told[0].findings)} findings")
    finding = told[0].findings[number - 1]
    if not finding.transcript:
        raise click.UsageError("no transcript of it was kept")
    return finding


def _where(run: Run) -> tuple[str | None, Path | None]:
    """Return URL and target file of an earlier run; neither if it judged the embedded reference server."""
    words = shlex.split(run.again)[2:]
    file = next((Path(words[i + 1]) for i, word in enumerate(words[:-1]) if word == "--target"), None)
    return (words[0] if words and not words[0].startswith("-") else None), file


async def _play(target: Target, finding: Finding, at_once: bool) -> int:
    from dungeonlab_conformance.replay import fresh, replay

    spoken, otherwise = 0, 0
    async for step in replay(target, finding, at_once=at_once):
        _show(step, target)
        spoken += step.came in ("as recorded", "otherwise", "nothing")
        otherwise += fresh(step)
    if otherwise:
        click.echo(f"the server did otherwise than recorded in {otherwise} places")
    else:
        click.echo(f"the server did all {spoken} things as recorded")
    return int(bool(otherwise))


def _show(step: Step, target: Target) -> None:
    from dungeonlab_conformance.report.printable import one_line, shortened
    from dungeonlab_conformance.report.words import spoken

    at = f"{step.line.at:8.1f} ms" if step.came != "besides" else " " * 11
    click.echo(f"{_MARKS[step.came]} {at}  {one_line(spoken(step.line, 300))}")
    if step.now:
        click.echo(f"{'':15}now: {one_line(shortened(target.secrets.redact(step.now), 300))}")

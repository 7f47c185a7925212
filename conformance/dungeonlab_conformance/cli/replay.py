"""`replay`: the recorded messages of a finding, played again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.target import make_target, pointing
from dungeonlab_conformance.cli.report_diff_recheck import loaded
from dungeonlab_conformance.record.secrets.leaks import HIDDEN

if TYPE_CHECKING:
    from dungeonlab_conformance.results.run import Run
    from dungeonlab_conformance.results.verdict import Finding, Verdict
    from dungeonlab_conformance.runner.diagnostics.replay import ReplayedLine
    from dungeonlab_conformance.target.target import Target

_MARKS = {"done": ">", "as recorded": "=", "otherwise": "≠", "nothing": "∅", "besides": "+", "left out": "-"}


@click.command()
@click.argument("result", type=FILE)
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

    from dungeonlab_conformance.results.errors import TargetFault, Unjudged
    from dungeonlab_conformance.runner.embedded import reference_server
    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.target.limits import Limits
    from dungeonlab_conformance.target.target import EMBEDDED, Target
    from dungeonlab_conformance.text.printable import one_line

    run = loaded(result)
    finding = _finding(run, requirement, event, number)
    if url is not None or target_file is not None:
        target = make_target(url, target_file, None, scale)
    elif run.bundled:
        target = Target(EMBEDDED, limits=Limits(scale))
    else:
        target = make_target(*_where(run), None, scale)

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


def _finding(run: Run, requirement: str, event: str | None, number: int) -> Finding:
    broken = [v for v in run.verdicts if v.findings and v.requirement == requirement]
    matching = [v for v in broken if event is None or v.event == event]
    if not matching:
        raise click.UsageError(_none_such(run, requirement, event, broken))
    if number > len(matching[0].findings):
        raise click.UsageError(f"there are only {len(matching[0].findings)} findings")
    finding = matching[0].findings[number - 1]
    if not finding.transcript:
        raise click.UsageError("no transcript of it was kept")
    if finding.left_out:
        click.echo(
            f"the first {finding.left_out} lines of this transcript were not kept and cannot be played", err=True
        )
    return finding


def _none_such(run: Run, requirement: str, event: str | None, broken: list[Verdict]) -> str:
    """Say what the result has findings on instead."""
    from dungeonlab_conformance.text.spelling import did_you_mean
    from dungeonlab_spec import Catalogue

    if broken:
        events = ", ".join(v.event or "no event" for v in broken)
        return f"nothing was found broken under {requirement!r} for {event!r}; there are findings on it for: {events}"
    names = dict.fromkeys(v.requirement for v in run.verdicts if v.findings)
    hint = f"; {did_you_mean(requirement, names)}" if names and requirement not in Catalogue.load().requirements else ""
    there = f"this result has findings on: {', '.join(names)}" if names else "this result has no findings"
    return f"nothing was found broken under {requirement!r}; {there}{hint}"


def _where(run: Run) -> tuple[str | None, Path | None]:
    """Return URL and target file of an earlier run; what a result does not hold is wrong usage."""
    url = run.options.url
    file = Path(run.target_file) if run.target_file else None
    if url is None and file is None:
        raise click.UsageError("this result does not say which server was judged; give a URL")
    if url is not None and HIDDEN in url:
        raise click.UsageError(f"this result does not hold the secrets in {url}; give the whole URL")
    return url, file


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

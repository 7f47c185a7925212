"""`run`: judge a server, print and write what it came to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dungeonlab_conformance.cli.options import chosen_scenes, make_target, selecting

if TYPE_CHECKING:
    from dungeonlab_conformance.runner import Run


@click.command()
@click.argument("url", required=False)
@selecting
@click.option("--concurrency", type=click.IntRange(1, 64), help="Scenes side by side.  [default: by the link's speed]")
@click.option(
    "--timeout",
    "scale",
    type=click.FloatRange(0.01, 100),
    default=1.0,
    show_default=True,
    help="Scale of every time limit.",
)
@click.option("--transport", type=click.Choice(["websocket", "polling"]), default="websocket", show_default=True)
@click.option("--fail-fast", is_flag=True, help="Stop at the first broken MUST.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the result as JSON.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML.")
@click.option("-q", "--quiet", is_flag=True, help="Print the last line only.")
@click.option("-v", "--verbose", is_flag=True, help="Print whole transcripts, and what passed.")
def run(
    url: str | None,
    only: tuple[str, ...],
    without: tuple[str, ...],
    events: tuple[str, ...],
    levels: tuple[str, ...],
    concurrency: int | None,
    scale: float,
    transport: str,
    fail_fast: bool,
    json_file: Path | None,
    junit_file: Path | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Judge the server at URL; without one, the reference server, started for the purpose."""
    from rich.console import Console

    from dungeonlab_conformance.playing import play
    from dungeonlab_conformance.report import terminal
    from dungeonlab_conformance.runner import Selection

    for file in (json_file, junit_file):
        _can_be_written(file)
    chosen = chosen_scenes(Selection(only, without, events, tuple(level.upper() for level in levels)))
    target = make_target(url, transport, scale)
    console = Console(highlight=False)
    with terminal.Following(Console(stderr=True), len(chosen)) as following:
        result = play(target, chosen, concurrency, fail_fast, following.on_scene)
    _write(result, json_file, junit_file)
    terminal.show(result, console, verbosity=-1 if quiet else int(verbose))
    raise SystemExit(result.exit_code)


def _can_be_written(file: Path | None) -> None:
    if file is not None and not file.absolute().parent.is_dir():
        raise click.UsageError(f"{file} cannot be written: there is no folder {file.absolute().parent}")


def _write(result: Run, json_file: Path | None, junit_file: Path | None) -> None:
    from dungeonlab_conformance.report import junit
    from dungeonlab_conformance.report import result as as_json

    if json_file:
        as_json.write(result, json_file)
    if junit_file:
        junit.write(result, junit_file)

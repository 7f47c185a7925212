"""`compare`: the same judged on several servers, and the differences alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli import streams
from dungeonlab_conformance.cli.options import fuzz as fuzz_options
from dungeonlab_conformance.cli.options import reports, waiting
from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.selection import chosen_scenes, make_sure_of_system, selecting, time_limit
from dungeonlab_conformance.cli.options.target import EMPTY_URL, make_target, scaling, targeting

if TYPE_CHECKING:
    from dungeonlab_conformance.results.run import Run, RunOptions
    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.runner.selection import Scene
    from dungeonlab_conformance.target.target import Target


@click.command()
@click.argument("servers", nargs=-1, required=True, metavar="SERVER SERVER...")
@scaling
@targeting
@waiting.waiting
@selecting
@click.option("--concurrency", type=click.IntRange(1, 64), help="Scenes side by side.  [default: by the link's speed]")
@time_limit
@click.option("--transport", type=click.Choice(["websocket", "polling"]), help="[default: websocket]")
@fuzz_options.fuzzing
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the differences as JSON; - is the output.")
def compare(servers: tuple[str, ...], **given: Any) -> None:
    """Judge each SERVER in the same way, and show only in which verdicts they differ.

    A SERVER is a URL, or a target file; --target says what is to be known about all those that are URLs. They are
    judged one after the other. Exit codes: 0 they do not differ; 1 they do; 2 wrong usage; 3 one of them could not be
    tested, or not to the end.
    """
    from dungeonlab_conformance.runner.interruptions.signals import Signals

    if len(servers) < 2:
        raise click.UsageError("there is nothing to compare with; name two servers, or more")
    reports.make_sure_of({"json": given["json_file"]}, read=[given["target_file"], *_files(servers)])
    make_sure_of_system()
    options = fuzz_options.with_seed(_options(given))
    chosen = _chosen(options)
    targets = [_target(server, given) for server in servers]
    runs: list[Run] = []
    console = streams.console(errors=reports.to_output({"json": given["json_file"]}))
    with Signals() as signals:
        for target in targets:
            runs.append(_judged(target, chosen, options, given["wait"], signals))
            if _ends(runs[-1]):
                break
        _explain(runs, console)
        problem = _write(runs, given["json_file"]) if not _ends(runs[-1]) else None
    raise SystemExit(_exit_code(runs) or (2 if problem else 0))


def _files(servers: Sequence[str]) -> list[Path]:
    """Return which of the servers are named by target files."""
    return [Path(server) for server in servers if "://" not in server]


def _options(given: dict[str, Any]) -> RunOptions:
    from dungeonlab_conformance.results.run import RunOptions

    names = ("transport", "scale", "protocol_version", "only", "without", "events", "levels", "fuzz", "seed")
    return RunOptions(**{name: given[name] for name in (*names, "concurrency", "time_limit")})


def _chosen(options: RunOptions) -> list[Scene]:
    from dungeonlab_conformance.runner.selection import Selection

    levels = tuple(map(str.upper, options.levels))
    selection = Selection(options.only, options.without, options.events, levels, options.protocol_version)
    return chosen_scenes(selection, fuzz_options.checks(options))


def _target(server: str, given: dict[str, Any]) -> Target:
    if not server.strip():
        raise click.UsageError(EMPTY_URL)
    if "://" not in server and not server.endswith(".toml") and not Path(server).exists():
        raise click.UsageError(f"{server!r} is neither a target file nor a URL, which begins with http:// or https://")
    url, file = (server.strip(), given["target_file"]) if "://" in server else (None, Path(server))
    return make_target(url, file, given["transport"], given["scale"])


def _judged(target: Target, chosen: list[Scene], options: RunOptions, wait: float, signals: Signals) -> Run:
    """Judge one server, which is followed meanwhile."""
    from dungeonlab_conformance.report.terminal import Following
    from dungeonlab_conformance.runner.play import play

    waiting.until_up(target, wait, signals)
    run = target.new_run(replace(options, url=target.url, target_file=target.file))
    with Following(streams.console(errors=True), len(chosen)) as following:
        return play(target, chosen, run, on_scene=following.on_scene, signals=signals)


def _ends(run: Run) -> bool:
    """Whether a run did not come to its end, so that there is nothing to compare."""
    return bool(run.fault or run.own_fault or run.interrupted)


def _explain(runs: list[Run], console: Any) -> None:
    from dungeonlab_conformance.report.content import comparison
    from dungeonlab_conformance.report.terminal import STYLE
    from dungeonlab_conformance.text.printable import one_line

    run = runs[-1]
    if _ends(run):
        own = f"the suite itself failed: {run.own_fault}; please report it" if run.own_fault else ""
        why = own or run.fault or "interrupted"
        named = "" if run.target in why else f"{run.subject}: "
        console.print(one_line(f"{named}{why}"), markup=False, soft_wrap=True)
        return
    styles = {"absent": "dim"} | {str(outcome): style for outcome, style in STYLE.items()}
    for look, line in comparison.lines(runs, min(console.width, 100)):
        console.print(line, style=styles.get(look, look), markup=False, soft_wrap=True)


def _write(runs: list[Run], file: Path | None) -> str | None:
    from dungeonlab_conformance.report.content import comparison
    from dungeonlab_conformance.text import files

    if file is None:
        return None
    try:
        files.write(comparison.text(runs), file)
    except OSError as error:
        problem = f"{file} could not be written: {error.strerror}"
        click.echo(problem, err=True)
        return problem
    return None


def _exit_code(runs: list[Run]) -> int:
    from dungeonlab_conformance.report.content import comparison
    from dungeonlab_conformance.results import exit_codes

    last = runs[-1]
    if last.own_fault:
        return exit_codes.EXIT_SUITE
    if last.interrupted:
        return exit_codes.EXIT_INTERRUPTED
    if last.fault:
        return exit_codes.EXIT_TARGET
    return exit_codes.EXIT_BROKEN if comparison.differences(runs) else exit_codes.EXIT_OK

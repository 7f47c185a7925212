"""`run`: judge a server, print and write what it came to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli import streams
from dungeonlab_conformance.cli.options import fuzz as fuzz_options
from dungeonlab_conformance.cli.options import known_failures, reports, waiting
from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.selection import (
    chosen_scenes,
    fail_on,
    make_sure_of_system,
    selecting,
    time_limit,
)
from dungeonlab_conformance.cli.options.target import make_target, pointing
from dungeonlab_conformance.target.file.advice import NAME

if TYPE_CHECKING:
    from dungeonlab_conformance.results.known_failures import KnownFailure
    from dungeonlab_conformance.results.run import Run, RunOptions
    from dungeonlab_conformance.results.verdict import Verdict
    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.runner.selection import Scene
    from dungeonlab_conformance.target.target import Target

NO_TARGET = (
    f"there is no server to judge: give a URL, or name a target file; none was given, and no {NAME} is in this folder"
)


@dataclass(frozen=True, slots=True)
class Output:
    """What is made of the result; `files` are the reports, by the names of their options."""

    fail_on: str
    known_file: Path | None
    listing_file: Path | None
    reason: str | None
    ndjson_file: Path | None
    require_target: bool
    wait: float
    quiet: bool
    verbose: bool
    files: Mapping[str, Path | None]

    @property
    def written(self) -> dict[str, Path | None]:
        """Every file but the list of known failures, which may well be the list that is read."""
        return {**self.files, "ndjson": self.ndjson_file}

    @property
    def is_rewriting(self) -> bool:
        """Whether the list of known failures that is read is about to be replaced."""
        return known_failures.is_rewritten(self.known_file, self.listing_file)


@click.command()
@pointing
@waiting.waiting
@waiting.restarting
@selecting
@click.option("--concurrency", type=click.IntRange(1, 64), help="Scenes side by side.  [default: by the link's speed]")
@time_limit
@click.option("--transport", type=click.Choice(["websocket", "polling"]), help="[default: websocket]")
@fuzz_options.fuzzing
@click.option("--http", is_flag=True, help="Judge the HTTP side too, of a server that claims to have it.")
@click.option("--plays/--no-plays", default=None, help="Carry out the covering plays.  [default: in a whole run]")
@click.option("--fail-fast", is_flag=True, help="Stop at the first broken MUST.")
@fail_on
@known_failures.accepting
@reports.reporting
@click.option("--ndjson", "ndjson_file", type=FILE, metavar="FILE", help="Stream each verdict as a JSON line.")
@click.option(
    "--require-target",
    is_flag=True,
    help="Refuse to judge the bundled reference server: there must be a URL or a target file. For CI.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print what fails the run, one id a line, and the last line.")
@click.option("-v", "--verbose", is_flag=True, help="Print whole transcripts, and what passed.")
def run(**given: Any) -> None:
    """Judge the server at URL, or the one that a target file describes; without either, the bundled reference server.

    Beside a URL, a dungeonlab-target.toml in this folder is used only if --target names it.
    """
    from dungeonlab_conformance.runner.embedded import starting_ahead

    options, output = _sorted(given)
    _make_sure_of(options, output)
    make_sure_of_system()
    known = known_failures.accepted(output.known_file, output.listing_file)
    options = fuzz_options.with_seed(options)
    target = _target(options, output)
    with starting_ahead() if target.bundled else nullcontext():
        chosen = _chosen(options)  # imports all that plays
        raise SystemExit(_judge(target, chosen, options, output, known))


def _judge(
    target: Target, chosen: Sequence[Scene], options: RunOptions, output: Output, known: Sequence[KnownFailure]
) -> int:
    """Play the run, show and write what it came to; returns the exit code."""
    from dungeonlab_conformance.report import terminal
    from dungeonlab_conformance.results.verdict import LEVELS
    from dungeonlab_conformance.runner.interruptions.signals import Signals

    listed = output.listing_file
    reports_on_output = reports.to_output({**output.written, "listing": listed})
    console = streams.console(errors=reports_on_output)
    if output.verbose:  # the suite's own faults with their stack traces, to be reported
        logging.getLogger("dungeonlab_conformance").addHandler(logging.StreamHandler())
        logging.getLogger("dungeonlab_conformance").setLevel(logging.DEBUG)
    started = target.new_run(options)
    started.fail_on = next(level for level in LEVELS if level == output.fail_on.upper())
    if not output.quiet:
        terminal.open_run(started, console)
    with Signals() as signals:
        waiting.until_up(target, output.wait, signals)
        problems = _play(target, chosen, started, output, signals, known)
        problems += reports.write(started, output.files)
        if listed:
            problems += known_failures.write(started, listed, output.reason or "")
        terminal.show(started, console, verbosity=-1 if output.quiet else int(output.verbose))
        problems += reports.tell_github(started, errors=reports_on_output)
        for problem in problems:
            click.echo(problem, err=True)
    return started.exit_code or (2 if problems else 0)


def _sorted(given: dict[str, Any]) -> tuple[RunOptions, Output]:
    """Return what the command was given: the options of the run, and what is made of the result."""
    from dungeonlab_conformance.results.run import RunOptions

    file = given["target_file"]
    options = {field.name: given[field.name] for field in fields(RunOptions) if field.name in given}
    output = {field.name: given[field.name] for field in fields(Output) if field.name != "files"}
    rest = {name: value for name, value in given.items() if name not in (*options, *output)}
    return RunOptions(**options | {"target_file": file and str(file)}), Output(**output, files=rest)


def _make_sure_of(options: RunOptions, output: Output) -> None:
    """Make sure, before a long run, that what was given can be done; else it is wrong usage."""
    from dungeonlab_conformance.target.file.load import find

    if output.quiet and output.verbose:
        raise click.UsageError("--quiet and --verbose contradict each other; leave one out")
    reports.make_sure_of(output.written, read=[output.known_file])
    file = Path(options.target_file) if options.target_file else find() if options.url is None else None
    reports.make_sure_of({**output.written, "listing": output.listing_file}, read=[file])
    known_failures.make_sure_of_reason(output.reason, output.listing_file)


def _chosen(options: RunOptions) -> list[Scene]:
    from dungeonlab_conformance.runner.selection import Selection

    if options.http:
        from dungeonlab_conformance.clients.http.fuzzer import load_schemathesis

        if not load_schemathesis():
            raise click.UsageError(fuzz_options.MISSING.format("--http"))
    selection = Selection(
        options.only,
        options.without,
        options.events,
        tuple(map(str.upper, options.levels)),
        options.protocol_version,
        ("http",) if options.http else (),
        options.plays,
    )
    return chosen_scenes(selection, fuzz_options.checks(options))


def _target(options: RunOptions, output: Output) -> Target:
    file = Path(options.target_file) if options.target_file else None
    target = make_target(options.url, file, options.transport, options.scale)
    if output.require_target and target.bundled:
        raise click.UsageError(NO_TARGET)
    reports.make_sure_of_badge(output.files, bundled=target.bundled)
    return target


def _play(
    target: Target, chosen: Sequence[Scene], run: Run, output: Output, signals: Signals, known: Sequence[KnownFailure]
) -> list[str]:
    """Play the run, which is followed meanwhile; returns what could not be written."""
    from dungeonlab_conformance.report.ndjson import Stream
    from dungeonlab_conformance.report.terminal import Following
    from dungeonlab_conformance.runner.play import play

    with ExitStack() as stack:
        following = stack.enter_context(Following(streams.console(errors=True), len(chosen)))
        stream = stack.enter_context(Stream(output.ndjson_file, run, len(chosen))) if output.ndjson_file else None

        def on_scene(verdicts: list[Verdict]) -> None:
            following.on_scene(verdicts)
            if stream:
                stream.on_scene(verdicts)

        recorded = output.files.get("json_file") is not None
        play(target, chosen, run, on_scene=on_scene, signals=signals, known=known, recorded=recorded)
        if output.is_rewriting and not _is_cut_short(run):
            run.stale.clear()  # the list that is wrong is about to be replaced
        if stream:
            stream.finish()
    return [stream.problem] if stream and stream.problem else []


def _is_cut_short(result: Run) -> bool:
    return bool(result.fault or result.interrupted)

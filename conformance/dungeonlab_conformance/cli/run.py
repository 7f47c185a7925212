"""`run`: judge a server, print and write what it came to."""

from __future__ import annotations

import logging
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dungeonlab_conformance.cli.options import fuzz as fuzz_options
from dungeonlab_conformance.cli.options import reports, waiting
from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.selection import chosen_scenes, selecting, time_limit
from dungeonlab_conformance.cli.options.target import make_target, pointing
from dungeonlab_conformance.target.file.advice import NAME

if TYPE_CHECKING:
    from dungeonlab_conformance.results.known_failures import Known
    from dungeonlab_conformance.results.run import Run
    from dungeonlab_conformance.results.verdict import Verdict

NO_TARGET = (
    f"there is no server to judge: give a URL, or name a target file; none was given, and no {NAME} is in this folder"
)


@click.command()
@pointing
@waiting.waiting
@selecting
@click.option("--concurrency", type=click.IntRange(1, 64), help="Scenes side by side.  [default: by the link's speed]")
@time_limit
@click.option("--transport", type=click.Choice(["websocket", "polling"]), help="[default: websocket]")
@fuzz_options.fuzzing
@click.option("--http", is_flag=True, help="Judge the HTTP side too, of a server that claims to have it.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first broken MUST.")
@click.option(
    "--fail-on",
    type=click.Choice(["must", "should", "may"]),
    default="must",
    show_default=True,
    help="The weakest level that fails the run.",
)
@click.option(
    "--known-failures",
    "known_file",
    type=FILE,
    metavar="FILE",
    help="Accept the failures listed in FILE; complain of those listed that hold.",
)
@click.option(
    "--write-known-failures",
    "listing_file",
    type=FILE,
    metavar="FILE",
    help="List what fails in FILE, for you to give the reasons; what is listed there already is kept.",
)
@click.option("--reason", metavar="TEXT", help="With --write-known-failures: the reason of each entry without one.")
@reports.reporting
@click.option("--ndjson", "ndjson_file", type=FILE, metavar="FILE", help="Stream each verdict as a JSON line.")
@click.option(
    "--require-target",
    is_flag=True,
    help="Refuse to judge the bundled reference server: there must be a URL or a target file. For CI.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print what fails the run, one id a line, and the last line.")
@click.option("-v", "--verbose", is_flag=True, help="Print whole transcripts, and what passed.")
def run(
    url: str | None,
    target_file: Path | None,
    only: tuple[str, ...],
    without: tuple[str, ...],
    events: tuple[str, ...],
    levels: tuple[str, ...],
    protocol_version: str | None,
    concurrency: int | None,
    scale: float,
    wait: float,
    transport: str | None,
    http: bool,
    fuzz: int | None,
    number: int | None,
    seconds: float,
    fail_fast: bool,
    fail_on: str,
    known_file: Path | None,
    listing_file: Path | None,
    reason: str | None,
    ndjson_file: Path | None,
    require_target: bool,
    quiet: bool,
    verbose: bool,
    **files: Path | None,
) -> None:
    """Judge the server at URL, or the one that a target file describes; without either, the bundled reference server.

    Beside a URL, a dungeonlab-target.toml in this folder is used only if --target names it.
    """
    from rich.console import Console

    from dungeonlab_conformance.report import terminal
    from dungeonlab_conformance.report.ndjson import Stream
    from dungeonlab_conformance.results.verdict import LEVELS
    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.runner.play import play
    from dungeonlab_conformance.runner.selection import Selection
    from dungeonlab_conformance.target.file.load import find

    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose contradict each other; leave one out")
    written = {**files, "ndjson": ndjson_file}
    reports.make_sure_of(written, read=[known_file])
    written["listing"] = listing_file  # which may well be the list that is read
    reports.make_sure_of(written, read=[target_file or (find() if url is None else None)])
    _make_sure_of_reason(reason, listing_file)
    before = _known(listing_file if listing_file and listing_file.exists() else None, needs_reasons=False)
    rewriting = known_file is not None and listing_file is not None and known_file.resolve() == listing_file.resolve()
    known = before if rewriting else _known(known_file)
    fuzz_checks, words = fuzz_options.checks(fuzz, number)
    parts = _parts(http)
    selection = Selection(only, without, events, tuple(map(str.upper, levels)), protocol_version, parts)
    chosen = chosen_scenes(selection, fuzz_checks)
    words += [f"--{part}" for part in parts]
    target = make_target(url, target_file, transport, scale)
    if require_target and target.bundled:
        raise click.UsageError(NO_TARGET)
    reports.refuse_badge(files, bundled=target.bundled)
    reports_on_output = reports.to_output(written)
    console = Console(highlight=False, stderr=reports_on_output)
    if verbose:  # the suite's own faults with their stack traces, for whoever reports them
        logging.getLogger("dungeonlab_conformance").addHandler(logging.StreamHandler())
        logging.getLogger("dungeonlab_conformance").setLevel(logging.DEBUG)
    again = _again(target.name if url else None, target.file, transport, scale, protocol_version, words)
    started = target.new_run(again=target.secrets.redact(again))
    started.fail_on = next(level for level in LEVELS if level == fail_on.upper())
    started.protocol = protocol_version or started.protocol
    if not quiet:
        terminal.open_run(started, console)
    with Signals() as signals:
        waiting.until_up(target, wait, signals)
        with ExitStack() as stack:
            following = stack.enter_context(terminal.Following(Console(stderr=True), len(chosen)))
            stream = stack.enter_context(Stream(ndjson_file, started, len(chosen))) if ndjson_file else None

            def on_scene(verdicts: list[Verdict]) -> None:
                following.on_scene(verdicts)
                if stream:
                    stream.on_scene(verdicts)

            result = play(target, chosen, concurrency, fail_fast, on_scene, started, signals, seconds, known)
            if rewriting and not _is_cut_short(result):
                result.stale.clear()  # the list that is wrong is about to be replaced
            if stream:
                stream.finish()
        problems = reports.write(result, files)
        problems += [stream.problem] if stream and stream.problem else []
        if listing_file:
            problems += _list(result, listing_file, before, reason or "")
        terminal.show(result, console, verbosity=-1 if quiet else int(verbose))
        problems += reports.tell_github(result, errors=reports_on_output)
        for problem in problems:
            click.echo(problem, err=True)
    raise SystemExit(result.exit_code or (2 if problems else 0))


def _known(file: Path | None, *, needs_reasons: bool = True) -> list[Known]:
    from dungeonlab_conformance.results.known_failures import load

    try:
        return load(file, needs_reasons=needs_reasons) if file else []
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _make_sure_of_reason(reason: str | None, listing_file: Path | None) -> None:
    if reason is not None and not reason.strip():
        raise click.UsageError("--reason is empty; say why these failures are accepted")
    if reason is not None and listing_file is None:
        raise click.UsageError("--reason is for the list that --write-known-failures writes; name its FILE")


def _is_cut_short(result: Run) -> bool:
    return bool(result.fault or result.interrupted)


def _list(result: Run, file: Path, before: list[Known], reason: str) -> list[str]:
    from dungeonlab_conformance.report import known_failures

    if _is_cut_short(result):
        return [f"{file} was not written: the run was cut short, and what it did not reach is no failure"]
    try:
        missing = known_failures.write(result, file, before, reason)
    except OSError as error:
        return [f"{file} could not be written: {error.strerror}"]
    if missing:
        click.echo(f"{file} lists what fails; give each entry a reason ({missing} without)", err=True)
    return []


def _parts(http: bool) -> tuple[str, ...]:
    from dungeonlab_conformance.clients.http.fuzzer import load

    if http and not load():
        raise click.UsageError(fuzz_options.MISSING.format("--http"))
    return ("http",) if http else ()


def _again(
    url: str | None, file: str | None, transport: str | None, scale: float, version: str | None, more: list[str]
) -> str:
    words = ["dungeonlab-conformance", "run", *([url] if url else []), *(["--target", file] if file else [])]
    words += ["--transport", transport] if transport else []
    words += ["--timeout", f"{scale:g}"] if scale != 1 else []
    words += ["--protocol-version", version] if version else []
    words += more
    return shlex.join(words)

"""`search`: plays nobody wrote, and what they find made short."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli import streams
from dungeonlab_conformance.cli.options import known_failures, reports, waiting
from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.selection import make_sure_of_system
from dungeonlab_conformance.cli.options.target import Between, make_target, pointing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dungeonlab_conformance.results.known_failures import KnownFailure
    from dungeonlab_conformance.results.run import Run, RunOptions
    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.runner.search.search import SearchOptions
    from dungeonlab_conformance.target.target import Target

_REPORTS = ("json_file", "junit_file", "markdown_file", "html_file", "badge_file")


@click.command()
@pointing
@waiting.waiting
@click.option("--plays", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="How many plays.")
@click.option(
    "--minutes",
    type=Between(0.01, 1440),
    default=10.0,
    show_default=True,
    help="Look for nothing more after that time, however many plays are left.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="S",
    help="Play the same plays again.  [default: others each time]",
)
@click.option("--length", type=click.IntRange(1, 500), default=32, show_default=True, help="Acts of a play, about.")
@click.option("--actors", type=click.IntRange(2, 9), help="Tabs that a play begins with.  [default: 4 to 7]")
@click.option("--transport", type=click.Choice(["websocket", "polling"]), help="[default: websocket]")
@click.option(
    "--known-failures", "known_file", type=FILE, metavar="FILE", help="Accept the failures that are listed in FILE."
)
@reports.reporting
@click.option("-q", "--quiet", is_flag=True, help="Print what fails the search, one id a line, and the last line.")
@click.option("-v", "--verbose", is_flag=True, help="Print whole transcripts.")
def search(**given: Any) -> None:
    """Look for faults in the server at URL, or the one that a target file describes, by random plays.

    Without either, it is the bundled reference server. What breaks a requirement is made as short as it can be, and
    played ten more times: what is not seen each time is a warning. Exit codes: 0 nothing was found, or warnings alone;
    1 a MUST is broken; 2 wrong usage; 3 the target could not be tested to the end; 130 interrupted.
    """
    from dungeonlab_conformance.report import terminal
    from dungeonlab_conformance.runner.interruptions.signals import Signals

    files = {name: given[name] for name in _REPORTS}
    if given["quiet"] and given["verbose"]:
        raise click.UsageError("--quiet and --verbose contradict each other; leave one out")
    reports.make_sure_of(files, read=[given["known_file"], given["target_file"]])
    make_sure_of_system()
    known = known_failures.load(given["known_file"])
    searched, options = _options(given)
    target = make_target(given["url"], given["target_file"], given["transport"], given["scale"])
    reports.make_sure_of_badge(files, bundled=target.bundled)
    on_output = reports.to_output(files)
    console = streams.console(errors=on_output)
    if given["verbose"]:  # the suite's own faults with their stack traces, to be reported
        logging.getLogger("dungeonlab_conformance").addHandler(logging.StreamHandler())
        logging.getLogger("dungeonlab_conformance").setLevel(logging.DEBUG)
    run = target.new_run(options)
    with Signals() as signals:
        if not given["quiet"]:
            terminal.open_run(run, console)
            console.print(f"The same plays again: --seed {searched.seed}")
        waiting.until_up(target, given["wait"], signals)
        _play(target, searched, run, signals, known, recorded=files["json_file"] is not None)
        problems = reports.write(run, files)
        terminal.show(run, console, verbosity=-1 if given["quiet"] else int(given["verbose"]))
        problems += reports.tell_github(run, errors=on_output)
        for problem in problems:
            click.echo(problem, err=True)
    raise SystemExit(run.exit_code or (2 if problems else 0))


def _options(given: dict[str, Any]) -> tuple[SearchOptions, RunOptions]:
    """Return what the command was given, for the search and for its run."""
    from dungeonlab_conformance.results.run import RunOptions
    from dungeonlab_conformance.runner.search.search import SearchOptions

    seed = secrets.randbelow(2**32) if given["seed"] is None else given["seed"]
    named = {name: given[name] for name in ("plays", "minutes", "length", "actors")}
    words = [word for name, value in named.items() if value is not None for word in (f"--{name}", f"{value:g}")]
    file = str(given["target_file"]) if given["target_file"] else None
    of_a_run = {name: given[name] for name in ("url", "transport", "scale")}
    options = RunOptions(**of_a_run, target_file=file, seed=seed, search=tuple(words))
    return SearchOptions(seed=seed, **named), options


def _play(
    target: Target,
    searched: SearchOptions,
    run: Run,
    signals: Signals,
    known: Sequence[KnownFailure],
    *,
    recorded: bool,
) -> None:
    """Carry out the search, which is followed meanwhile on a terminal."""
    from dungeonlab_conformance.report.terminal import Following
    from dungeonlab_conformance.runner.play import to_its_end
    from dungeonlab_conformance.runner.search.search import Search

    with Following(streams.console(errors=True), searched.plays) as following:
        to_its_end(Search(target, searched, run, following.on_plays, recorded=recorded), signals, known)

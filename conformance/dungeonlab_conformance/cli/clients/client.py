"""`client`: judge a client, one that a person uses, or a program that is played with."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from dungeonlab_conformance.cli import streams
from dungeonlab_conformance.cli.clients.listening import cannot_listen
from dungeonlab_conformance.cli.options import known_failures, reports
from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.selection import fail_on, make_sure_of_system, time_limit
from dungeonlab_conformance.cli.options.target import Between

if TYPE_CHECKING:
    from rich.console import Console

    from dungeonlab_conformance.client_acts.acts import Act
    from dungeonlab_conformance.client_acts.person import Invitation, PersonWatcher
    from dungeonlab_conformance.client_acts.player import ActPlayer, Played
    from dungeonlab_conformance.report.terminal import Following
    from dungeonlab_conformance.results.known_failures import KnownFailure
    from dungeonlab_conformance.results.run import Run
    from dungeonlab_conformance.runner.interruptions.signals import Signals

_REPORTS = ("json_file", "junit_file", "markdown_file", "html_file", "badge_file")
_LONGEST = 3600 * 24  # seconds that a person may take
_SHOWN = 40  # lines of what a program printed before it crashed


@dataclass(frozen=True, slots=True)
class Given:
    """What the command was given, but for the reports and the known failures."""

    command: tuple[str, ...]
    act_names: tuple[str, ...]
    origins: tuple[str, ...]
    seconds: float | None
    port: int | None
    record: Path | None
    opens_page: bool
    concurrency: int
    time_limit: float
    quiet: bool
    verbose: bool

    @property
    def words(self) -> tuple[str, ...]:
        """The command line that does the same again."""
        named = [("--act", self.act_names), ("--origin", self.origins)]
        words = [word for name, values in named for value in values for word in (name, value)]
        return ("client", *words, *(("--", *self.command) if self.command else ()))


def _origins(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the origins; refuse what no browser calls one."""
    for value in values:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or value != f"{parts.scheme}://{parts.netloc}":
            raise click.BadParameter(f"{value!r} is no origin; give one such as http://localhost:5173")
    return values


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--act", "act_names", multiple=True, metavar="NAME", help="Play these acts only; repeatable.")
@click.option("--list-acts", is_flag=True, help="Print the acts, and play none.")
@click.option(
    "--for",
    "seconds",
    type=Between(1, _LONGEST),
    metavar="SECONDS",
    help="Without a command: end after that time.  [default: with Ctrl-C]",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Without a command: where clients connect.  [default: any]")
@click.option("--record", type=FILE, metavar="FILE", help="Write what passes as JSON lines; `report` reads it.")
@click.option("--open", "opens_page", is_flag=True, help="Open the live page, which shows what passes, in a browser.")
@click.option(
    "--origin", "origins", multiple=True, callback=_origins, help="Let pages of this origin connect; repeatable."
)
@click.option("--concurrency", type=click.IntRange(1, 64), default=10, show_default=True, help="Acts side by side.")
@time_limit
@fail_on
@known_failures.accepting
@reports.reporting
@click.option("-q", "--quiet", is_flag=True, help="Print what fails the run, one id a line, and the last line.")
@click.option("-v", "--verbose", is_flag=True, help="Print whole transcripts, and what passed.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def client(list_acts: bool, fail_on: str, **given: Any) -> None:
    """Judge a client: the program that COMMAND starts, or without one whatever a person connects.

    The program is started once for each act, in front of the bundled server. Its environment says where the server is,
    as whom to log in, and where to play: DUNGEONLAB_URL, _USERNAME, _PASSWORD, _COOKIE, _SESSION, _ENCOUNTER, _TOKEN
    and _ACT. It does what clients do: connect, join, send a few requests, react. Write -- before COMMAND.

    Exit codes: 0 every MUST held; 1 at least one was broken; 2 wrong usage; 3 something was not seen, or there was no
    client; 4 the suite's own fault; 130 interrupted.
    """
    from dungeonlab_conformance.report import terminal
    from dungeonlab_conformance.runner.interruptions.signals import Signals

    if list_acts:
        return _print_acts()
    files = {name: given.pop(name) for name in _REPORTS}
    known_file, listing_file, reason = (given.pop(name) for name in ("known_file", "listing_file", "reason"))
    asked = Given(**given)
    chosen = _make_sure_of(asked)
    reports.make_sure_of({**files, "record": asked.record}, read=[known_file])
    written = {**files, "listing": listing_file, "record": asked.record}
    reports.make_sure_of(written, read=[])
    known_failures.make_sure_of_reason(reason, listing_file)
    make_sure_of_system()
    known = known_failures.accepted(known_file, listing_file)
    on_output = reports.to_output(written)
    console = streams.console(errors=on_output)
    if asked.verbose:  # the suite's own faults with their stack traces, to be reported
        logging.getLogger("dungeonlab_conformance").addHandler(logging.StreamHandler())
        logging.getLogger("dungeonlab_conformance").setLevel(logging.DEBUG)
    run = _run(asked, fail_on)
    with Signals() as signals:
        problems = _judge(asked, chosen, run, console, signals, known)
        if known_failures.is_rewritten(known_file, listing_file) and not (run.fault or run.interrupted):
            run.stale.clear()  # the list that is wrong is about to be replaced
        problems += reports.write(run, files)
        if listing_file:
            problems += known_failures.write(run, listing_file, reason or "")
        terminal.show(run, console, verbosity=-1 if asked.quiet else int(asked.verbose))
        problems += reports.tell_github(run, errors=on_output)
        for problem in problems:
            click.echo(problem, err=True)
    raise SystemExit(run.exit_code or (2 if problems else 0))


def _print_acts() -> None:
    from dungeonlab_conformance.client_acts.acts import acts

    rows = list(acts())
    wide = max(len(act.name) for act in rows)
    for act in rows:
        click.echo(f"{act.name:<{wide}}  {act.what}\n{'':<{wide}}  {', '.join(act.about)}")


def _make_sure_of(asked: Given) -> list[Act]:
    """Return the acts to play, none for a person; what does not fit together is wrong usage."""
    from dungeonlab_conformance.client_acts.acts import chosen_acts

    if asked.quiet and asked.verbose:
        raise click.UsageError("--quiet and --verbose contradict each other; leave one out")
    if not asked.command:
        if asked.act_names:
            raise click.UsageError("--act is for a program that is played with; give its command after --")
        return []
    given = {"--for": asked.seconds is not None, "--port": asked.port is not None}
    if name := next((name for name, is_given in given.items() if is_given), None):
        raise click.UsageError(
            f"{name} is for a person's client; leave it out beside a command, whose acts end by themselves"
        )
    program = asked.command[0]
    if shutil.which(program) is None:
        if Path(program).is_file():
            raise click.UsageError(f"{program!r} may not be executed; start it by what runs it, or chmod +x it")
        raise click.UsageError(f"there is no program {program!r} to be started; what follows -- is its command")
    try:
        return chosen_acts(asked.act_names)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _run(asked: Given, fail_on: str) -> Run:
    """Return the run that is about to judge a client."""
    import shlex

    from dungeonlab_conformance.results.run import Run, RunOptions
    from dungeonlab_conformance.results.verdict import LEVELS
    from dungeonlab_conformance.text.printable import shortened

    name = (
        f"the client {shortened(shlex.join(asked.command), 200)}" if asked.command else "the clients that were watched"
    )
    run = Run(name, options=RunOptions(clients=asked.words, time_limit=asked.time_limit), side="client")
    run.fail_on = next(level for level in LEVELS if level == fail_on.upper())
    return run


def _judge(
    asked: Given, chosen: list[Act], run: Run, console: Console, signals: Signals, known: list[KnownFailure]
) -> list[str]:
    """Play the acts, or watch a person's clients; returns a sentence if the recording could not be written."""
    from dungeonlab_conformance.report.content.headline import counted
    from dungeonlab_conformance.report.terminal import Following
    from dungeonlab_conformance.runner.play import to_its_end

    if not asked.command:
        watcher = _watcher(asked, run, console)
        try:
            to_its_end(watcher, signals, known)
        except OSError as error:
            raise cannot_listen(f"on port {asked.port or 0}", error, "--port") from None
        return watcher.recording.problems
    if not asked.quiet:
        console.print(f"Judging {run.target}, in {counted(len(chosen), 'act')}", markup=False, soft_wrap=True)
    with Following(streams.console(errors=True), len(chosen)) as following:
        player = _player(asked, chosen, run, console, following)
        to_its_end(player, signals, known)
    return player.recording.problems


def _options(asked: Given) -> tuple[str, ...]:
    """Return what the bundled server is started with."""
    return tuple(word for origin in asked.origins for word in ("--origin", origin))


def _player(asked: Given, chosen: list[Act], run: Run, console: Console, following: Following) -> ActPlayer:
    from dungeonlab_conformance.client_acts.player import ActPlayer

    def on_page(page: str) -> None:
        if not asked.quiet:
            following.say(console, f"live page  {page}")
        if asked.opens_page:
            click.launch(page)

    def on_act(played: Played) -> None:
        following.on_scene([])
        if played.crash is not None:
            _show_crash(played, player.secrets.redact(played.output.text))

    options = _options(asked)
    player = ActPlayer(
        asked.command,
        chosen,
        run,
        concurrency=asked.concurrency,
        server_options=options,
        record=asked.record,
        on_page=on_page,
        on_act=on_act,
    )
    return player


def _show_crash(played: Played, output: str) -> None:
    """Print what a program printed before it crashed: the end of it."""
    from dungeonlab_conformance.text.printable import one_line
    from dungeonlab_conformance.text.system import how_ended

    lines = [one_line(line) for line in output.strip().splitlines()]
    ended = how_ended(f"{played.crash}", " by itself")
    click.echo(f"{played.act.name}: the client {ended}; it printed:", err=True)
    for line in lines[-_SHOWN:] or ["nothing"]:
        click.echo(f"  {line}", err=True)


def _watcher(asked: Given, run: Run, console: Console) -> PersonWatcher:
    from dungeonlab_conformance.client_acts.person import PersonWatcher

    def on_ready(invitation: Invitation) -> None:
        _invite(invitation, asked.seconds, console)
        if asked.opens_page:
            click.launch(invitation.page)

    return PersonWatcher(
        run,
        seconds=asked.seconds,
        port=asked.port or 0,
        server_options=_options(asked),
        record=asked.record,
        on_ready=on_ready,
    )


def _invite(to: Invitation, seconds: float | None, console: Console) -> None:
    """Say where the server is, and what to do there."""
    from dungeonlab_conformance.client_acts.person import PASSWORD

    users = " or ".join(to.users)
    ending = f"in {seconds:g} seconds, or with Ctrl-C" if seconds is not None else "with Ctrl-C"
    for name, value in (
        ("server", to.url),
        ("log in", f"as {users}, with the password {PASSWORD}: POST {to.url}/api/auth/login"),
        ("join", f"the session {to.session}; in it are encounter {to.encounter} and token {to.token}"),
        ("others", "the game master and bob are in the room, and act as soon as somebody has joined"),
        ("page", f"{to.page} shows what passes, and has the buttons of what may happen to a client"),
        ("to do", "connect, join, send what your client sends, leave; the report comes " + ending),
    ):
        console.print(f"{name:<7} {value}", markup=False, soft_wrap=True)

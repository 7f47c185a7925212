"""`tap`: stand between clients and a server, and judge what they say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli import streams
from dungeonlab_conformance.cli.clients.listening import cannot_listen
from dungeonlab_conformance.cli.options import known_failures, reports
from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.selection import fail_on
from dungeonlab_conformance.cli.options.target import EMPTY_URL, Between, make_target, targeting

if TYPE_CHECKING:
    from rich.console import Console

    from dungeonlab_conformance.results.known_failures import KnownFailure
    from dungeonlab_conformance.tap.recording import Recording
    from dungeonlab_conformance.tap.tap import Tap
    from dungeonlab_conformance.tap.verdicts import Judging

_LONGEST = 30 * 24 * 3600.0  # seconds that one may watch
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Given:
    """What the command was given, but for the reports, the known failures and the level that counts."""

    url: str
    port: int
    host: str
    seconds: float | None
    record: Path | None
    opens_page: bool
    target_file: Path | None
    insecure: bool
    quiet: bool
    verbose: bool


@click.command()
@click.argument("url")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where clients connect.  [default: any]")
@click.option(
    "--host",
    default=_LOOPBACK,
    show_default=True,
    help="The address to listen at. Any but that of loopback lets other machines connect.",
)
@click.option(
    "--for",
    "seconds",
    type=Between(0.1, _LONGEST),
    metavar="SECONDS",
    help="End after that time.  [default: with Ctrl-C]",
)
@click.option(
    "--record", "record", type=FILE, metavar="FILE", help="Write what passes as JSON lines; `report` reads it."
)
@click.option("--open", "opens_page", is_flag=True, help="Open the live page in a browser.")
@targeting
@click.option("--insecure", is_flag=True, help="Do not look at the certificate of an https server.")
@reports.reporting
@fail_on
@known_failures.accepting
@click.option("-q", "--quiet", is_flag=True, help="Print what fails the run, one id a line, and the last line.")
@click.option("-v", "--verbose", is_flag=True, help="Print whole transcripts, and what passed.")
def tap(url: str, **given: Any) -> None:
    """Stand between clients and the server at URL, pass on every byte, and judge what was said.

    Have clients connect to the address that is printed, in place of URL. Clients are judged by all requirements for
    clients; the server by what can be seen from here alone: shapes, names, one answer to each request, and silence
    outside of rooms. Cookies and passwords are neither shown nor stored; what is said in events is. The live page shows
    what passes, as it passes; its address is printed too, and it opens on this machine only.

    Exit codes: 0 nothing was broken that --fail-on counts; 1 something was, or the list of known failures is wrong;
    2 wrong usage; 3 nothing could be judged; 4 the suite's own fault. What was not seen fails nothing.
    """
    from dungeonlab_conformance.report import terminal
    from dungeonlab_conformance.results.claim import conclude
    from dungeonlab_conformance.results.verdict import LEVELS
    from dungeonlab_conformance.tap.recording import Recording
    from dungeonlab_conformance.tap.verdicts import Judging, run_of

    files = {f"{name}_file": given.pop(f"{name}_file") for name in reports.FORMATS}
    known_file, listing_file, reason = (given.pop(name) for name in ("known_file", "listing_file", "reason"))
    level = given.pop("fail_on").upper()
    asked = Given(url, **given)
    written = {**files, "listing": listing_file, "record": asked.record}
    known = _make_sure_of(asked, written, known_file, reason)
    console = streams.console(errors=reports.to_output(written))
    made = _made(asked)
    judging, run = Judging(made.journal), run_of(made.upstream, ("tap", made.upstream))
    run.fail_on = next(each for each in LEVELS if each == level)
    recording = Recording(asked.record, made.journal)
    _carry(made, judging, recording, asked, console)
    judging.fill(run)
    conclude(run, known)
    if known_failures.is_rewritten(known_file, listing_file):
        run.stale.clear()  # the list that is wrong is about to be replaced
    problems = recording.problems + reports.write(run, files)
    if listing_file:
        problems += known_failures.write(run, listing_file, reason or "")
    terminal.show(run, console, verbosity=-1 if asked.quiet else int(asked.verbose))
    for problem in problems:
        click.echo(problem, err=True)
    raise SystemExit(run.exit_code or (2 if problems else 0))


def _make_sure_of(
    asked: Given, written: Mapping[str, Path | None], known_file: Path | None, reason: str | None
) -> list[KnownFailure]:
    """Return what is accepted; what does not fit together is wrong usage."""
    if not asked.url.strip():
        raise click.BadParameter(EMPTY_URL, param_hint="URL")
    if asked.quiet and asked.verbose:
        raise click.UsageError("--quiet and --verbose contradict each other; leave one out")
    listing_file = written["listing"]
    but_listing = {name: file for name, file in written.items() if name != "listing"}
    reports.make_sure_of(but_listing, read=[asked.target_file, known_file])
    reports.make_sure_of(written, read=[asked.target_file])
    known_failures.make_sure_of_reason(reason, listing_file)
    return known_failures.accepted(known_file, listing_file)


def _made(asked: Given) -> Tap:
    """Return the tap that was asked for; what is no URL is wrong usage."""
    from dungeonlab_conformance.record.tapped.journal import TapJournal
    from dungeonlab_conformance.results.errors import TargetFault
    from dungeonlab_conformance.tap.tap import Tap
    from dungeonlab_conformance.target.dialect.translation import PLAIN

    url, file = asked.url.strip(), asked.target_file
    known = make_target(url, file, None, 1.0, references=True) if file else None
    verify, dialect = (known.verify, known.dialect) if known else (True, PLAIN)
    try:
        return Tap(
            url,
            TapJournal(),
            host=asked.host,
            port=asked.port,
            verify=verify and not asked.insecure,
            dialect=dialect,
        )
    except TargetFault as fault:
        raise click.UsageError(str(fault)) from None


def _carry(
    made: Tap,
    judging: Judging,
    recording: Recording,
    asked: Given,
    console: Console,
) -> None:
    """Carry what comes until the time is over, or there is a signal."""
    import asyncio

    from rich.status import Status

    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.runner.play import fast_loop
    from dungeonlab_conformance.tap.watch import watch

    progress = Status("", console=streams.console(errors=True))
    seconds = asked.seconds

    def on_ready(page: str) -> None:
        ending = f"after {seconds:g} s, or with Ctrl-C" if seconds is not None else "with Ctrl-C"
        console.print(f"clients connect to  {made.url}", markup=False, soft_wrap=True)
        console.print(f"in front of         {made.upstream}; the report comes {ending}", markup=False, soft_wrap=True)
        console.print(f"live page           {page}", markup=False, soft_wrap=True)
        if asked.opens_page:
            click.launch(page)
        if progress.console.is_terminal:
            progress.start()

    def on_progress() -> None:
        progress.update(_progress(judging))

    work = watch(made, judging, recording, seconds=seconds, on_ready=on_ready, on_progress=on_progress)
    try:
        with Signals() as signals, asyncio.Runner(loop_factory=fast_loop(made.upstream)) as loops:
            loops.run(signals.until_stopped(work))
    except asyncio.CancelledError:
        pass  # the usual end
    except OSError as error:
        raise cannot_listen(f"at {made.address}", error, "--port", "--host") from None
    finally:
        progress.stop()


def _progress(judging: Judging) -> str:
    """Return what was seen so far, in a line."""
    seen = judging.seen
    return (
        f"{seen['client handshake']} connections, {seen['client event']} messages, {seen['server ack']} answers, "
        f"{seen['server event']} events"
    )

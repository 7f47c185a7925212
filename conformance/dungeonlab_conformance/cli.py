"""The command line: parses, calls, prints and exits. What a command needs is imported inside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dungeonlab_conformance.runner import Run, Scene, Selection
    from dungeonlab_conformance.target import Target


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dungeonlab-conformance")
def main() -> None:
    """Judge any server against the real-time protocol of DungeonLab.

    Exit codes: 0 every MUST held; 1 at least one was broken; 2 wrong usage; 3 the target could not be tested;
    4 the suite's own fault; 130 interrupted.
    """


def _selecting(command: Any) -> Any:
    for option in (
        click.option(
            "--level",
            "levels",
            multiple=True,
            type=click.Choice(["must", "should", "may"]),
            help="Only requirements of this level.",
        ),
        click.option(
            "--event",
            "events",
            multiple=True,
            metavar="NAME",
            help="Only verdicts about this event; globs allowed.",
        ),
        click.option("--except", "without", multiple=True, metavar="ID", help="Not this area, id or glob."),
        click.option("--only", multiple=True, metavar="ID", help="Only this area, id or glob; repeatable."),
    ):
        command = option(command)
    return command


@main.command()
@click.argument("url", required=False)
@_selecting
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

    from dungeonlab_conformance.report import terminal
    from dungeonlab_conformance.runner import Selection

    for file in (json_file, junit_file):
        _can_be_written(file)
    chosen = _chosen(Selection(only, without, events, tuple(level.upper() for level in levels)))
    target = _target(url, transport, scale)
    console = Console(highlight=False)
    with terminal.Following(Console(stderr=True), len(chosen)) as following:
        result = _play(target, chosen, concurrency, fail_fast, following.on_scene)
    _write(result, json_file, junit_file)
    terminal.show(result, console, verbosity=-1 if quiet else int(verbose))
    raise SystemExit(result.exit_code)


def _chosen(selection: Selection) -> list[Scene]:
    from dungeonlab_conformance.runner import scenes
    from dungeonlab_spec import Catalogue

    chosen = scenes(selection, Catalogue.load())
    if not chosen:
        raise click.UsageError("this selects no check at all; `dungeonlab-conformance list` shows what there is")
    return chosen


def _target(url: str | None, transport: str, scale: float) -> Target | None:
    from dungeonlab_conformance.target import Limits, Target
    from dungeonlab_conformance.verdict import TargetFault

    if url is None:
        url = "http://embedded.invalid"
    try:
        return Target(url, transport=transport, limits=Limits(scale))
    except TargetFault as fault:
        raise click.UsageError(str(fault)) from None


def _play(target: Any, chosen: list[Scene], concurrency: int | None, fail_fast: bool, on_scene: Any) -> Run:
    import asyncio
    import gc
    import resource

    from dungeonlab_conformance.embedded import reference_server
    from dungeonlab_conformance.runner import Run, Runner
    from dungeonlab_conformance.verdict import TargetFault

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))
    gc.freeze()  # what was imported stays; a run remembers much, and looking through it again and again is slow
    gc.set_threshold(50_000, 20, 50)

    async def play() -> Run:
        runner = Runner(target, chosen, concurrency=concurrency, fail_fast=fail_fast, on_scene=on_scene)
        if target.url != "http://embedded.invalid":
            return await _until_interrupted(runner)
        try:
            async with reference_server() as url:
                target.url = runner.run.target = url
                return await _until_interrupted(runner)
        except TargetFault as fault:
            return Run("the embedded reference server", fault=str(fault))

    return asyncio.run(play())


async def _until_interrupted(runner: Any) -> Run:
    """Play, and on Ctrl-C or SIGTERM stop and still return what was found."""
    import asyncio
    import signal

    task = asyncio.ensure_future(runner.play())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    result: Run = await task
    return result


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


@main.command("list")
@_selecting
def list_(only: tuple[str, ...], without: tuple[str, ...], events: tuple[str, ...], levels: tuple[str, ...]) -> None:
    """List the requirements, with level, events and the checks that judge them."""
    from dungeonlab_conformance.runner import Selection
    from dungeonlab_spec import Catalogue

    catalogue, judges = Catalogue.load(), _judges()
    selection = Selection(only, without, events, tuple(level.upper() for level in levels))
    shown = 0
    for requirement in catalogue.requirements.values():
        names = [e.name if e else "" for e in catalogue.events_for(requirement) if selection.takes(requirement, e)]
        if not names:
            continue
        shown += 1
        click.echo(f"{requirement.level:<6} {requirement.id}")
        click.echo(f"       {requirement.sentence}")
        if any(names):
            click.echo(f"       for each of {', '.join(names)}")
        click.echo(f"       {', '.join(judges.get(requirement.id, [])) or requirement.untestable}")
    if not shown:
        raise click.UsageError("this selects no requirement")


@main.command()
@click.argument("requirement_id", metavar="ID")
def explain(requirement_id: str) -> None:
    """Explain one requirement: what it says, where it comes from, how it is checked, what usually goes wrong."""
    from dungeonlab_conformance.check import all_checks
    from dungeonlab_spec import Catalogue

    catalogue = Catalogue.load()
    requirement = catalogue.requirements.get(requirement_id)
    if requirement is None:
        near = [name for name in catalogue.requirements if requirement_id.rpartition("/")[2] in name]
        hint = f"did you mean {', '.join(near[:3])}?" if near else "`dungeonlab-conformance list` shows all"
        raise click.UsageError(f"there is no requirement {requirement_id!r}; {hint}")
    events = [event.name for event in catalogue.events_for(requirement) if event]
    click.echo(f"{requirement.id}  ({requirement.level}, since protocol {requirement.since})\n")
    click.echo(f"  {requirement.sentence}\n")
    click.echo(f"section   {requirement.section} of spec/protocol.md")
    click.echo(f"source    {requirement.source}")
    if events:
        click.echo(f"events    {', '.join(events)}")
    if requirement.untestable:
        click.echo(f"untested  {requirement.untestable}")
    for check in all_checks():
        if requirement.id in check.requirements:
            click.echo(f"checked   {check.name}: {check.claim}")
    click.echo(f"usually   {requirement.hint}")


def _judges() -> dict[str, list[str]]:
    from dungeonlab_conformance.check import all_checks

    found: dict[str, list[str]] = {}
    for check in all_checks():
        for requirement in check.requirements:
            found.setdefault(requirement, []).append(check.name)
    return found


@main.command()
@click.argument("url")
@click.option("--timeout", "scale", type=click.FloatRange(0.01, 100), default=1.0, help="Scale of every time limit.")
def probe(url: str, scale: float) -> None:
    """Try to reach the server at URL, log in and join. Judges nothing."""
    import asyncio

    from dungeonlab_conformance.probe import probing

    target = _target(url, "websocket", scale)
    assert target is not None

    async def walk() -> int:
        async for step, problem in probing(target):
            click.echo(f"{'✗' if problem else '✓'} {step}" + (f": {problem}" if problem else ""))
            if problem:
                return 3
        return 0

    raise SystemExit(asyncio.run(walk()))


@main.command()
@click.argument("event")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--direction", type=click.Choice(["request", "ack", "emission"]), default="request", show_default=True)
def validate(event: str, file: Any, direction: Any) -> None:
    """Hold a JSON payload from FILE (or standard input) against the schema of EVENT."""
    import json

    from dungeonlab_spec import validate as judge

    try:
        payload = json.load(file)
    except ValueError as error:
        raise click.UsageError(f"{file.name} holds no JSON: {error}") from None
    try:
        found = judge(event, payload, direction)
    except KeyError:
        raise click.UsageError(f"there is no event {event!r} in the catalogue") from None
    except LookupError as error:
        raise click.UsageError(str(error)) from None
    for violation in found:
        click.echo(str(violation))
    if found:
        raise SystemExit(1)
    click.echo(f"valid: {event} {direction}")

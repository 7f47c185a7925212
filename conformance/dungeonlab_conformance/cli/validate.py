"""`validate`: payloads in files against their schema. Needs no server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli.options.paths import FILES

if TYPE_CHECKING:
    from dungeonlab_conformance.payloads.in_files import Judged, NotJudged

DIRECTIONS = ("request", "ack", "emission")
_LONGEST = 300  # characters of a pointer that are shown


@click.command()
@click.argument("event")
@click.argument("named", metavar="[FILE]...", type=FILES, nargs=-1)
@click.option("--direction", type=click.Choice(DIRECTIONS), default="request", show_default=True)
@click.option("--lines", is_flag=True, help="One payload a line, as always in files named .ndjson or .jsonl.")
@click.option("--format", "form", type=click.Choice(("text", "github")), default="text", show_default=True)
def validate(event: str, named: tuple[Path, ...], direction: Any, lines: bool, form: str) -> None:
    """Check JSON payloads from FILEs (or standard input) against the schema of EVENT.

    FILE may be a pattern such as 'messages/**/*.json', or - for standard input. Each fault is a line,
    FILE:LINE: /pointer: what is wrong; with --format github, an annotation of GitHub Actions.

    Exit codes: 0 all are valid; 1 some are not; 2 wrong usage, or something could not be judged: the rest was.
    """
    from dungeonlab_conformance.payloads.in_files import NotJudged
    from dungeonlab_conformance.text.files import STANDARD
    from dungeonlab_spec.payloads import Unknown, payload_of

    try:
        payload_of(event, direction)
    except Unknown as fault:  # said before anything is read: standard input may be a person's keyboard
        raise click.UsageError(str(fault)) from None
    count = {"valid": 0, "invalid": 0, "not judged": 0}
    for each in _judged(named or (STANDARD,), event, direction, lines):
        if isinstance(each, NotJudged):
            count["not judged"] += 1
        else:
            count["invalid" if each.faults else "valid"] += 1
        for line in _annotations(each, f"{event} {direction}") if form == "github" else _sentences(each):
            click.echo(line, err=form == "text" and isinstance(each, NotJudged))
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in count.items() if number)
    click.echo(f"{event} {direction}: {kinds}")
    raise SystemExit(2 if count["not judged"] else 1 if count["invalid"] else 0)


def _judged(named: Iterable[Path], event: str, direction: Any, lines: bool) -> Iterator[Judged | NotJudged]:
    from dungeonlab_conformance.payloads.in_files import NotJudged, found, judged

    for file in found(named):
        yield from [file] if isinstance(file, NotJudged) else judged(file, event, direction, of_lines=lines)


def _sentences(each: Judged | NotJudged) -> Iterator[str]:
    from dungeonlab_conformance.text.printable import one_line, without_commands

    for file, line, said in _said(each):
        yield without_commands(one_line(f"{file}:{line}: {said}" if line else said))


def _annotations(each: Judged | NotJudged, title: str) -> Iterator[str]:
    """Yield commands to GitHub Actions: https://docs.github.com/actions, workflow commands."""
    from dungeonlab_conformance.text.printable import one_line

    def escaped(text: object) -> str:
        return one_line(str(text)).replace("%", "%25")

    for file, line, said in _said(each):
        properties = {"file": file, "line": line or 1, "title": title}
        shown = ",".join(f"{k}={escaped(v).replace(':', '%3A').replace(',', '%2C')}" for k, v in properties.items())
        yield f"::error {shown}::{escaped(said)}"


def _said(each: Judged | NotJudged) -> Iterator[tuple[str, int | None, str]]:
    """Yield of each fault the file, the line and what is wrong; without a line, the file's name is part of that."""
    from dungeonlab_conformance.payloads.in_files import NotJudged
    from dungeonlab_conformance.text.files import shown
    from dungeonlab_conformance.text.printable import shortened

    if isinstance(each, NotJudged):
        yield shown(each.file), each.line, each.sentence
        return
    for line, fault in each.faults:
        place = shortened(fault.pointer, _LONGEST) or "/"
        yield shown(each.file), line, f"{place}: expected {fault.expected}, got {fault.got}"

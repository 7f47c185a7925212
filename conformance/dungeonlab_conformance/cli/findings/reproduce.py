"""`reproduce`: a finding as one file that stands alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dungeonlab_conformance.cli.findings.chosen import choosing, chosen, server_of
from dungeonlab_conformance.cli.options import reports
from dungeonlab_conformance.cli.options.paths import FILE
from dungeonlab_conformance.cli.options.target import pointing
from dungeonlab_conformance.cli.report_diff_recheck import loaded


@click.command()
@choosing
@click.option(
    "--language",
    type=click.Choice(["python", "javascript"]),
    help="For python-socketio, or for Node.js and socket.io-client.  [default: by the name of FILE; else python]",
)
@click.option("-o", "--output", type=FILE, default="-", metavar="FILE", help="Write to FILE.  [default: the output]")
@pointing
def reproduce(
    result: Path,
    requirement: str,
    language: str | None,
    output: Path,
    url: str | None,
    target_file: Path | None,
    scale: float,
    **which: Any,
) -> None:
    """Write one file that shows a failure in RESULT by itself, without this suite.

    It logs in as the target file says, plays the messages, and prints what was expected and what came. It exits with
    1 while the fault is there, with 0 when it is mended, and with 2 if the stage could not be set. It holds no
    secrets: those come from the environment. Exit codes of this command: 0 written; 2 wrong usage, or a failure that
    cannot be shown so.
    """
    from dungeonlab_conformance.runner.reproduction.statements import Irreproducible
    from dungeonlab_conformance.runner.reproduction.writer import reproduction
    from dungeonlab_conformance.text import files
    from dungeonlab_conformance.text.printable import one_line, shortened

    if output != files.STANDARD:
        reports.make_sure_of({"output": output}, read=[result, target_file])
    run = loaded(result)
    verdict, finding = chosen(run, requirement, which["event"], which["number"])
    target = server_of(run, url, target_file, scale, references=True)
    spoken = language or ("javascript" if output.suffix in (".mjs", ".js") else "python")
    name = (
        {"python": "reproduce.py", "javascript": "reproduce.mjs"}[spoken] if output == files.STANDARD else output.name
    )
    try:
        text = reproduction(verdict.title, finding, target, spoken, name, at_once=which["at_once"])
    except Irreproducible as why:
        said = one_line(shortened(target.secrets.redact(str(why)), 400))
        click.echo(f"{verdict.title} cannot be reproduced by one file: {said}", err=True)
        raise SystemExit(2) from None
    try:
        files.write(text, output)
    except OSError as error:
        raise click.UsageError(f"{output} could not be written: {error.strerror}") from None
    if output != files.STANDARD:
        click.echo(f"{output} exits with 1 while the fault is there, and with 0 when it is mended")

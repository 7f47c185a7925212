"""The command line: parses, calls, prints and exits. What a command needs is imported inside it."""

from __future__ import annotations

import io
import sys

import click

from dungeonlab_conformance.cli.docs import docs
from dungeonlab_conformance.cli.export import export, init
from dungeonlab_conformance.cli.payload import validate
from dungeonlab_conformance.cli.probe import probe
from dungeonlab_conformance.cli.replay import replay
from dungeonlab_conformance.cli.report import diff, report
from dungeonlab_conformance.cli.requirements import explain, list_
from dungeonlab_conformance.cli.run import run


class _Commands(click.Group):
    """Ends as a run does when it is interrupted, also before a run has begun."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dungeonlab-conformance")
def main() -> None:
    """Judge any server against the real-time protocol of DungeonLab.

    Exit codes: 0 every MUST held; 1 at least one was broken; 2 wrong usage; 3 the target could not be tested;
    4 the suite's own fault; 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter is no reason to fail


for command in (run, report, diff, replay, list_, explain, probe, validate, init, export, docs):
    main.add_command(command)

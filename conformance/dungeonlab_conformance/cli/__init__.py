"""The command line: parses, calls, prints and exits. What a command needs is imported inside it."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import click

from dungeonlab_conformance.cli.clients.client import client
from dungeonlab_conformance.cli.clients.tap import tap
from dungeonlab_conformance.cli.compare import compare
from dungeonlab_conformance.cli.docs import docs
from dungeonlab_conformance.cli.findings.replay import replay
from dungeonlab_conformance.cli.findings.reproduce import reproduce
from dungeonlab_conformance.cli.findings.search import search
from dungeonlab_conformance.cli.init_export import export, init
from dungeonlab_conformance.cli.list_explain import explain, list_
from dungeonlab_conformance.cli.probe import probe
from dungeonlab_conformance.cli.report_diff_recheck import diff, recheck, report
from dungeonlab_conformance.cli.run import run
from dungeonlab_conformance.cli.streams import Streams
from dungeonlab_conformance.cli.validate import validate
from dungeonlab_conformance.text.printable import sentence_of
from dungeonlab_conformance.text.system import shortage


class _Commands(click.Group):
    """Ends with one sentence and the code for whose fault it is, whatever goes wrong outside of a run."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Parse, call and exit. What could not be printed is wrong usage, unless there is more to say."""
        with Streams() as streams:
            try:
                found = super().main(*args, **options)
            except SystemExit as ended:
                found = ended.code
                if not options.get("standalone_mode", True):
                    raise
            except Exception as fault:  # our own, whatever it is: a stack trace helps nobody who only runs this
                if not options.get("standalone_mode", True):
                    raise
                logging.getLogger(__name__).debug("%s", traceback.format_exc())
                lacking = shortage(fault)
                own = f"the suite itself failed: {sentence_of(fault)}; please report it"
                click.echo(f"Error: {lacking}" if lacking else own, err=True)
                found = 2 if lacking else 4
        if not options.get("standalone_mode", True):
            return found
        raise SystemExit(found or (2 if streams.problem else 0))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dungeonlab-conformance")
def main() -> None:
    """Judge servers and clients by the real-time protocol of DungeonLab.

    Exit codes: 0 every MUST held; 1 at least one was broken; 2 wrong usage; 3 something could not be judged;
    4 the suite's own fault; 130 interrupted.
    """


for command in (
    run,
    search,
    tap,
    report,
    diff,
    compare,
    recheck,
    replay,
    reproduce,
    list_,
    explain,
    probe,
    client,
    validate,
    init,
    export,
    docs,
):
    main.add_command(command)

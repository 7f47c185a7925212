"""The options ``--wait`` and ``--restart-wait``: a server is waited for, before it is judged and when it died."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli.options.target import Between

if TYPE_CHECKING:
    from dungeonlab_conformance.runner.interruptions.signals import Signals
    from dungeonlab_conformance.target.target import Target

LONGEST = 3600  # seconds


def waiting(command: Any) -> Any:
    """Add ``--wait``, in seconds, to a command."""
    option = click.option(
        "--wait",
        type=Between(0, LONGEST),
        default=0.0,
        metavar="SECONDS",
        help="Wait so long for a server that is starting; go on as soon as it is up.",
    )
    return option(command)


def restarting(command: Any) -> Any:
    """Add ``--restart-wait``, in seconds, to a command."""
    option = click.option(
        "--restart-wait",
        type=Between(0.1, LONGEST),
        metavar="SECONDS",
        help="If the server dies, wait so long for it to be started again, and go on.  "
        "[default: what the target file says, or the run ends]",
    )
    return option(command)


def tell(line: str) -> None:
    """Say on standard error what is waited for."""
    click.echo(line, err=True)


def until_up(target: Target, seconds: float, signals: Signals) -> None:
    """Wait for a server; what comes next says whether it is up. A signal ends the waiting, and is left to be heeded."""
    import asyncio
    from contextlib import suppress

    from dungeonlab_conformance.clients.handshake import wait_for
    from dungeonlab_conformance.target.target import EMBEDDED

    if seconds and target.url != EMBEDDED:
        with suppress(asyncio.CancelledError):
            asyncio.run(signals.until_stopped(wait_for(target, seconds, tell)))

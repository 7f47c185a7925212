"""Options that say which server is meant, and the target they are turned into."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.cli.options.paths import FileName

if TYPE_CHECKING:
    from dungeonlab_conformance.target.target import Target


EMPTY_URL = (
    "it is empty, as if the variable or secret that it comes from were not set; "
    "give the server's, such as http://127.0.0.1:3000"
)


class WrongFile(click.ClickException):
    """Something is wrong with the target's file: one sentence with file and line, and nothing about the usage."""

    exit_code = 2


class BrokenAdapter(click.ClickException):
    """The target's adapter cannot be had, so there is no target."""

    exit_code = 3


class Between(click.FloatRange):
    """A number between two others; unlike for `click.FloatRange`, what is not a number is not between them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not a number", param, ctx)
        return found


def scaling(command: Any) -> Any:
    """Add ``--timeout``."""
    return click.option(
        "--timeout",
        "scale",
        type=Between(0.01, 100),
        default=1.0,
        show_default=True,
        help="Scale of every time limit.",
    )(command)


def targeting(command: Any) -> Any:
    """Add ``--target`` to a command whose servers are named by URLs."""
    return click.option(
        "--target",
        "target_file",
        type=FileName(dir_okay=True),
        metavar="FILE",
        help="What is to be known about servers that are URLs.",
    )(command)


def pointing(command: Any) -> Any:
    """Add URL, ``--target`` and ``--timeout``."""
    for option in (
        scaling,
        click.option(
            "--target",
            "target_file",
            type=FileName(dir_okay=True),
            metavar="FILE",
            help="What is to be known about the server; a URL beside it takes the place of the file's own.  "
            "[default: dungeonlab-target.toml here, if no URL is given; beside a URL that file is not used]",
        ),
        click.argument("url", required=False, callback=_some_url),
    ):
        command = option(command)
    return command


def _some_url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty URL: it comes of a variable or secret that is not set, and never means the bundled server."""
    if value is not None and not value.strip():
        raise click.BadParameter(EMPTY_URL)
    return value and value.strip()


def make_target(
    url: str | None, target_file: Path | None, transport: str | None, scale: float, *, references: bool = False
) -> Target:
    """Return the target that a command was given: a file's, a bare URL's, or the bundled reference server.

    A URL beside ``--target`` takes the place of the file's own; without that, a file that happens to lie here is
    not used, since what it holds may be secret and for another server. That is said on standard error. With
    `references`, `${NAME}` is left in place of what a file takes from the environment, but for its URL.
    """
    from dungeonlab_conformance.results.errors import TargetFault
    from dungeonlab_conformance.target.file.document import AdapterFault, FileFault
    from dungeonlab_conformance.target.file.load import find, load_target, unused
    from dungeonlab_conformance.target.limits import Limits
    from dungeonlab_conformance.target.target import EMBEDDED, Target

    file = target_file or (find() if url is None else None)
    if url is not None and file is None and (notice := unused()):
        click.echo(notice, err=True)
    try:
        if file is not None:
            found = load_target(file, url=url, transport=transport, scale=scale)
            if not references:
                return found
            return load_target(file, url=found.url, transport=transport, scale=scale, references=True)
        return Target(url or EMBEDDED, transport=transport or "websocket", limits=Limits(scale))
    except AdapterFault as fault:
        raise BrokenAdapter(str(fault)) from None
    except FileFault as fault:
        raise WrongFile(str(fault)) from None
    except TargetFault as fault:
        raise click.UsageError(str(fault)) from None

"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from dungeonlab_conformance.text.system import allow_resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dungeonlab_conformance.checks.registry import Check
    from dungeonlab_conformance.runner.selection import Pair, Scene, Selection


class TooLittle(click.ClickException):
    """The system gives too little for a run: one sentence, and nothing about the usage."""

    exit_code = 2


def make_sure_of_system() -> None:
    """Make sure, before anything is played, that the system allows what that takes, as far as it can be asked for."""
    if lacking := allow_resources():
        raise TooLittle(lacking)


def selecting(command: Any) -> Any:
    """Add the options by which requirements are selected."""
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
        click.option(
            "--protocol-version",
            metavar="VERSION",
            callback=_known_version,
            help="Only what this version of the protocol demands.  [default: the newest]",
        ),
    ):
        command = option(command)
    return command


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}  # in seconds
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(s|m|h|)")


def duration(_: click.Context, __: click.Parameter, value: str) -> float:
    """Return the seconds that a text such as `90`, `1.5s`, `10m` or `1h` says; anything else is wrong usage."""
    found = _DURATION.fullmatch(value.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise click.BadParameter(f"{value!r} is no time greater than zero; write seconds, or 10m, or 1h")
    return seconds


time_limit = click.option(
    "--time-limit",
    callback=duration,
    default="10m",
    show_default=True,
    metavar="SECONDS|10m",
    help="End the run after that time, with what it has found; exit code 3.",
)
fail_on = click.option(
    "--fail-on",
    type=click.Choice(["must", "should", "may"]),
    default="must",
    show_default=True,
    help="The weakest level that fails the run.",
)


def _known_version(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    from dungeonlab_spec import Catalogue

    if value is not None and value not in Catalogue.load().versions:
        raise click.BadParameter(f"there is no version {value!r}; there is {', '.join(Catalogue.load().versions)}")
    return value


def chosen_scenes(selection: Selection, more: Sequence[Check] = ()) -> list[Scene]:
    """Return the scenes of a selection, of `more` checks too; a value that selects none is wrong usage."""
    from dungeonlab_conformance.runner.selection import judgeable, scenes
    from dungeonlab_spec import Catalogue

    catalogue = Catalogue.load()
    refuse_vain(selection, judgeable(catalogue, more))
    return scenes(selection, catalogue, more)


def refuse_vain(selection: Selection, offered: Sequence[Pair], what: str = "check") -> None:
    """Make sure that each value of a selection selects something of what is offered; else it is wrong usage."""
    from dungeonlab_conformance.runner.selection import in_vain
    from dungeonlab_spec import Catalogue

    if why := in_vain(selection, Catalogue.load(), offered, what):
        raise click.UsageError(why)

"""`--fuzz` and `--seed`: generated payloads, which need an extra to be installed."""

from __future__ import annotations

import importlib.util
import secrets
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dungeonlab_conformance.checks.registry import Check

MISSING = "{} needs schemathesis; install it with: pip install 'schemathesis>=4.10,<5'"


def fuzzing(command: Any) -> Any:
    """Add the options."""
    for option in (
        click.option(
            "--seed",
            "number",
            type=click.IntRange(0, 2**32 - 1),
            metavar="S",
            help="Make up the same payloads again.  [default: others each time]",
        ),
        click.option(
            "--fuzz",
            type=click.IntRange(1),
            metavar="N",
            help="Try N valid and N invalid payloads of each event besides, made up from its schema.",
        ),
    ):
        command = option(command)
    return command


def checks(count: int | None, number: int | None) -> tuple[tuple[Check, ...], list[str]]:
    """Return the checks to play besides, and the options that repeat exactly them."""
    if not count:
        if number is not None:
            raise click.UsageError("--seed says which payloads are made up; say how many with --fuzz N")
        return (), []
    if importlib.util.find_spec("schemathesis") is None:
        raise click.UsageError(MISSING.format("--fuzz"))
    from dungeonlab_conformance.checks import generated_payloads

    number = secrets.randbelow(2**32) if number is None else number
    return generated_payloads.checks(count, number), ["--fuzz", str(count), "--seed", str(number)]

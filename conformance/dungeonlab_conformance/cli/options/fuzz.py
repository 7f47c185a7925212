"""`--fuzz` and `--seed`: generated payloads, which need an extra to be installed."""

from __future__ import annotations

import importlib.util
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dungeonlab_conformance.checks.registry import Check
    from dungeonlab_conformance.results.run import RunOptions

MISSING = "{} needs schemathesis; install it with: pip install 'schemathesis>=4.10,<5'"


def fuzzing(command: Any) -> Any:
    """Add the options."""
    for option in (
        click.option(
            "--seed",
            type=click.IntRange(0, 2**32 - 1),
            metavar="S",
            help="Make up the same payloads again.  [default: others each time]",
        ),
        click.option(
            "--fuzz",
            type=click.IntRange(1),
            metavar="N",
            help="Try N valid and N invalid generated payloads of each event too.",
        ),
    ):
        command = option(command)
    return command


def with_seed(options: RunOptions) -> RunOptions:
    """Return options that make up the same payloads each time."""
    if not options.fuzz and options.seed is not None:
        raise click.UsageError("--seed says which payloads are generated; say how many with --fuzz N")
    if options.fuzz and importlib.util.find_spec("schemathesis") is None:
        raise click.UsageError(MISSING.format("--fuzz"))
    return replace(options, seed=secrets.randbelow(2**32)) if options.fuzz and options.seed is None else options


def checks(options: RunOptions) -> tuple[Check, ...]:
    """Return the checks to play besides."""
    if options.fuzz is None or options.seed is None:
        return ()
    from dungeonlab_conformance.checks import generated_payloads

    return generated_payloads.checks(options.fuzz, options.seed)

"""What is said when clients cannot connect where they were to: the port is taken, or nobody may have it."""

from __future__ import annotations

import os

import click


def cannot_listen(where: str, error: OSError, *choices: str) -> click.UsageError:
    """Return the error that says why nothing can listen there, and which options to choose otherwise."""
    why = (os.strerror(error.errno) if error.errno else str(error)).lower()
    return click.UsageError(f"cannot listen {where}: {why}; choose another {' or '.join(choices)}")

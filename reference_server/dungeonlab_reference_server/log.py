"""How the server logs a fault of its own: the exception and where it was raised, without the message.

The message of an exception may quote what a client sent, and that must not be logged.
"""

from __future__ import annotations

import traceback


def traceback_without_message(error: BaseException) -> str:
    """Return an exception's class and the lines of code that it passed through."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"

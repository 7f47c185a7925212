"""How a fault of the server's own is told in a log: where it happened, without what it says.

The message of an exception may quote what a client sent, and a log is no place for that.
"""

from __future__ import annotations

import traceback


def traceback_without_message(fault: BaseException) -> str:
    """Return the kind of an exception and the lines of code it came through."""
    return f"{type(fault).__name__}\n{''.join(traceback.format_tb(fault.__traceback__))}"

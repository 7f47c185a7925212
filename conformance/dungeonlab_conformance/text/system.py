"""What the system did not give, in words for people."""

from __future__ import annotations

import errno

_FILES = "the system lets this process open too few files and connections; raise the limit, as by `ulimit -n 1024`"


def shortage(fault: BaseException) -> str | None:
    """Return in one sentence what the system did not give, if that is why something failed; else None."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    at: BaseException | None = fault
    while at is not None:
        if isinstance(at, OSError) and at.errno in (errno.EMFILE, errno.ENFILE):
            return _FILES
        at = at.__cause__ or at.__context__
    return None

"""What the system or the environment does not give, and how it says that a program ended, in words for people."""

from __future__ import annotations

import errno
import os
import resource
import signal

_FILES = "the system lets this process open too few files and connections; raise the limit, as by `ulimit -n 1024`"
_MEMORY = "it takes more memory than there is; raise the limit, as by `ulimit -v unlimited`"
_NO_ROOM = ("can't start new thread", "failed to map segment", "cannot allocate memory")  # of errors of other kinds
_NEEDED, _ALLOWED = 512, 8192  # files and connections: of a run with 64 scenes side by side, and all that may be open
_ADDRESSES = 640 << 20  # bytes; with less than 500 MiB a run ends in the middle of whatever it does, or not at all
_KEY_LOG = "SSLKEYLOGFILE"  # where keys of TLS are written, as whatever uses TLS is imported


def allow_resources() -> str | None:
    """Let this process, and those that it starts, have what a run may need; a sentence if they may not."""
    if _allowed(resource.RLIMIT_NOFILE, _ALLOWED) < _NEEDED:
        return _FILES
    return _MEMORY if _allowed(resource.RLIMIT_AS, _ADDRESSES) < _ADDRESSES else None


def _allowed(limit: int, wanted: int) -> int:
    """Raise a limit to what is wanted, as far as it may be; returns how much of that there is."""
    soft, hard = resource.getrlimit(limit)
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(limit, (most, hard))
    return most


def shortage(fault: BaseException) -> str | None:
    """Return in one sentence what the system did not give, if that is why something failed; else None."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    at: BaseException | None = fault
    while at is not None:
        if isinstance(at, OSError) and at.errno in (errno.EMFILE, errno.ENFILE):
            return _FILES
        if isinstance(at, OSError) and at.filename and at.filename == os.environ.get(_KEY_LOG):
            why = f"{_KEY_LOG} names {at.filename}, which cannot be written: {(at.strerror or str(at)).lower()}"
            return f"{why}; name another file, or unset the variable"
        if _lacks_memory(at):
            return _MEMORY
        at = at.__cause__ or at.__context__
    return None


def _lacks_memory(fault: BaseException) -> bool:
    if isinstance(fault, MemoryError) or (isinstance(fault, OSError) and fault.errno == errno.ENOMEM):
        return True
    return isinstance(fault, RuntimeError | ImportError) and any(said in str(fault).lower() for said in _NO_ROOM)


def how_ended(code: str, by_itself: str = "") -> str:
    """Return how a program ended, by its exit code; a negative one is the number of a signal.

    `by_itself` is put in where no signal ended it.
    """
    try:
        return f"was ended by {signal.Signals(-int(code)).name}"
    except ValueError:
        return f"ended{by_itself} with {code}"

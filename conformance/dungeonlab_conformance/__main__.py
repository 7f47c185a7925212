"""The installed command, and ``python -m dungeonlab_conformance``. Imports what takes time only inside `main`."""

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

_INTERRUPTED = 130  # as everywhere in the suite; what defines it is not imported yet


def main() -> None:
    """Run the command line. A Ctrl-C while it is still being imported ends the process as one later does."""
    _open_closed_streams()
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if handled:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from dungeonlab_conformance.cli import main as command

    if handled:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command()
    except SystemExit as ended:
        _end(ended)


def _open_closed_streams() -> None:
    """Let no socket get the number of a standard stream that is closed: neither loops nor programs expect that."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free


def _end(ended: SystemExit) -> NoReturn:
    """End the process without taking everything apart first: all is written, and memory is given back faster."""
    if not isinstance(ended.code, int | None):
        raise ended
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # one that is closed, or was never open
            stream.flush()
    os._exit(ended.code or 0)


if __name__ == "__main__":
    main()

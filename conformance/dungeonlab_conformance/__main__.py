"""The installed command, and ``python -m dungeonlab_conformance``. Imports what takes time only inside `main`."""

import importlib
import importlib.util
import os
import signal
import sys
from contextlib import suppress
from types import ModuleType
from typing import NoReturn

_INTERRUPTED = 130  # as everywhere in the suite; what defines it is not imported yet
_SYNCHRONOUS = ("requests", "websocket")  # imported by python-engineio for a client not used here


def main() -> None:
    """Run the command line. A Ctrl-C while it is still being imported ends the process as one later does."""
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if handled:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    if sys.argv[1:2] == ["run"]:
        _import_socketio()
    from dungeonlab_conformance.cli import main as command

    if handled:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command()
    except SystemExit as ended:
        _end(ended)


class _WhenUsed(ModuleType):
    """Stands for a module that is imported as soon as something of it is used."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def _import_socketio() -> None:
    """Import python-socketio without what only its synchronous client uses, which takes a tenth of a second."""
    names = [name for name in _SYNCHRONOUS if name not in sys.modules and importlib.util.find_spec(name)]
    sys.modules.update((name, _WhenUsed(name)) for name in names)
    try:
        importlib.import_module("socketio")
    finally:
        for name in names:
            del sys.modules[name]


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

"""The installed command, and ``python -m dungeonlab_conformance``. Imports what takes time only inside `main`."""

import os
import signal

_INTERRUPTED = 130  # as everywhere in the suite; what defines it is not imported yet


def main() -> None:
    """Run the command line. A Ctrl-C while it is still being imported ends the process as one later does."""
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if handled:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from dungeonlab_conformance.cli import main as command

    if handled:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command()


if __name__ == "__main__":
    main()

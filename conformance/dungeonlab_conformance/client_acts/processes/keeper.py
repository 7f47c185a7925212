"""Starts a program in a process group of its own, and ends the group when standard input ends: a process of its own.

What starts this holds the other end of its standard input. The system closes that when the holder dies, also by
SIGKILL, which nobody can heed. Run by its path, with the program's command; it imports the standard library only.
Standard error is the program's output. On standard output it says ``started PID`` or ``failed REASON``, and in the end
``exited CODE``, negative for a signal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

_FIRM = 5.0  # seconds for the system to end a program after SIGKILL


def keep(command: Sequence[str]) -> None:
    """Run a program until standard input ends, and then end its group, in which others may be left."""
    try:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True
        )
    except (OSError, ValueError) as error:
        _say(f"failed {getattr(error, 'strerror', None) or error}")
        return
    _say(f"started {program.pid}")
    waiting = threading.Thread(target=lambda: _say(f"exited {program.wait()}"), daemon=True)
    waiting.start()
    while os.read(0, 1):
        pass
    with suppress(ProcessLookupError, PermissionError):  # nobody is left in the group
        os.killpg(program.pid, signal.SIGKILL)
    waiting.join(_FIRM)


def _say(what: str) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(1, f"{what}\n".encode("utf-8", "replace"))


if __name__ == "__main__":
    keep(sys.argv[1:])

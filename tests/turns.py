"""One limit for the judgements of whole servers that are under way on this machine, in whichever processes they are.

Each takes a server and a process that judges it; of too many at once, none gets its answers in time.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

AT_ONCE = 2 * (os.cpu_count() or 1)  # while one waits for an answer, the other one computes
_FOLDER = Path(tempfile.gettempdir()) / f"dungeonlab-turns-{os.getuid()}"
_LOOK = 0.05  # seconds between two looks for a free turn


@contextmanager
def turn(at_once: int = AT_ONCE) -> Iterator[None]:
    """Wait until fewer than so many are under way, and be one of them while the block runs.

    A turn is a locked file, which the system unlocks when its process ends, in whatever way.
    """
    _FOLDER.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as stack:
        files = [stack.enter_context((_FOLDER / str(number)).open("w")) for number in range(at_once)]
        while not any(map(_lock, files)):
            time.sleep(_LOOK)
        yield


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

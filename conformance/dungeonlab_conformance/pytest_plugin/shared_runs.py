"""One run for all processes of a pytest session: the first to need it plays, the others wait and read the result.

Imports nothing heavy: the pytest plugin does not either.

pytest-xdist gives each worker a process of its own, and any of them may be handed any item. Only one of them may play
at a time: ready-made sessions are shared, and who else is in them would change what is judged. The lock belongs to the
operating system, so a worker that crashes while it plays releases it, and the next one plays.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dungeonlab_conformance.results.run import Run


class SharedRuns:
    """The runs of one pytest session, by the node id of the suite; each is played once.

    `folder` is where the processes of the session meet. It need not exist, and None means that there is one process.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, Run] = {}

    def get(self, suite: str, play: Callable[[], Run]) -> Run:
        """Return the run of a suite; plays it unless this or another process has."""
        if suite not in self._known:
            self._known[suite] = play() if self._folder is None else _first_plays(self._folder, suite, play)
        return self._known[suite]

    def all(self) -> list[Run]:
        """Return every run that any process of the session has played."""
        files = sorted(self._folder.glob("*.json")) if self._folder else []
        return [_read(file) for file in files] or list(self._known.values())


def _first_plays(folder: Path, suite: str, play: Callable[[], Run]) -> Run:
    from dungeonlab_conformance.results.to_json import write

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{hashlib.sha256(suite.encode()).hexdigest()}.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if file.exists():
            return _read(file)
        run = play()
        unfinished = file.with_suffix(".part")
        try:
            write(run, unfinished)
            unfinished.replace(file)
        except OSError:  # a full disk: the next process plays again, after this one
            unfinished.unlink(missing_ok=True)
        return run


def _read(file: Path) -> Run:
    from dungeonlab_conformance.results.load import load_run
    from dungeonlab_conformance.results.run import Run

    try:
        return load_run(file)
    except ValueError as error:
        return Run("", own_fault=f"what another worker found cannot be read: {error}")

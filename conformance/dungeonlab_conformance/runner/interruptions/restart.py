"""Has a server back that died: by the command of the target's file, or by waiting for its supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from typing import IO

from dungeonlab_conformance.clients.handshake import reach
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.target.target import Target

_USUAL = 30.0  # seconds for a server that a command restarts, if nobody says how long
_PAUSE = 0.1  # seconds between two looks whether it is back
_KEPT = 2_000  # bytes of what a command said last


class Restart:
    """How a server comes back. A command that is itself the server runs on until the run ends, or the next restart."""

    def __init__(self, target: Target, wait: float | None) -> None:
        """`wait` is for how many seconds to wait, if the user says so; if not, the target's file may."""
        self.target = target
        self.patience = wait or target.restart_wait or (_USUAL if target.restart else 0.0)
        self._process: asyncio.subprocess.Process | None = None
        self._said: IO[bytes] | None = None

    @property
    def is_possible(self) -> bool:
        """Whether a server that died may come back in this run."""
        return self.patience > 0

    async def bring_back(self) -> None:
        """Return once the server answers again. Raises `TargetFault` with one sentence if it does not in time."""
        await self.end()
        until = time.monotonic() + self.patience
        if self.target.restart:
            await self._start()
        why = "it was not looked for"
        while time.monotonic() < until:
            self._check()
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + until - time.monotonic()):
                    return await reach(self.target)
            except TargetFault as fault:
                why = str(fault)
            except TimeoutError:
                break
            await asyncio.sleep(_PAUSE)
        await self.end()
        raise TargetFault(f"the server died and was not back within {self.patience:g} s: {why}")

    async def _start(self) -> None:
        command = self.target.restart
        folder = os.path.dirname(self.target.file or "") or "."  # noqa: PTH120 - asyncio wants no file system
        said = self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would end with us, and the server by it
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise TargetFault(f"the restart command {command[0]!r} could not be run: {why}") from None

    def _check(self) -> None:
        """Raise `TargetFault` if the command failed."""
        if self._process is not None and self._process.returncode:
            code, said = self._process.returncode, self._last_line()
            why = f"the restart command {self.target.restart[0]!r} ended with {code}"
            raise TargetFault(self.target.secrets.redact(why + f": {said}" * bool(said)))

    def _last_line(self) -> str:
        assert self._said is not None
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _KEPT))
        lines = self._said.read(_KEPT).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    async def end(self) -> None:
        """End the command that was started, if it still runs, with what it has started in turn."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._said is not None:
            self._said.close()
            self._said = None

"""The program under test: started in a process group of its own, its output kept within bounds, and ended for certain.

Knows nothing of the protocol. What the program starts belongs to it and ends with it, unless it leaves the group. All
of it ends with this process as well, even with one that is killed: a keeper starts it, and outlives both.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from dungeonlab_conformance.results.errors import TargetFault

_KEEPER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py")))
_FIRST, _LAST = 4_000, 12_000  # bytes of the output that are kept: of its beginning, and of its end
_POLITE = 2.0  # seconds after SIGTERM within which a program may end by itself
_FIRM = 5.0  # seconds for the system to end it after SIGKILL
_STARTS = 60.0  # seconds for a program to be started, on a busy machine
_WAKE = 0.5  # seconds after which a keeper that is silent may have been stopped by its program, and is woken
T = TypeVar("T")


class Output:
    """What a program prints, errors included: the beginning and the end of it, whatever its size."""

    def __init__(self) -> None:
        self._first = b""
        self._last: deque[bytes] = deque()
        self._size = 0  # of what `_last` holds
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Keep more of it."""
        room = _FIRST - len(self._first)
        self._first += data[:room]
        if data := data[room:]:
            self._last.append(data)
            self._size += len(data)
        while self._size > _LAST:
            oldest = self._last.popleft()
            kept = oldest[min(len(oldest), self._size - _LAST) :]
            self._left_out += len(oldest) - len(kept)
            self._size -= len(oldest) - len(kept)
            if kept:
                self._last.appendleft(kept)

    @property
    def text(self) -> str:
        """What was kept, with a line in place of what was not."""
        if not self._left_out:
            return (self._first + b"".join(self._last)).decode(errors="replace")
        end = b"".join(self._last).decode(errors="replace")
        return f"{self._first.decode(errors='replace')}\n… {self._left_out} bytes left out …\n{end}"


class Program:
    """A program that runs. `crashed` says so once it has ended by itself otherwise than well."""

    def __init__(self, keeper: asyncio.subprocess.Process, group: int, printed: asyncio.StreamReader) -> None:
        """`keeper` is the process that has started it; `group` is that of the program's processes."""
        self._keeper = keeper
        self._group = group
        self._printed = printed
        self._asked = False  # whether we have asked it to end
        self.output = Output()
        self._reading = asyncio.create_task(self._read())
        self.ended = asyncio.create_task(self._wait())

    @property
    def exit_code(self) -> int | None:
        """How it ended by itself; None as long as it runs, and if it was asked to end."""
        return self.ended.result() if self.ended.done() and not self.ended.cancelled() else None

    @property
    def crashed(self) -> bool:
        """Whether it ended by itself, by a signal or with another code than 0."""
        return bool(self.exit_code)

    async def end(self) -> None:
        """End it and all that it started: politely, then firmly."""
        self._asked = self._asked or not self.ended.done()
        self._signal(signal.SIGTERM)
        await asyncio.wait((self.ended,), timeout=_POLITE)
        self._signal(signal.SIGKILL)
        await _released(self._keeper)
        await asyncio.wait((self._reading,), timeout=_FIRM)  # ends with the last process that holds the other end
        self._reading.cancel()
        self.ended.cancel()

    async def _wait(self) -> int | None:
        word, _, code = await _said(self._keeper)
        return None if self._asked or word != "exited" else int(code)

    async def _read(self) -> None:
        while data := await self._printed.read(65_536):
            self.output.add(data)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # nobody is left in the group
            os.killpg(self._group, number)


@asynccontextmanager
async def running(command: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[Program]:
    """Run a program while the block runs, with more in its environment.

    Raises `TargetFault` if it cannot be started.
    """
    reads, writes = os.pipe()  # one of asyncio's own would have a program last as long as whom it hands it on to
    printed = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(printed), os.fdopen(reads, "rb")
    )
    try:
        try:
            keeper, group = await _started(command, environment, writes)
        finally:
            os.close(writes)
        program = Program(keeper, group, printed)
        try:
            yield program
        finally:
            await asyncio.shield(program.end())
    finally:
        transport.close()


async def _started(
    command: Sequence[str], environment: Mapping[str, str], output: int
) -> tuple[asyncio.subprocess.Process, int]:
    """Return the keeper and the group of a program that it has started."""
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *_KEEPER,
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C reaches this process alone
        )
    )
    try:
        keeper = await asyncio.shield(starting)
        word, _, rest = await _woken(keeper, _said(keeper), _STARTS) or ("", "", "it is stopped again and again")
        if word == "started":
            return keeper, int(rest)
        await _released(keeper)
        why = rest or "no process can be started"
    except asyncio.CancelledError:  # it may have started others by now, which nobody would end
        with suppress(OSError, ValueError):
            await _released(await starting)
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
    raise TargetFault(f"the client {command[0]!r} cannot be started: {why.lower()}") from None


async def _said(keeper: asyncio.subprocess.Process) -> tuple[str, str, str]:
    """Return the next thing that a keeper says: a word, a space, and what belongs to it; nothing at its end."""
    assert keeper.stdout is not None
    return (await keeper.stdout.readline()).decode("utf-8", "replace").strip().partition(" ")


async def _released(keeper: asyncio.subprocess.Process) -> None:
    """Have a keeper end what it keeps, and then itself."""
    assert keeper.stdin is not None
    keeper.stdin.close()
    if await _woken(keeper, keeper.wait(), _FIRM) is None:
        with suppress(ProcessLookupError):
            keeper.kill()
        await keeper.wait()


async def _woken(keeper: asyncio.subprocess.Process, awaited: Coroutine[Any, Any, T], seconds: float) -> T | None:
    """Wait for a keeper, and wake it now and then: its program may send SIGSTOP to it. None if it takes longer."""
    task = asyncio.create_task(awaited)
    try:
        for _ in range(max(1, round(seconds / _WAKE))):
            await asyncio.wait((task,), timeout=_WAKE)
            if task.done():
                return task.result()
            with suppress(ProcessLookupError):
                keeper.send_signal(signal.SIGCONT)
        return None
    finally:
        task.cancel()

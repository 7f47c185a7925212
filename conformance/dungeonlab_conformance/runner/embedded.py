"""The embedded default: the reference server in a process of its own, on a free port."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from dungeonlab_conformance.results.errors import TargetFault

READY = "Listening on "  # what it prints as soon as it can be connected to, before its URL
_PATIENCE = 20  # seconds for a Python process to start on a busy machine
_LEAVE = 5  # seconds that it may take to end
_FOR_A_RUN = ("--stop-at-eof",)  # it ends with this process, even one that is killed
_ahead: list[subprocess.Popen[bytes]] = []  # of a run that is about to begin: one, or none


def command(*options: str) -> list[str]:
    """Return the words that start the reference server on a free port, for as short a time as a run."""
    words = [sys.executable, "-m", "dungeonlab_reference_server", "--port", "0", "--log-level", "error"]
    return [*words, "--scrypt-n", "2", *options]  # a slow hash would protect accounts that live for seconds


@contextmanager
def starting_ahead() -> Iterator[None]:
    """Have the reference server start in the background, while the block prepares a run; that takes it over."""
    _ahead.append(_start(*_FOR_A_RUN))
    try:
        yield
    finally:
        while _ahead:
            _end(_ahead.pop())


@asynccontextmanager
async def reference_server(*options: str) -> AsyncIterator[str]:
    """Run the reference server while the block runs; yields its URL. Raises `TargetFault` if it does not start."""
    async with started(*_FOR_A_RUN, *options) as server:
        yield server.url


@dataclass(frozen=True, slots=True)
class Started:
    """The reference server, with its standard input and output."""

    url: str
    input: asyncio.StreamWriter
    output: asyncio.StreamReader


@asynccontextmanager
async def started(*options: str) -> AsyncIterator[Started]:
    """Run the reference server while the block runs. Raises `TargetFault` if it does not start."""
    process = _ahead.pop() if _ahead and options == _FOR_A_RUN else _start(*options)
    try:
        async with _streams(process) as (written, read):
            try:
                async with asyncio.timeout(_PATIENCE):
                    line = (await read.readline()).decode()
            except TimeoutError:
                line = ""
            if not line.startswith(READY):
                raise TargetFault("the reference server did not start; run dungeonlab-reference-server to see why")
            yield Started(line.removeprefix(READY).strip(), written, read)
    finally:
        await asyncio.to_thread(_end, process)


def _start(*options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # so that Ctrl-C reaches the suite alone, which still has to clear away
    )


@asynccontextmanager
async def _streams(
    process: subprocess.Popen[bytes],
) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    """Let a process's standard input and output be streams of the running loop, until the block ends."""
    loop = asyncio.get_running_loop()
    read = asyncio.StreamReader()
    reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(read), process.stdout)
    flow = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    writing, _ = await loop.connect_write_pipe(lambda: flow, process.stdin)
    try:
        yield asyncio.StreamWriter(writing, flow, None, loop), read
    finally:
        writing.close()
        reading.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started here, and wait until it has."""
    process.terminate()
    try:
        process.wait(_LEAVE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()

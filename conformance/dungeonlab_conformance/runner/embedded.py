"""The embedded default: the reference server in a process of its own, on a free port."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dungeonlab_conformance.results.errors import TargetFault

READY = "Listening on "  # what it prints as soon as it can be connected to, before its URL
_PATIENCE = 20  # seconds for a Python process to start on a busy machine


def command(*options: str) -> list[str]:
    """Return the words that start the reference server on a free port, for as short a time as a run."""
    words = [sys.executable, "-m", "dungeonlab_reference_server", "--port", "0", "--log-level", "error"]
    return [*words, "--scrypt-n", "2", *options]  # a slow hash would protect accounts that live for seconds


@asynccontextmanager
async def reference_server(*options: str) -> AsyncIterator[str]:
    """Run the reference server while the block runs; yields its URL. Raises `TargetFault` if it does not start."""
    async with started("--stop-at-eof", *options) as server:  # it ends with this process, even one that is killed
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
    process = await asyncio.create_subprocess_exec(
        *command(*options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # so that Ctrl-C reaches the suite alone, which still has to clear away
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        try:
            async with asyncio.timeout(_PATIENCE):
                line = (await process.stdout.readline()).decode()
        except TimeoutError:
            line = ""
        if not line.startswith(READY):
            raise TargetFault("the reference server did not start; run dungeonlab-reference-server to see why")
        yield Started(line.removeprefix(READY).strip(), process.stdin, process.stdout)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

"""The command line as a user meets it: a process of its own, in a folder and an environment of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.conformance import zygote

COMMAND = (sys.executable, "-m", "dungeonlab_conformance")
_PLUGINS = ("asyncio", "anyio", "schemathesis", "hypothesispytest")  # slow to start, and not ours to test
WITHOUT_OTHERS = tuple(word for name in _PLUGINS for word in ("-p", f"no:{name}"))
PYTEST = (sys.executable, "-m", "pytest", *WITHOUT_OTHERS)
_OURS = ("GITHUB_", "CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")  # what a developer's shell or a CI may set
_INTERPRETER = ("PYTHON", "LC_", "LANG")  # variables that are heeded when a process starts
PATIENCE = 300  # seconds, for a busy machine


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what changes how the command behaves."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)} | more


def command(*args: object, cwd: Path | None = None, code: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; or a piece of Python in its place, which spoils something and then runs it.

    The process is a fork of one that has done the imports, unless the interpreter itself is to start otherwise.
    """
    if code:
        return _executed((sys.executable, "-c", code, *map(str, args)), cwd, environment(**more))
    return run_command([str(arg) for arg in args], cwd, environment(**more))


def run_command(
    words: Sequence[str], folder: Path | None, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in a folder, with just these variables."""
    changed = {name for name in variables.keys() | os.environ.keys() if variables.get(name) != os.environ.get(name)}
    if "COVERAGE_PROCESS_CONFIG" in os.environ or any(name.startswith(_INTERPRETER) for name in changed):
        return _executed((*COMMAND, *words), folder, variables)
    return zygote.run(words, folder, variables, PATIENCE)


def _executed(
    words: Sequence[str], folder: Path | None, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, capture_output=True, text=True, cwd=folder, env=variables, timeout=PATIENCE, check=False
    )


@contextmanager
def started(*args: object, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run the command while the block runs."""
    with subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a condition; fails if it does not come to hold."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def lines(file: Path) -> int:
    """Count the whole lines of a file that may not be there yet."""
    return file.read_bytes().count(b"\n") if file.exists() else 0


def unused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

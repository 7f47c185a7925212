"""A run or a search in a process of its own: what it came to, how long it took and how much memory it had."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conformance.command import COMMAND, environment

HANGS = 180.0  # seconds after which a run counts as hanging
MEMORY = 400.0  # megabytes that no run may exceed
ENDS = (0, 1, 3)  # exit codes of a run that was started rightly and not interrupted


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """What a run, or a search, came to: exit code, seconds, peak memory in megabytes, all that it printed.

    `again` is what computing its verdicts again came to, where that was tried and they differ.
    """

    code: int
    seconds: float
    peak: float
    said: str
    again: str = ""

    @property
    def problem(self) -> str:
        """What is wrong with how the run ended, whatever it found; empty if nothing is."""
        if self.seconds > HANGS:
            return "hang"
        if "Traceback (most recent call last)" in self.said:
            return "traceback"
        if self.code not in ENDS:
            return f"exit {self.code}"
        if self.again:
            return f"computed again: {self.again}"
        return f"{self.peak:.0f} MB" if self.peak > MEMORY else ""


def _peak_of(process: int) -> float:
    """Return the peak memory of a process in megabytes; 0 if it has ended, or where /proc does not say.

    What the system states of a process that has ended begins with the memory of whom it was started by.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text("utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


def judge(*words: object, command: str = "run", meanwhile: Callable[[int], object] = lambda _: None) -> SuiteRun:
    """Run `dungeonlab-conformance`, with these words, to its end; `meanwhile` is called with its process id."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said").open("w+", errors="replace") as said:
        began = time.monotonic()
        process = subprocess.Popen(
            [*COMMAND, command, *map(str, words)], stdout=said, stderr=said, cwd=folder, env=environment()
        )
        ending = threading.Timer(HANGS, process.kill)
        ending.start()
        try:
            meanwhile(process.pid)
            peak = 0.0
            while process.poll() is None:
                peak = max(peak, _peak_of(process.pid))
                time.sleep(0.02)
        finally:
            ending.cancel()
            if process.returncode is None:
                process.kill()
                process.wait()
        said.seek(0)
        return SuiteRun(process.returncode, time.monotonic() - began, peak, said.read())


def search(*words: object) -> SuiteRun:
    """Search in the same way, and compute the verdicts again from what was recorded."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        run = judge(*words, "--json", file, command="search")
        again = judge(file, command="recheck") if file.exists() else None
    if again is None or again.code == 0:
        return run
    return replace(run, again=f"exit {again.code}", said=f"{run.said}\n{again.said}")

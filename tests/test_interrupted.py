"""An interrupted or killed pytest leaves no process behind: what tests start ends with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOON = 60  # seconds, for a busy machine
TEST = """
import subprocess, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.serving import Variant, start_worker, reference_server, served


def test_that_is_interrupted():
    with reference_server(), served(Variant()), ProcessPoolExecutor(1, get_context("spawn"), start_worker) as pool:
        pool.submit(int).result()
        subprocess.run([sys.executable, "-m", "dungeonlab_conformance", "run", "--quiet"])
        time.sleep(300)
"""


def running(mark: str) -> dict[int, str]:
    """Return the id and the command of every process that has inherited a mark in its environment."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found[int(process.name)] = " ".join((process / "cmdline").read_text("utf-8", "replace").split("\0"))
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
    return {number: command for number, command in found.items() if command}


def wait_for(mark: str, servers: int) -> dict[int, str]:
    """Wait until so many servers run as programs, or until nothing runs any more; returns what runs then."""
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        found = running(mark)
        if sum("reference_server" in command for command in found.values()) == servers and (servers or not found):
            break
        time.sleep(0.1)
    return found


@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc")
@pytest.mark.parametrize(
    ("processes", "number"),
    [("-n0", signal.SIGINT), ("-n1", signal.SIGINT), ("-n0", signal.SIGKILL)],
)
def test_nothing_is_left(tmp_path: Path, processes: str, number: signal.Signals) -> None:
    """Servers in processes of their own, one in a forked process, a pool, and the server of a run under way all end."""
    (tmp_path / "test_it.py").write_text(TEST, "utf-8")
    mark = f"INTERRUPTED_RUN={uuid.uuid4()}"
    command = [sys.executable, "-m", "pytest", processes, "-q", "-c", f"{ROOT}/pyproject.toml", "--rootdir", str(ROOT)]
    with subprocess.Popen(
        [*command, "-p", "no:cacheprovider", tmp_path / "test_it.py"],
        cwd=ROOT,
        env=os.environ | dict([mark.split("=")]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            assert len(wait_for(mark, servers=2)) > 2
            process.send_signal(number)
            process.wait(SOON)
        finally:
            process.kill()
    left = wait_for(mark, servers=0)
    for left_one in left:
        os.kill(left_one, signal.SIGKILL)
    assert left == {}

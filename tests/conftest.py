"""What tests of several rooms stand on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def reference_url() -> Iterator[str]:
    """Return the URL of a reference server that runs in a process of its own."""
    command = [sys.executable, "-m", "dungeonlab_reference_server", "--port", "0", "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Listening on "), line
        yield line.removeprefix("Listening on ").strip()
        process.terminate()

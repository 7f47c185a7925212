"""What tests of several rooms stand on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

_LONG = ("faulty", "weather", "peers", "target_file")  # which take the longest, by their folders; in this order


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: files are shared out among processes, which are to end at about the same time."""
    items.sort(key=lambda item: next((i for i, room in enumerate(_LONG) if room in item.path.parts), len(_LONG)))


@pytest.fixture(scope="session")
def reference_url() -> Iterator[str]:
    """Return the URL of a reference server that runs in a process of its own."""
    command = [sys.executable, "-m", "dungeonlab_reference_server", "--port", "0", "--log-level", "error"]
    command += ["--scrypt-n", "2"]  # a slow hash would prove nothing here
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Listening on "), line
        yield line.removeprefix("Listening on ").strip()
        process.terminate()

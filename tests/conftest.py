"""Fixtures that tests of several folders use."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from tests.serving import reference_server
from tests.workflows import copy_checkout, git

os.environ.pop("PYTEST_ADDOPTS", None)  # it is for this pytest, not for those that tests start
hypothesis.settings.register_profile("patient", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("patient")

_LONG = (  # folders and files that take longest, in this order
    "mutants",
    "test_ten_minutes.py",
    "test_ten_minutes_of_a_client.py",
    "client_acts",
    "false_alarms",
    "other_stacks",
    "client_programs",
    "test_generated_payloads.py",
    "test_judging.py",
    "hostile",
    "target",
    "test_workers.py",
    "test_recipes.py",
    "test_accidents.py",
    "reference_server",
    "test_action.py",
)

_QUICK = (  # folders and files whose tests carry the mark `quick`: they take 25 s of processor time in all
    "spec",
    "conformance/invariants",
    "conformance/record",
    "conformance/results",
    "conformance/report",
    "reference_server/test_rules.py",
    "reference_server/test_store.py",
    "reference_server/test_rate.py",
    "test_laws.py",
)
_NOT_QUICK = {  # files in these folders that take longer
    "test_agreement.py",
    "test_browser.py",
    "test_totality.py",
    "test_validation.py",
    "test_wording.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the quick tests.

    Begin with what takes longest: files are shared out among processes, which are to end at about the same time.
    """
    for item in items:
        if _is_quick(item.path):
            item.add_marker("quick")
    items.sort(key=lambda item: _rank(item.path))


@cache
def _is_quick(file: Path) -> bool:
    places = [Path(__file__).parent / name for name in _QUICK]
    return file.name not in _NOT_QUICK and any(map(file.is_relative_to, places))


@cache
def _rank(file: Path) -> int:
    """Return the place of a file in the order in which files are begun."""
    return next((i for i, folder in enumerate(_LONG) if folder in file.parts), len(_LONG))


@pytest.fixture(scope="session")
def reference_url() -> Iterator[str]:
    """Return the URL of a reference server that runs in a process of its own."""
    with reference_server() as (_, url):
        yield url


@pytest.fixture
def port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what pip installs the suite from: a repository like the one that a user keeps, on this machine."""
    folder = tmp_path_factory.mktemp("suite")
    copy_checkout(Path(__file__).resolve().parents[1], folder)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "the suite")
    return f"git+file://{folder}"


@pytest.fixture
def heeded_signals() -> Iterator[None]:
    """Let SIGINT and SIGHUP do what they usually do, here and in processes that a test starts.

    A shell that runs these tests in the background, or `nohup`, has them ignored, and every process inherits that.
    """
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)

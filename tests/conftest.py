"""What tests of several rooms stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import reference_server

_LONG = (
    "faulty",
    "weather",
    "hostile",
    "peers",
    "target_file",
)  # which take the longest, by their folders; in this order


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: files are shared out among processes, which are to end at about the same time."""
    items.sort(key=lambda item: next((i for i, room in enumerate(_LONG) if room in item.path.parts), len(_LONG)))


@pytest.fixture(scope="session")
def reference_url() -> Iterator[str]:
    """Return the URL of a reference server that runs in a process of its own."""
    with reference_server() as (_, url):
        yield url

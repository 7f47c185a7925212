"""What the tests of the reference server stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.reference_server.people import House, SlowStore, house

from dungeonlab_reference_server import http


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Hash quickly, but in the tests of hashing: 40 ms for each account would prove nothing."""
    if "hash" not in request.node.name:
        monkeypatch.setattr(http, "_scrypt", lambda password, salt: (salt + password.encode())[:64])


@pytest.fixture
async def here() -> AsyncIterator[House]:
    """Return a server."""
    async with house() as made:
        yield made


@pytest.fixture
async def slow() -> AsyncIterator[House]:
    """Return a server whose store takes its time."""
    async with house(store=SlowStore()) as made:
        yield made

"""What the tests of the reference server stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.reference_server.people import House, SlowStore, house


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

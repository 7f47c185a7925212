"""What tests of the model begin with."""

from __future__ import annotations

import pytest
from tests.conformance.model.test_judge import Written


@pytest.fixture
def play() -> Written:
    """Return a play with a session, an encounter, and nobody connected."""
    return Written()

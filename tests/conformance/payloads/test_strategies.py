"""The search for the smallest payload that shows something: what it returns, and when it ends."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st

LARGE = st.lists(st.integers(min_value=1_000_000), min_size=3)


def shows(_: Any) -> str:
    return "payloads/valid-accepted"


@pytest.fixture
def strategies() -> ModuleType:
    """Return the module, which takes long to import, in the one process that tests it."""
    return importlib.import_module("dungeonlab_conformance.payloads.strategies")


def test_what_it_returns_is_the_smallest_that_shows_the_same(strategies: ModuleType) -> None:
    """Of all that fail, the one with nothing in it that could be left out."""
    assert strategies.smallest(LARGE, 10, 1, shows) == ("payloads/valid-accepted", [1_000_000] * 3)


def test_when_the_time_is_up_nothing_more_is_made_up(strategies: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search ends at once with what it has, however much could be left out of that."""
    monkeypatch.setattr(strategies, "_SHRINKING", 0.0)
    made: list[Any] = []

    def counted(payload: Any) -> Any:
        made.append(payload)
        return payload

    found = strategies.smallest(LARGE.map(counted), 10, 1, shows)
    assert found == ("payloads/valid-accepted", made[0])
    assert len(made) <= 2

"""No false alarm: a correct server is never red, whatever the weather.

Each weather is tried twice; ``WEATHER_RUNS`` says how often instead.
"""

from __future__ import annotations

import os

import pytest

from tests.false_alarms.forecast import WEATHERS, Climate, climates

RUNS = int(os.environ.get("WEATHER_RUNS", "2"))


@pytest.fixture(scope="session")
def forecast(request: pytest.FixtureRequest) -> dict[str, Climate]:
    """Return what came of the weathers that a selected test asks about."""
    wanted = (getattr(item, "callspec", None) for item in request.session.items)
    return climates({spec.params["name"] for spec in wanted if spec and "name" in spec.params} & WEATHERS.keys(), RUNS)


@pytest.mark.parametrize("name", WEATHERS)
def test_a_correct_server_is_never_red(name: str, forecast: dict[str, Climate]) -> None:
    """No run finds anything broken, or fails itself."""
    assert [day.red for day in forecast[name].days] == [()] * RUNS


@pytest.mark.parametrize("name", [name for name, weather in WEATHERS.items() if weather.scale == 1.0])
def test_nearly_everything_is_judged(name: str, forecast: dict[str, Climate]) -> None:
    """With the usual time limits, hardly anything is left open: a run that judges nothing would never be red."""
    for day in forecast[name].days:
        assert day.fault is None
        assert day.counts["pass"] > 0.95 * sum(day.counts.values()), day.unjudged

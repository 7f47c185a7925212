"""No false alarm: a correct server is never red, whatever the weather.

Each weather is tried twice; ``WEATHER_RUNS`` says how often instead.
"""

from __future__ import annotations

import os

import pytest

from tests.weather.forecast import WEATHERS, Climate, climates

RUNS = int(os.environ.get("WEATHER_RUNS", "2"))
LONGEST = 60.0  # seconds that a run may take over the link of 100 ms each way


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
    """With the usual time limits, only what a rate limit forbids is left open."""
    for day in forecast[name].days:
        assert day.fault is None
        assert day.counts["pass"] > 0.95 * sum(day.counts.values()), day.unjudged
        assert name == "limited" or not day.unjudged


@pytest.mark.parametrize("name", ["far"])
def test_a_far_server_is_judged_in_a_minute(name: str, forecast: dict[str, Climate]) -> None:
    """The run fits itself to the link."""
    cores = len(os.sched_getaffinity(0))
    if (load := os.getloadavg()[0]) > 2 * cores:
        pytest.skip(f"this machine is busy with other things ({load:.0f} processes on {cores} cores)")
    assert min(day.seconds for day in forecast[name].days) < LONGEST

"""No false alarm: a correct server is never red, under any condition.

Each condition is tried once; ``FALSE_ALARM_RUNS`` says how often instead. The undisturbed server, which is judged in
tests/reference_server too, has its turn where runs are repeated.
"""

from __future__ import annotations

import os

import pytest

from tests.false_alarms.conditions import CONDITIONS
from tests.false_alarms.trial import Series, run_series

RUNS = int(os.environ.get("FALSE_ALARM_RUNS", "1"))
NAMES = [name for name in CONDITIONS if RUNS > 1 or name != "undisturbed"]


@pytest.fixture(scope="session")
def series(request: pytest.FixtureRequest) -> dict[str, Series]:
    """Return what came of the conditions that a selected test asks about."""
    wanted = (getattr(item, "callspec", None) for item in request.session.items)
    names = {spec.params["name"] for spec in wanted if spec and "name" in spec.params}
    return run_series(names & CONDITIONS.keys(), RUNS)


@pytest.mark.parametrize("name", NAMES)
def test_a_correct_server_is_never_red(name: str, series: dict[str, Series]) -> None:
    """No run finds anything broken or fails itself; with the usual time limits, nearly everything is judged."""
    assert [trial.problems for trial in series[name].trials] == [()] * RUNS

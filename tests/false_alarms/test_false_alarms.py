"""No false alarm: a correct server is never red, under any condition.

Each condition is tried once, some of them on one server; ``FALSE_ALARM_RUNS`` says how often instead, each by itself
then. The undisturbed server, which is judged in tests/reference_server too, has its turn where runs are repeated; so
has a lossy network, of which one run says little.
"""

from __future__ import annotations

import os

import pytest

from tests.false_alarms.conditions import CONDITIONS, TOGETHER, Condition, condition_named
from tests.false_alarms.trial import Series, run_series
from tests.mutants.combination import members

RUNS = int(os.environ.get("FALSE_ALARM_RUNS", "1"))
SHARED = {name: server for server in TOGETHER for name in members(server) if RUNS == 1}
NAMES = [name for name in CONDITIONS if RUNS > 1 or name not in ("undisturbed", "lossy")]


@pytest.fixture(scope="session")
def series(request: pytest.FixtureRequest) -> dict[str, Series]:
    """Return what came of the conditions that a selected test asks about, by their servers."""
    wanted = (getattr(item, "callspec", None) for item in request.session.items)
    names = {spec.params["name"] for spec in wanted if spec and "name" in spec.params}
    return run_series({SHARED.get(name, name) for name in names & CONDITIONS.keys()}, RUNS)


@pytest.mark.parametrize("name", NAMES)
def test_a_correct_server_is_never_red(name: str, series: dict[str, Series]) -> None:
    """No run finds anything broken or fails itself; with the usual time limits, nearly everything is judged."""
    assert [trial.problems for trial in series[SHARED.get(name, name)].trials] == [()] * RUNS


@pytest.mark.parametrize("server", TOGETHER)
def test_conditions_that_share_a_server_are_all_there(server: str) -> None:
    """What each replaces of the plain server is replaced, and by nothing else."""
    shared, plain = condition_named(server), Condition("")
    for one in (CONDITIONS[name] for name in members(server)):
        assert issubclass(shared.variant.pipeline, one.variant.pipeline)
        assert issubclass(shared.variant.http, one.variant.http)
        assert one.variant.settings in (shared.variant.settings, plain.variant.settings)
        assert set(shared.transports) <= set(one.transports)
        assert shared.transport == one.transport
        assert (one.target, one.disturbance, one.one_core, one.scale, one.variant.proxy, one.variant.store) == (
            (plain.target, plain.disturbance, plain.one_core, plain.scale, plain.variant.proxy, plain.variant.store)
        )

"""Each fault is found, and nothing else is blamed."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.report.result import to_json
from dungeonlab_conformance.report.result_schema import problem
from dungeonlab_conformance.run import Run
from tests.faulty.fault import all_faults
from tests.faulty.judging import broken, judge_all

FAULTS = all_faults()


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest) -> dict[str, Run]:
    """Return what the suite said about every faulty server that a selected test asks about."""
    wanted = (getattr(item, "callspec", None) for item in request.session.items)
    return dict(judge_all({spec.params["name"] for spec in wanted if spec and "name" in spec.params} & FAULTS.keys()))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_breaks_what_it_says_and_nothing_else(name: str, runs: dict[str, Run]) -> None:
    """The requirements found broken are those that the server is made to break."""
    fault, found = FAULTS[name], broken(runs[name])
    assert fault.breaks <= found, f"not found: {sorted(fault.breaks - found)}"
    assert all(map(fault.allows, found)), f"wrongly blamed: {sorted(r for r in found if not fault.allows(r))}"
    assert not [v for v in runs[name].verdicts if v.outcome == "error"]


@pytest.mark.parametrize("name", FAULTS)
def test_what_was_found_fits_the_published_schema(name: str, runs: dict[str, Run]) -> None:
    """Whatever a faulty server does, its result is one that other programs can read."""
    assert problem(to_json(runs[name])) is None

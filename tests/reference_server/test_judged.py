"""The suite finds nothing in the reference server, and neither does the server in itself."""

from __future__ import annotations

import signal

import pytest
from tests.reference_server.test_cli import SOON, running
from tests.turns import turn

from dungeonlab_conformance.results.to_json import to_json
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.recheck.recheck import recheck
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_everything_it_sends_fits_the_schemas(transport: str) -> None:
    """Judged by every check with the debug switch on: every MUST and SHOULD holds, and its log has no complaint.

    At least 60 requirements and 150 verdicts, nothing is left behind, and the same follows from what was recorded.
    """
    with turn(), running("--check-outgoing", "--log-level", "error") as (url, process):
        target = Target(url, transport=transport, limits=Limits(4.0))
        result = play(target, scenes(Selection(), Catalogue.load()), recorded=True)
        process.send_signal(signal.SIGTERM)
        _, output = process.communicate(timeout=SOON)
    assert output == ""
    assert not [(v.requirement, v.event, v.reason) for v in result.verdicts if v.outcome != "pass"]
    assert result.exit_code == 0
    assert len({v.requirement for v in result.verdicts}) >= 60
    assert len(result.verdicts) >= 150
    assert result.leftovers == []
    again = recheck(result, to_json(result), [verdict.key for verdict in result.verdicts])
    assert (again.differences, again.convicted) == ((), 0)

"""The suite finds nothing in the reference server, and neither does the server in itself."""

from __future__ import annotations

import signal

from tests.reference_server.test_cli import SOON, running

from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue


def test_everything_it_sends_fits_the_schemas() -> None:
    """Judged by every check with the debug switch on: every MUST and SHOULD holds, and its log has no complaint."""
    with running("--check-outgoing", "--log-level", "error") as (url, process):
        result = play(Target(url), scenes(Selection(), Catalogue.load()))
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=SOON)
    assert told == ""
    assert not [(v.requirement, v.event, v.reason) for v in result.verdicts if v.outcome != "pass"]
    assert result.exit_code == 0

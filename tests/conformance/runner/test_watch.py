"""What ends a run early."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.results.errors import Unjudged
from dungeonlab_conformance.results.run import RunOptions
from dungeonlab_conformance.runner.interruptions.watch import Watch
from dungeonlab_conformance.runner.scene import Played
from dungeonlab_conformance.target.target import Target


@pytest.mark.parametrize(
    ("why", "ends"),
    [
        pytest.param(Unjudged("nothing came"), True, id="nothing came"),
        pytest.param(Refused("a page of a proxy", 502), True, id="refused over HTTP"),
        pytest.param(Refused({"message": "log in"}), False, id="refused in a packet, which came over the connection"),
    ],
)
def test_a_run_ends_where_nothing_comes_over_any_connection(why: Unjudged, ends: bool) -> None:
    target = Target("http://127.0.0.1:1")
    watch = Watch(target, target.new_run(RunOptions()), hide=str)
    scene = cast("Played", SimpleNamespace(stage=SimpleNamespace(journal=Journal()), unjudged=[why]))
    for _ in range(100):
        watch.count_silence(scene)
    assert watch.is_over is ends
    assert ("does a proxy before it" in (watch.run.fault or "")) is ends

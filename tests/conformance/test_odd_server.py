"""Each scene, played against a server whose every third message has something odd in it."""

from __future__ import annotations

import pytest
from tests.conformance.odd_server import OddHttp, OddPipeline
from tests.serving import Variant, served

from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue


@pytest.mark.filterwarnings("ignore:.*register_random")  # schemathesis hands hypothesis a passing generator
def test_no_scene_fails_for_what_a_server_answers() -> None:
    """Every scene comes to a finding, or says why it could not judge: none fails itself, nor does the judging."""
    chosen = scenes(Selection(parts=("http",)), Catalogue.load())
    with served(Variant(pipeline=OddPipeline, http=OddHttp)) as url:
        run = play(Target(url, limits=Limits(0.1)), chosen)
    assert run.own_fault == ""
    assert [(v.requirement, v.event, v.reason) for v in run.verdicts if v.outcome == "error"] == []
    assert sum(v.outcome == "fail" for v in run.verdicts) > 20
    assert run.fault is None

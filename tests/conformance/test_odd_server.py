"""Each scene, played against a server whose every third message has something odd in it; and odd records, judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.conformance.odd_server import OddHttp, OddPipeline, odd
from tests.serving import Variant, served

from dungeonlab_conformance.plays.covering import covering
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.runner.evaluation import RecordedScene, Recording, breaks
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.recheck.packed_recording import unpacked_recording
from dungeonlab_conformance.runner.selection import Selection, play_scenes, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue

RECEIVED = ("is answered", "is answered again", "is sent", "hears")


def judged(variant: Variant, selection: Selection, plays: int = 0) -> Run:
    chosen = [*scenes(selection, Catalogue.load()), *play_scenes(covering().plays[:plays])]
    with served(variant) as url:
        return play(Target(url, limits=Limits(0.1)), chosen, recorded=bool(plays))


@pytest.mark.filterwarnings("ignore:.*register_random")  # schemathesis hands hypothesis a passing generator
def test_no_scene_fails_for_what_a_server_answers() -> None:
    """Every scene comes to a finding, or says why it could not judge: none fails itself, nor does the judging."""
    run = judged(Variant(pipeline=OddPipeline, http=OddHttp), Selection(parts=("http",)))
    assert run.own_fault == ""
    assert [(v.requirement, v.event, v.reason) for v in run.verdicts if v.outcome == "error"] == []
    assert sum(v.outcome == "fail" for v in run.verdicts) > 20
    assert run.fault is None


def test_no_rule_fails_for_what_a_record_holds() -> None:
    """Whatever stands in place of something that was received: it is judged, and some of it convicts."""
    recording, _ = unpacked_recording(judged(Variant(), Selection(only=("chat", "tokens", "join")), plays=6).recording)
    assert len(recording.scenes) > 50
    assert not [*breaks(recording)]
    for _ in range(10):
        assert [*breaks(oddly(recording))]


def oddly(recording: Recording) -> Recording:
    """Return a recording with something odd in every tenth message that was received."""
    return replace(recording, scenes=[replace(scene, journal=_odd(scene)) for scene in recording.scenes])


def _odd(scene: RecordedScene) -> Journal:
    state = scene.journal.state
    return Journal.restored(replace(state, observations=tuple(_each(state.observations))))


def _each(observations: tuple[Observation, ...]) -> Iterator[Observation]:
    for seen in observations:
        received = seen.act in RECEIVED and seen.args
        yield replace(seen, args=Arguments(odd(each, 0.1) for each in seen.args)) if received else seen

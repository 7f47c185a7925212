"""The sequence diagram: who said what to the server, and what came back."""

from __future__ import annotations

from typing import get_args
from xml.etree import ElementTree as ET

import pytest
from tests.conformance.report.runs import nasty_run

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.report.content.sequence_diagram import draw


def drawn(*lines: TranscriptLine, convicting: int | None = None) -> ET.Element:
    return ET.fromstring(draw(lines, convicting))


def of_class(svg: ET.Element, name: str) -> list[ET.Element]:
    return [e for e in svg.iter() if name in (e.get("class") or "").split()]


def test_there_is_a_lifeline_for_each_actor_and_one_for_the_server() -> None:
    """In the order in which they appear; the server stands on the right."""
    svg = drawn(
        TranscriptLine(1, "bob", "sends", "a", ""),
        TranscriptLine(2, "alice", "hears", "a", ""),
        TranscriptLine(3, "bob", "hears", "a", ""),
    )
    heads = [(e.findtext("text"), float(e.find("rect").get("x", 0))) for e in of_class(svg, "lifeline")]  # type: ignore[union-attr]
    assert [name for name, _ in heads] == ["bob", "alice", "server"]
    assert [x for _, x in heads] == sorted(x for _, x in heads)


@pytest.mark.parametrize(("act", "to_server"), [("sends", True), ("tells", True), ("hears", False)])
def test_an_arrow_points_where_the_message_goes(act: str, to_server: bool) -> None:
    """From the actor to the server, or back."""
    arrow = of_class(drawn(TranscriptLine(1, "bob", act, "chat-message", "{}")), "arrow")[0]
    assert (float(arrow.get("x1", 0)) < float(arrow.get("x2", 0))) is to_server


@pytest.mark.parametrize("act", get_args(Act))
def test_every_act_can_be_drawn(act: str) -> None:
    """As an arrow, or as a note on the actor's lifeline, with time and words."""
    svg = drawn(TranscriptLine(1.25, "bob", act, "websocket", ""))
    assert of_class(svg, "arrow") or of_class(svg, "note")
    assert "1.2 ms" in "".join(svg.itertext())
    assert "websocket" in "".join(svg.itertext())


def test_an_answer_is_ticked_or_crossed() -> None:
    """What it holds stands beside it; a refusal with its code."""
    svg = drawn(
        TranscriptLine(1, "bob", "is answered", "a", '{"success": true, "data": {"x": 1}}'),
        TranscriptLine(2, "bob", "is answered", "a", '{"success": false, "error": "no", "code": "NOT_JOINED"}'),
    )
    texts = ["".join(e.itertext()) for e in of_class(svg, "body")]
    assert texts == ["✓ {x: 1}", "✗ NOT_JOINED no"]


def test_what_convicts_stands_out() -> None:
    """The line in which the server said what it should not have said."""
    lines = TranscriptLine(1, "bob", "hears", "a", '{"x": 1}'), TranscriptLine(2, "bob", "hears", "a", '{"x": 2}')
    [marked] = of_class(drawn(*lines, convicting=1), "got")
    assert "2.0 ms" in "".join(marked.itertext())


def test_the_middle_of_a_long_scene_is_left_out() -> None:
    """The end is what convicts; the diagram says how much is missing."""
    svg = drawn(*(TranscriptLine(i, "bob", "hears", "a", "{}") for i in range(100)))
    assert len(of_class(svg, "line")) == 34
    assert "66 lines left out" in "".join(svg.itertext())


def test_it_can_be_heard() -> None:
    """A screen reader is told what it is; the page has the lines as text beside it."""
    svg = drawn(TranscriptLine(1, "bob", "hears", "a", "{}"))
    assert (svg.get("role"), svg.get("aria-label")) == (
        "img",
        "Sequence diagram of 1 lines between bob and the server",
    )


def test_a_hostile_server_draws_nothing_of_its_own() -> None:
    """Its markup is text, whatever field it comes in."""
    lines = nasty_run().verdicts[0].findings[0].transcript
    svg = drawn(*lines)
    assert {e.tag for e in svg.iter()} <= {"svg", "g", "title", "rect", "line", "polygon", "text", "tspan"}


def test_nothing_can_be_drawn_too() -> None:
    """A scene in which nobody did anything has only the server."""
    assert len(of_class(drawn(), "lifeline")) == 1

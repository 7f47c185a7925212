"""The sequence diagram: who said what to the server, and what came back."""

from __future__ import annotations

from typing import get_args

import pytest

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.report.content.sequence_diagram import Row, diagram


def rows(*lines: TranscriptLine, convicting: int | None = None) -> list[Row]:
    return [row for row in diagram(lines, convicting).rows if isinstance(row, Row)]


def heard(count: int) -> list[TranscriptLine]:
    return [TranscriptLine(number, "bob", "hears", "a", "{}") for number in range(count)]


def test_there_is_a_lane_for_each_actor() -> None:
    """In the order in which they appear; each row says in whose lane it stands."""
    lines = [TranscriptLine(1, who, "hears", "a", "") for who in ("bob", "alice", "bob")]
    assert diagram(lines).actors == ("bob", "alice")
    assert [row.lane for row in rows(*lines)] == [0, 1, 0]


@pytest.mark.parametrize(("act", "to_server"), [("sends", True), ("tells", True), ("hears", False)])
def test_an_arrow_points_where_the_message_goes(act: str, to_server: bool) -> None:
    """From the actor to the server, or back."""
    [row] = rows(TranscriptLine(1, "bob", act, "chat-message", "{}"))
    assert (row.is_arrow, row.to_server) == (True, to_server)


@pytest.mark.parametrize("act", get_args(Act))
def test_every_act_can_be_drawn(act: str) -> None:
    """As an arrow, or as a note in the actor's lane."""
    [row] = rows(TranscriptLine(1.25, "bob", act, "websocket", ""))
    assert row.is_arrow is (row.kind in ("sends", "tells", "answered", "hears"))


def test_an_answer_is_ticked_or_crossed() -> None:
    """What it holds stands beside it; a refusal with its code."""
    answers = '{"success": true, "data": {"x": 1}}', '{"success": false, "error": "no", "code": "NOT_JOINED"}', "null"
    found = rows(*(TranscriptLine(1, "bob", "is answered", "a", answer) for answer in answers))
    assert [(row.mark, row.payload) for row in found] == [("✓", "{x: 1}"), ("✗ NOT_JOINED", "no"), ("", "null")]


def test_what_convicts_stands_out() -> None:
    """One line, even where another reads just like it; none if none is named, or one that is not there."""
    lines = heard(3)
    assert [row.convicts for row in rows(*lines, convicting=1)] == [False, True, False]
    assert not any(row.convicts for row in (*rows(*lines), *rows(*lines, convicting=3)))


def test_the_middle_of_a_long_scene_is_left_out() -> None:
    """The diagram says how much is missing, and never lacks what convicts with what came before it."""
    assert len(rows(*heard(34))) == 34
    found = diagram(heard(100))
    assert [row for row in found.rows if isinstance(row, int)] == [66]
    assert len(found.rows) == 35
    found = diagram(heard(100), 50, 20)
    shown = [row if isinstance(row, int) else int(row.at) for row in found.rows]
    assert shown == [*range(5), 34, *range(39, 54), 46]
    assert found.summary == "100 lines between bob and the server"


def test_who_takes_no_part_in_what_is_drawn_has_no_lane() -> None:
    """A lane without a row would take its room from the others."""
    lines = [*heard(30), *(TranscriptLine(9, f"actor-{number}", "hears", "a", "") for number in range(30))]
    assert diagram(lines, 20, 8).actors == ("bob",)


def test_nothing_can_be_drawn_too() -> None:
    """A scene in which nobody did anything has only the server."""
    assert (diagram([]).actors, diagram([]).rows) == ((), ())
    assert diagram([]).summary == "0 lines between nobody and the server"

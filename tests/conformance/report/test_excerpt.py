"""What is shown of a long transcript: the line that convicts is always there, and what is not there is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report.content.excerpt import excerpt
from dungeonlab_conformance.results.verdict import Finding


def finding(lines: int, convicting: int | None = None, left_out: int = 0) -> Finding:
    transcript = tuple(TranscriptLine(n, "alice", "hears", f"event-{n}", "") for n in range(lines))
    return Finding("a", "b", None, "scene", None, (), transcript, convicting, left_out=left_out)


def test_lines_are_shown_around_the_one_that_convicts() -> None:
    """Most of them lead to it, some follow; how many more there are is said above and below."""
    shown = excerpt(finding(100, convicting=20, left_out=3), 10)
    assert [each.line.at for each in shown.lines] == list(range(13, 23))
    assert [each.line.at for each in shown.lines if each.convicts] == [20]
    assert shown.opening == "… 16 earlier lines (3 not kept, to bound the size of the result)"
    assert shown.ending == "… 77 later lines"


def test_where_no_single_line_convicts_the_last_ones_are_shown() -> None:
    """What is missing is missed at the end."""
    shown = excerpt(finding(100), 10)
    assert ([each.line.at for each in shown.lines], shown.ending) == (list(range(90, 100)), "")
    assert not any(each.convicts for each in shown.lines)


@given(st.integers(0, 60), st.none() | st.integers(0, 60), st.none() | st.integers(1, 70))
def test_no_line_is_lost_uncounted(lines: int, convicting: int | None, most: int | None) -> None:
    """The lines are whole and in order, as many as fit; what convicts is among them if it is there at all."""
    shown = excerpt(finding(lines, convicting), most)
    places = [int(each.line.at) for each in shown.lines]
    assert places == list(range(shown.before, lines - shown.after))
    assert len(places) == (lines if most is None else min(lines, most))
    if convicting is not None and convicting < lines:
        assert convicting in places

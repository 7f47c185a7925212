"""The sequence diagram in Mermaid. That nothing in it is anybody else's is the business of `test_totality`."""

from __future__ import annotations

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report.content.mermaid import mermaid
from dungeonlab_conformance.report.content.sequence_diagram import diagram

LINES = [
    TranscriptLine(1, "alice", "connects", "websocket", ""),
    TranscriptLine(2, "alice", "sends", "token:move", '{"x": 1}'),
    TranscriptLine(3, "alice's other tab", "tells", "end", ""),
    TranscriptLine(4, "alice", "hears", "token:move", '{"x": 1}'),
    TranscriptLine(5, "alice", "is answered", "token:move", '{"success": false, "code": "NO", "error": "%% no; `"}'),
]


def test_each_row_is_a_line_and_what_convicts_has_a_ground() -> None:
    """Arrows of the usual kinds, notes, and signs that mean something to Mermaid as their numbers."""
    assert mermaid(diagram(LINES, 3)).splitlines() == [
        "sequenceDiagram",
        "  participant a0 as alice",
        "  participant a1 as alice's other tab",
        "  participant server",
        "  Note over a0: connects websocket",
        "  a0->>server: token#58;move #123;x#58; 1#125;",
        "  a1-)server: end",
        "  rect rgba(203, 58, 47, 0.18)",
        "    server->>a0: token#58;move #123;x#58; 1#125;",
        "  end",
        "  server-->>a0: token#58;move ✗ NO #37;#37; no#59; #96;",
    ]


def test_what_is_left_out_is_counted() -> None:
    """In a note, as on the page."""
    assert "  Note over server: ⋮ 66 lines left out" in mermaid(diagram(LINES[:1] * 100)).splitlines()

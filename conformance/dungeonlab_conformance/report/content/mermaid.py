"""A sequence diagram in Mermaid, which GitHub and GitLab draw in Markdown.

Whatever a server said stays text: all signs but a few are written as their numbers, so that none is Mermaid's syntax,
a directive, a formula, markup or the end of the fence.
"""

from __future__ import annotations

from collections.abc import Iterator

from dungeonlab_conformance.report.content.sequence_diagram import Diagram, Row
from dungeonlab_conformance.text.printable import one_line, shortened

_PLAIN = frozenset(" -_.,()/'+=!?✓✗…⋮")  # besides letters and digits
_ARROWS = {"sends": "->>", "tells": "-)", "answered": "-->>", "hears": "->>"}
_EVENT, _PAYLOAD = 40, 50  # characters of an event's name, and of a payload
_GROUND = "rgba(203, 58, 47, 0.18)"  # of the line that convicts, in the light and in the dark


def mermaid(diagram: Diagram) -> str:
    """Return the diagram as Mermaid's text, without a fence around it."""
    return "\n".join(_lines(diagram))


def _lines(diagram: Diagram) -> Iterator[str]:
    yield "sequenceDiagram"
    for lane, actor in enumerate(diagram.actors):
        yield f"  participant a{lane} as {_text(actor, _EVENT) or '?'}"
    yield "  participant server"
    for row in diagram.rows:
        if isinstance(row, int):
            yield f"  Note over server: ⋮ {row} lines left out"
        elif row.convicts:
            yield f"  rect {_GROUND}"
            yield f"  {_step(row)}"
            yield "  end"
        else:
            yield _step(row)


def _step(row: Row) -> str:
    actor, event = f"a{row.lane}", _text(row.event, _EVENT)
    if not row.is_arrow:
        return f"  Note over {actor}: {row.act} {event}".rstrip()
    ends = (actor, "server") if row.to_server else ("server", actor)
    words = event, _text(row.mark, _EVENT), _text(row.payload, _PAYLOAD)
    return f"  {_ARROWS[row.kind].join(ends)}: {' '.join(filter(None, words))}"


def _text(words: str, longest: int) -> str:
    """Return words as Mermaid shows them; none where there are none."""
    plain = shortened(one_line(words.strip()), longest)
    return "".join(sign if sign.isalnum() or sign in _PLAIN else f"#{ord(sign)};" for sign in plain)

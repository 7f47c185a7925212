"""A transcript as a sequence diagram: who takes part, and row by row who sends what to whom.

Only what is drawn; how is the business of the reports. Knows nothing of verdicts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dungeonlab_conformance.record.arguments import body
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report.content.excerpt import window
from dungeonlab_conformance.text.printable import one_line, shortened

MOST = 34  # lines of a transcript that are drawn
_HEAD = 4  # one line in so many of those is one of the first ones, if the transcript is longer
_EVENT, _PAYLOAD = 60, 120  # characters of an event's name, and of a payload
_KEY = re.compile(r'"(\w+)": ')
Kind = Literal[
    "sends", "tells", "answered", "hears", "connects", "refused", "closed", "disconnects", "removed", "arranged"
]  # the first four are arrows, the others notes on the actor's lane
_KINDS: dict[str, Kind] = {
    "sends": "sends",
    "tells": "tells",
    "is answered": "answered",
    "is answered again": "answered",
    "hears": "hears",
    "cannot read": "hears",
    "is sent": "hears",
    "connects": "connects",
    "is refused": "refused",
    "is closed": "closed",
    "disconnects": "disconnects",
    "is removed": "removed",
    "arranges": "arranged",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a transcript: an arrow between an actor's lane and the server's, or a note on the actor's.

    `mark` is ✓ or ✗ with a code for an answer that says yes or no.
    """

    lane: int
    at: float
    actor: str
    act: str
    event: str
    kind: Kind
    mark: str
    payload: str
    convicts: bool

    @property
    def is_arrow(self) -> bool:
        """Whether something goes over the wire."""
        return self.kind in ("sends", "tells", "answered", "hears")

    @property
    def to_server(self) -> bool:
        """Whether the actor sends it."""
        return self.kind in ("sends", "tells")


@dataclass(frozen=True, slots=True)
class Diagram:
    """A lane for each actor, in the order in which they appear; a number among the rows is that of lines left out."""

    actors: tuple[str, ...]
    rows: tuple[Row | int, ...]
    lines: int

    @property
    def summary(self) -> str:
        """What it shows, in one sentence."""
        return f"{self.lines} lines between {one_line(', '.join(self.actors)) or 'nobody'} and the server"


def diagram(lines: Sequence[TranscriptLine], convicting: int | None = None, most: int = MOST) -> Diagram:
    """Return the diagram of a transcript, of which one line may convict.

    Of a long one `most` lines are drawn: a few with which it begins, and those around what convicts.
    """
    head = min(most // _HEAD, len(lines))
    shown = sorted({*range(head), *window(len(lines), convicting, most - head)})
    if len(lines) <= most:
        shown = list(range(len(lines)))
    lanes = {actor: lane for lane, actor in enumerate(dict.fromkeys(lines[place].actor for place in shown))}
    rows: list[Row | int] = []
    for before, place in zip([-1, *shown], [*shown, len(lines)], strict=True):
        if place > before + 1:
            rows.append(place - before - 1)
        if place < len(lines):
            rows.append(_row(lines[place], lanes[lines[place].actor], convicts=place == convicting))
    return Diagram(tuple(lanes), tuple(rows), len(lines))


def _row(line: TranscriptLine, lane: int, *, convicts: bool) -> Row:
    mark, payload = _answer(line) if line.act == "is answered" else ("", line.body)
    return Row(
        lane,
        line.at,
        line.actor,
        line.act,
        shortened(line.event, _EVENT),
        _KINDS[line.act],
        mark,
        shortened(one_line(_KEY.sub(r"\1: ", shortened(payload, 2 * _PAYLOAD))), _PAYLOAD),
        convicts,
    )


def _answer(line: TranscriptLine) -> tuple[str, str]:
    """Return a tick, or a cross with the code, and what the answer holds; no mark where it says neither yes nor no."""
    try:
        answer = json.loads(line.body)
    except (ValueError, RecursionError):
        answer = None
    match answer:
        case {"success": True, "data": data}:
            return "✓", body((data,))[0]
        case {"success": False, "code": code, "error": error}:
            return f"✗ {shortened(one_line(_text(code)), 24)}", _text(error)
    return ("✓" if line.body.startswith('{"success": true') else ""), line.body


def _text(value: object) -> str:
    return value if isinstance(value, str) else body((value,))[0]

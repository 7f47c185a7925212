"""A transcript as a sequence diagram in SVG: a lifeline for each actor and one for the server, time going down.

Colours are left to the page, by class. Knows nothing of verdicts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from dungeonlab_conformance.record.arguments import body
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report.content.wording import spoken
from dungeonlab_conformance.text.printable import one_line, shortened

_HEAD, _TAIL = 4, 30  # lines kept of a long transcript; a finding stands at its end
_TIME, _ROW, _TOP, _NOTE = 72, 34, 30, 92  # px: time column, row, heads of the lifelines, room for half a note
_LETTER = 6.9  # px of one character of a label
_BODY = 60  # characters of a payload that are shown; all of it is in the title
_ARROWS = {
    "sends": "sends",
    "tells": "tells",
    "is answered": "answered",
    "is answered again": "answered",
    "hears": "hears",
    "cannot read": "hears",
    "is sent": "hears",
}
_KEY = re.compile(r'"(\w+)": ')


def draw(lines: Sequence[TranscriptLine], convicting: int | None = None) -> str:
    """Return the SVG element; the line that convicts stands out.

    The middle of a long transcript is left out, and the diagram says how much.
    """
    actors = list(dict.fromkeys(line.actor for line in lines))
    gap = 230 if len(actors) < 2 else 180
    at = {actor: _TIME + _NOTE + i * gap for i, actor in enumerate(actors)}
    server = _TIME + _NOTE + len(actors) * gap
    dropped = max(0, len(lines) - _HEAD - _TAIL)
    shown: list[tuple[int, TranscriptLine] | None] = [*enumerate(lines)]
    if dropped:
        shown[_HEAD : _HEAD + dropped] = [None]
    width, height = server + 24 + round(_BODY * 6.7), _TOP + _ROW * len(shown) + 20
    svg = ET.Element("svg", _attributes(width=width, height=height, viewBox=f"0 0 {width} {height}", role="img"))
    svg.set("aria-label", _spoken(actors, len(lines)))
    for actor, x in at.items():
        _lifeline(svg, actor, x, height, "actor")
    _lifeline(svg, "server", server, height, "server")
    for row, each in enumerate(shown):
        y = _TOP + _ROW * (row + 1)
        if each is None:
            _add(svg, "text", f"⋮ {dropped} lines left out; the text below has them", "dropped", x=_TIME, y=y - 8)
        else:
            number, line = each
            _line(svg, line, at[line.actor], server, y, stands_out=number == convicting)
    return ET.tostring(svg, encoding="unicode")


def _line(svg: ET.Element, line: TranscriptLine, x: int, server: int, y: int, *, stands_out: bool) -> None:
    kind = _ARROWS.get(line.act, line.act.rpartition(" ")[2])
    group = _add(svg, "g", None, f"line {kind}" + (" got" if stands_out else ""))
    _add(group, "title", one_line(f"{line.at:.1f} ms: {spoken(line, 300)}"))
    _add(group, "rect", None, "ground", x=0, y=y - 24, width=server + 24 + round(_BODY * 6.7), height=_ROW)
    _add(group, "text", f"{line.at:.1f} ms", "time", x=_TIME - 8, y=y)
    if line.act in _ARROWS:
        _arrow(group, x, server, y, to_server=line.act in ("sends", "tells"))
        label = shortened(one_line(line.event), int((server - x - 20) / _LETTER))
        _add(group, "text", label, "event", x=x + 12, y=y - 6)
    else:
        label = shortened(one_line(f"{line.act} {line.event}".rstrip()), 24)
        wide = round(len(label) * _LETTER) + 18
        _add(group, "rect", None, "note", x=x - wide // 2, y=y - 15, width=wide, height=22, rx=11)
        _add(group, "text", label, "said", x=x, y=y)
    mark, payload = _answer(line)
    said = shortened(one_line(_KEY.sub(r"\1: ", payload)), _BODY - len(mark))
    text = _add(group, "text", None, "body", x=server + 20, y=y)
    if mark:
        _add(text, "tspan", mark, "ok" if mark == "✓ " else "no").tail = said
    else:
        text.text = said


def _arrow(group: ET.Element, x: int, server: int, y: int, *, to_server: bool) -> None:
    start, end, back = (x + 4, server - 5, -8) if to_server else (server - 4, x + 5, 8)
    _add(group, "line", None, "arrow", x1=start, y1=y, x2=end, y2=y)
    _add(group, "polygon", None, "tip", points=f"{end},{y} {end + back},{y - 4} {end + back},{y + 4}")


def _lifeline(svg: ET.Element, name: str, x: int, height: int, kind: str) -> None:
    label = shortened(one_line(name), 18)
    wide = max(76, round(len(label) * _LETTER) + 20)
    group = _add(svg, "g", None, f"lifeline {kind}")
    _add(group, "title", one_line(name))
    _add(group, "line", None, None, x1=x, y1=32, x2=x, y2=height - 6)
    _add(group, "rect", None, None, x=x - wide // 2, y=6, width=wide, height=26, rx=6)
    _add(group, "text", label, None, x=x, y=24)


def _answer(line: TranscriptLine) -> tuple[str, str]:
    """Return a tick, or a cross with the code, and what the answer holds; no mark where none can be told."""
    if line.act != "is answered":
        return "", line.body
    try:
        answer = json.loads(line.body)
    except (ValueError, RecursionError):
        answer = None
    match answer:
        case {"success": True, "data": data}:
            return "✓ ", body((data,))[0]
        case {"success": False, "code": code, "error": error}:
            return f"✗ {shortened(one_line(_text(code)), 24)} ", _text(error)
    return ("✓ " if line.body.startswith('{"success": true') else ""), line.body


def _text(value: object) -> str:
    return value if isinstance(value, str) else body((value,))[0]


def _spoken(actors: Sequence[str], lines: int) -> str:
    return f"Sequence diagram of {lines} lines between {one_line(', '.join(actors)) or 'nobody'} and the server"


def _add(parent: ET.Element, tag: str, text: str | None, kind: str | None = None, **attributes: object) -> ET.Element:
    """Append an element of a class and return it."""
    found = ET.SubElement(parent, tag, ({"class": kind} if kind else {}) | _attributes(**attributes))
    found.text = text
    return found


def _attributes(**attributes: object) -> dict[str, str]:
    return {name: str(value) for name, value in attributes.items()}

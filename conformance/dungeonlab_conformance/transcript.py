"""What each actor sent and heard in a scene, in order, for people to read."""

from __future__ import annotations

import json
from typing import Any

from dungeonlab_conformance.journal import Journal, Observation
from dungeonlab_conformance.verdict import Line

_LONGEST = 600  # characters of a payload that are shown
_LINES = 80  # the last ones; a finding stands at the end of its transcript


def transcript(journal: Journal, upto: Observation | None = None) -> tuple[Line, ...]:
    """Return the lines of a scene, up to an observation if one is named, be it the last or seen in another scene."""
    shown = [seen for seen in journal.observations if upto is None or seen.number < upto.number]
    if upto is not None:
        shown.append(upto)
    return tuple(_line(seen, journal.began) for seen in shown[-_LINES:])


def _line(seen: Observation, began: float) -> Line:
    return Line(round((seen.at - began) * 1000, 1), seen.actor, seen.act, seen.event, body(seen.args))


def body(args: tuple[Any, ...]) -> str:
    """Return arguments as JSON, shortened; what JSON cannot hold, as Python writes it."""
    try:
        text = ", ".join(json.dumps(arg, ensure_ascii=False) for arg in args)
    except (TypeError, ValueError, RecursionError):
        text = ", ".join(type(arg).__name__ for arg in args)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

"""What each actor sent and heard in a scene, in order: to be read, and whole, so that it can be played again."""

from __future__ import annotations

from dungeonlab_conformance.arguments import body
from dungeonlab_conformance.journal import Journal, Observation
from dungeonlab_conformance.verdict import Line

LINES = 400  # the last ones; a finding stands at the end of its transcript


def transcript(journal: Journal, upto: Observation | None = None) -> tuple[Line, ...]:
    """Return the lines of a scene, up to an observation if one is named, be it the last or seen in another scene."""
    shown = [seen for seen in journal.observations if upto is None or seen.number < upto.number]
    if upto is not None:
        shown.append(upto)
    return tuple(_line(seen, journal.began) for seen in shown[-LINES:])


def _line(seen: Observation, began: float) -> Line:
    text, cut = body(seen.args)
    return Line(round((seen.at - began) * 1000, 1), seen.actor, seen.act, seen.event, text, seen.connection, cut)

"""What each actor sent and heard in a scene, in order: to be read, and whole, so that it can be played again."""

from __future__ import annotations

from dungeonlab_conformance.arguments import body
from dungeonlab_conformance.journal import Journal, Observation
from dungeonlab_conformance.redaction import Secrets
from dungeonlab_conformance.verdict import Line

LINES = 400  # the last ones; a finding stands at the end of its transcript


def transcript(journal: Journal, secrets: Secrets, upto: Observation | None = None) -> tuple[Line, ...]:
    """Return the lines of a scene, up to an observation if one is named, be it the last or seen in another scene.

    Names and payloads are as they went over the wire, but for what is secret.
    """
    shown = [seen for seen in journal.observations if upto is None or seen.number < upto.number]
    if upto is not None:
        shown.append(upto)
    return tuple(_line(seen, journal.began, secrets) for seen in shown[-LINES:])


def _line(seen: Observation, began: float, secrets: Secrets) -> Line:
    event, args = seen.wire or (seen.event, seen.args)
    text, cut = body(args, secrets.redact)
    at = round((seen.at - began) * 1000, 1)
    return Line(at, seen.actor, seen.act, secrets.redact(event), text, seen.connection, cut)

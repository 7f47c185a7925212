"""What each actor sent and heard in a scene, in order: to be read, and whole if possible, to be played again.

A server may say as much as it likes, so what is kept of it is bounded: for each finding, and for a run in all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from dungeonlab_conformance.record.arguments import LONGEST, Arguments, body, name
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.observation import Observation, Request, SentRequest
from dungeonlab_conformance.record.secrets.redaction import Secrets

LINES = 400  # the last ones; a finding stands at the end of its transcript
_MOST_SENT = 16_000  # characters of the request that a finding is about
_MOST, _LEAST = 400_000, 1_500  # characters that one finding may take: the first ones, and each even if all is used up
_OF_A_LINE = 160  # characters that a line takes in a result besides its event and body


@dataclass(frozen=True, slots=True)
class Transcript:
    """The lines that are kept of a scene, the observation that each of them shows, and how many come before them."""

    lines: tuple[TranscriptLine, ...]
    seen: tuple[Observation, ...]
    left_out: int

    def place(self, seen: Observation | None) -> int | None:
        """Return which line shows an observation, counted from 0; None if none does."""
        return next((place for place, one in enumerate(self.seen) if one is seen), None)


@dataclass(slots=True)
class Room:
    """How many characters the findings of one run may still take; each may have an eighth of what is left."""

    left: int = 4_000_000

    @property
    def share(self) -> int:
        """How many the next finding may take."""
        return max(_LEAST, min(_MOST, self.left // 8))

    def take(self, characters: int) -> None:
        """Count what a finding took."""
        self.left -= characters


def transcript(
    journal: Journal,
    secrets: Secrets,
    upto: Observation | None = None,
    room: int = _MOST,
    *,
    until: float = math.inf,
) -> Transcript:
    """Return the last lines of a scene that were written `until` a time on its clock, in about `room` characters.

    They end with an observation if one is named, the last one or one that was seen in another scene. Names and
    payloads are as they went over the wire, but for what is secret.
    """
    earlier = itertools.takewhile(lambda seen: seen.at <= until, journal.observations)
    shown = [seen for seen in earlier if upto is None or seen.number < upto.number]
    if upto is not None:
        shown.append(upto)
    kept: list[TranscriptLine] = []
    for seen in reversed(shown[-LINES:]):
        if room <= 0 and kept:
            break
        kept.append(_line(seen, journal.began, secrets, max(room, 200)))
        room -= size(kept[-1:])
    left_out = len(shown) - len(kept)
    return Transcript(tuple(reversed(kept)), tuple(shown[left_out:]), left_out)


def request_line(journal: Journal, secrets: Secrets, request: Request, room: int = _MOST_SENT) -> TranscriptLine | None:
    """Return how a request was sent, the last time that it was, in about so many characters; None if it was not."""
    sent = request if isinstance(request, SentRequest) else journal.last_sent(request)
    if sent is None:
        return None
    as_built = Observation(0, sent.at, sent.actor, sent.connection, "sends", sent.event, Arguments(sent.args))
    own = (seen for seen in journal.observations if seen.at == sent.at and seen.connection == sent.connection)
    over_the_wire = next((seen for seen in own if seen.act in ("sends", "tells")), as_built)
    return _line(over_the_wire, journal.began, secrets, min(room, _MOST_SENT))


def size(lines: Iterable[TranscriptLine]) -> int:
    """Return about how many characters lines take in a result."""
    return sum(_OF_A_LINE + len(line.event) + len(line.body) for line in lines)


def _line(seen: Observation, began: float, secrets: Secrets, room: int) -> TranscriptLine:
    event, args = seen.wire or (seen.event, seen.args)
    text, cut = body(args, secrets.redact, min(room, LONGEST))
    at = round((seen.at - began) * 1000, 1)
    return TranscriptLine(at, seen.actor, seen.act, name(event, secrets.redact), text, seen.connection, cut)

"""In which order the lines of a transcript are played, and which request each answer belongs to. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from dungeonlab_conformance.record.line import TranscriptLine


def answers(lines: Sequence[TranscriptLine]) -> dict[int, int]:
    """Return for the place of each request that is answered where its answer stands."""
    found: dict[int, int] = {}
    for place, line in enumerate(lines):
        if line.act == "is answered":
            asked = (
                before
                for before, other in enumerate(lines[:place])
                if other.act == "sends"
                and before not in found
                and (other.connection, other.event) == (line.connection, line.event)
            )
            found |= dict.fromkeys(itertools.islice(asked, 1), place)
    return found


def turns(lines: Sequence[TranscriptLine]) -> list[int]:
    """Return the places of all lines so that nobody asks before others have been answered who were answered first."""
    answered = answers(lines)

    def turn(place: int) -> float:
        line, until = lines[place], answered.get(place, 0)
        others = (
            answer
            for asked, answer in answered.items()
            if place < answer < until and lines[asked].connection != line.connection
        )
        return max((answer + 0.5 for answer in others), default=place)

    return sorted(range(len(lines)), key=turn)


def in_turn(lines: Sequence[TranscriptLine]) -> list[TranscriptLine]:
    """Return a transcript in the order of `turns`."""
    return [lines[place] for place in turns(lines)]

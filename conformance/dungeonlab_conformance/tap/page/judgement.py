"""What the rules for clients say so far, for the page: once a second at most, while it is open.

What was broken stays broken, and what was seen to hold stays seen, when the journal has dropped what showed it. Until
then the latest judgement counts, since it knows all: what a later act shows may excuse a client.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from dungeonlab_conformance.client_rules.judgement import Judgement, State
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.tap.page.rows import after
from dungeonlab_conformance.tap.page.stream import Stream
from dungeonlab_conformance.text.printable import one_line, sentence_of, shortened
from dungeonlab_spec import Catalogue

_EVERY = 1.0  # seconds between two judgements, at least
_SHARE = 2  # times as long as a judgement took is waited before the next
_LONGEST = 500  # characters of a sentence on what is broken
_WORTH: dict[State, int] = {"not seen": 0, "held": 1, "broken": 2}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one requirement: what broke it and in which packet, or what to do to see it."""

    requirement: str
    state: State
    sentence: str = ""
    packet: int = 0  # the number of the one that broke it; 0 if none did

    @classmethod
    def of(cls, judgement: Judgement, numbers: Mapping[int, int]) -> Standing:
        """Return what the page shows of a judgement; `numbers` are those of packets on the page, by those it names."""
        if judgement.state == "broken" and judgement.packet:
            breaks = judgement.breaks[0]
            sentence = f"Expected: {breaks.expected}. Got: {breaks.got}"
            return cls(judgement.requirement, "broken", sentence, numbers[judgement.packet.number])
        reason = judgement.reason.removeprefix("not seen: ")
        return cls(judgement.requirement, judgement.state, f"{reason[:1].upper()}{reason[1:]}{'.' if reason else ''}")


# Judges what it was given so far, and these packets; those before a number are to be forgotten.
Judge = Callable[[Sequence[TappedPacket], int], Awaitable[Sequence[Standing]]]


class Standings:
    """What is known of each requirement, kept up with a journal. `text` is JSON for the page, or nothing yet."""

    def __init__(self, journal: TapJournal, judge: Judge, stream: Stream) -> None:
        self.text = ""
        self.journal, self._judge, self._stream = journal, judge, stream
        self._known: dict[str, Standing] = {}
        self._judged = 0

    async def keep_up(self) -> None:
        """Judge whenever there is something new and a page to show it, for ever."""
        while True:
            began = time.monotonic()
            packets = self.journal.packets
            new = after(packets, self._judged, len(packets))
            if self._stream.watched and (new or not self.text):
                await self._judge_further(new, packets[0].number if packets else 0)
            await asyncio.sleep(max(_EVERY, _SHARE * (time.monotonic() - began)))

    async def _judge_further(self, new: Sequence[TappedPacket], first: int) -> None:
        fault = ""
        self._judged = new[-1].number if new else 0
        try:
            found = await self._judge(new, first)
        except Exception as error:  # a fault of a rule: said on the page, while the tap goes on
            found, fault = (), f"The suite itself failed while it judged: {sentence_of(error)}"
        for standing in found:
            before = self._known.get(standing.requirement) if first > 1 else None
            if before is None or _WORTH[standing.state] > _WORTH[before.state]:
                self._known[standing.requirement] = standing
        self.text = json.dumps({"fault": fault, "requirements": [_shown(each) for each in self._known.values()]})
        self._stream.wake()


def _shown(standing: Standing) -> dict[str, str | int]:
    requirement = Catalogue.load().requirements[standing.requirement]
    about = {"level": requirement.level, "says": requirement.sentence}
    return asdict(standing) | about | {"sentence": one_line(shortened(standing.sentence, _LONGEST))}

"""What the rules for clients say so far, for the page: in a thread, once a second at most, and a tenth of the time.

What was broken stays broken, and what was seen to hold stays seen, when the journal has dropped what showed it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.tap.page.stream import Stream
from dungeonlab_conformance.text.printable import one_line, sentence_of, shortened
from dungeonlab_spec import Catalogue

_EVERY = 1.0  # seconds between two judgements, at least
_SHARE = 9  # times as long as a judgement took is waited before the next
_LONGEST = 500  # characters of a sentence on what is broken


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one requirement: what broke it and in which packet, or what to do to see it."""

    requirement: str
    state: Literal["held", "broken", "unseen"]
    sentence: str = ""
    packet: int = 0  # the number of the one that broke it; 0 if none did


Judge = Callable[[Sequence[TappedPacket]], Sequence[Standing]]


class Judgement:
    """Keeps up with a journal while a page is open. `text` is what the page is sent: JSON, or nothing yet."""

    def __init__(self, journal: TapJournal, judge: Judge, stream: Stream) -> None:
        self.text = ""
        self._journal, self._judge, self._stream = journal, judge, stream
        self._known: dict[str, Standing] = {}

    async def keep_up(self) -> None:
        """Judge whenever there is something new to judge, for ever."""
        judged = -1
        while True:
            newest = self._journal.packets[-1].number if self._journal.packets else 0
            took = 0.0
            if self._stream.watched and newest != judged:
                judged, began = newest, time.monotonic()
                await self._judge_all()
                took = time.monotonic() - began
            await asyncio.sleep(max(_EVERY, _SHARE * took))

    async def _judge_all(self) -> None:
        fault = ""
        try:
            found = await asyncio.to_thread(self._judge, tuple(self._journal.packets))
        except Exception as error:  # a fault of a rule: said on the page, while the tap goes on
            found, fault = (), f"The suite itself failed while it judged: {sentence_of(error)}"
        for standing in found:
            before = self._known.get(standing.requirement)
            if before is None or _WORTH[standing.state] > _WORTH[before.state]:
                self._known[standing.requirement] = standing
        self.text = json.dumps({"fault": fault, "requirements": [_shown(each) for each in self._known.values()]})
        self._stream.wake()


_WORTH = {"unseen": 0, "held": 1, "broken": 2}


def _shown(standing: Standing) -> dict[str, str | int]:
    requirement = Catalogue.load().requirements[standing.requirement]
    about = {"level": requirement.level, "says": requirement.sentence}
    return asdict(standing) | about | {"sentence": one_line(shortened(standing.sentence, _LONGEST))}

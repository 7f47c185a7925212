"""The memory of a tap: the newest packets, within bounds of number and text. Judges nothing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, TypedDict, Unpack

from dungeonlab_conformance.record.tapped.packet import Kind, Sender, TappedPacket

MOST = 100_000  # packets
MOST_TEXT = 50_000_000  # characters, in all packets together


class About(TypedDict, total=False):
    """What is known of a packet, beside who sent it and what it is."""

    connection: int
    user: str
    transport: Literal["", "polling", "websocket"]
    event: str
    ack_id: int | None
    text: str
    cut: bool
    act: int
    attachments: int


class TapJournal:
    """The packets that a tap has read, in order; the oldest are dropped where there are too many, and counted.

    `most` is how many there may be, `most_text` how many characters in all. Each of `listeners` is called with every
    further packet, right when it is added. `directed` says that the server does what a director tells it, so that
    nobody judges it. `redact` takes what is secret out of each text.
    """

    def __init__(
        self,
        most: int = MOST,
        most_text: int = MOST_TEXT,
        *,
        clock: Callable[[], float] = time.monotonic,
        directed: bool = False,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        self.listeners: list[Callable[[TappedPacket], None]] = []
        self.dropped = 0
        self.directed = directed
        self._redact = redact
        self.most, self.most_text = most, most_text
        self._clock, self._began = clock, clock()
        self._packets: deque[TappedPacket] = deque()
        self._number = self._text = 0

    @property
    def packets(self) -> Sequence[TappedPacket]:
        """What is remembered, oldest first. It goes on growing: copy it, to look at it in peace."""
        return self._packets

    @property
    def last(self) -> int:
        """The number of the newest packet; 0 before there is one."""
        return self._number

    def add(self, sender: Sender, kind: Kind, **about: Unpack[About]) -> TappedPacket:
        """Remember a packet; it gets its number, from 1, and its time."""
        if self._redact and "text" in about:
            about["text"] = self._redact(about["text"])
        packet = TappedPacket(self._number + 1, self._clock() - self._began, sender, kind, **about)
        self.keep(packet)
        return packet

    def keep(self, packet: TappedPacket) -> None:
        """Remember a packet that has its number and time, such as one of a recording."""
        self._number = packet.number
        self._packets.append(packet)
        self._text += len(packet.text)
        while len(self._packets) > self.most or self._text > self.most_text:
            self._text -= len(self._packets.popleft().text)
            self.dropped += 1
        for listener in self.listeners:
            listener(packet)

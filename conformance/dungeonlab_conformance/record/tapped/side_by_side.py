"""Acts that are played side by side: all in one journal as they come, and one after the other, for the rules."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket

_MOST, _MOST_TEXT = 10_000, 5_000_000  # packets of one act that are kept, and characters in them


def journal_of_act(redact: Callable[[str], str] | None = None) -> TapJournal:
    """Return a journal with room for one act."""
    return TapJournal(_MOST, _MOST_TEXT, directed=True, redact=redact)


class JournalOfActs(TapJournal):
    """The packets of all acts, as they come. They say in which act they were seen; connections count through.

    Besides, it remembers each act by itself, so that one in which much passes makes no other forgotten.
    """

    def __init__(self) -> None:
        super().__init__(directed=True)
        self._connections = 0
        self._acts: dict[int, TapJournal] = {}
        self._names: dict[int, str] = {}
        self._gaps: list[int] = []

    def follow(self, journal: TapJournal, act: int) -> None:
        """Add what comes to the journal of an act, which has that number, from 1."""
        numbers: dict[int, int] = {0: 0}

        def take(packet: TappedPacket) -> None:
            if packet.connection not in numbers:
                self._connections += 1
                numbers[packet.connection] = self._connections
            self.add(
                packet.sender,
                packet.kind,
                connection=numbers[packet.connection],
                user=packet.user,
                transport=packet.transport,
                event=packet.event,
                ack_id=packet.ack_id,
                text=packet.text,
                cut=packet.cut,
                act=act,
                attachments=packet.attachments,
            )

        journal.listeners.append(take)

    def keep(self, packet: TappedPacket) -> None:
        """Remember a packet, for its act as well."""
        if packet.number != self.last + 1:
            self._gaps.append(packet.number)
        if packet.act and _begins(packet):
            self._names.setdefault(packet.act, packet.text)
        if packet.act:
            self._acts.setdefault(packet.act, journal_of_act()).keep(packet)
        super().keep(packet)

    def in_a_row(self) -> list[TappedPacket]:
        """Return what is remembered of the acts, as if they had been played one after the other; empty without acts."""
        seen = itertools.chain.from_iterable(each.packets for each in self._acts.values())
        return [packet for packet, _ in one_after_the_other(seen, self._names, self._gaps)]


def one_after_the_other(
    packets: Iterable[TappedPacket], names: Mapping[int, str] | None = None, gaps: Sequence[int] = ()
) -> Iterator[tuple[TappedPacket, TappedPacket]]:
    """Yield each packet as if the acts had been played one after the other, and beside it as it was seen.

    A program that ends in one act and not in another says more than one that is seen in a single act. Packets of no act
    stay as they are. Where the beginning of an act was dropped, it is said all the same, by its name if that is one of
    `names`, and a number is missing. So it is where something of any act may be missing: before the numbers in `gaps`.
    """
    groups: dict[int, list[TappedPacket]] = {}
    for packet in packets:
        groups.setdefault(packet.act, []).append(packet)
    yield from ((packet, packet) for packet in groups.pop(0, ()))
    number, at = 0, 0.0
    for act, group in sorted(groups.items()):
        began, last = group[0].at, 0.0
        if not _begins(group[0]):
            name = (names or {}).get(act, "")
            yield TappedPacket(number + 1, at, "tap", "act", event=DirectorAct.BEGIN, text=name, act=act), group[0]
            number += 2
        before = group[0]
        for packet in group:
            missing = bisect_right(gaps, packet.number) > bisect_right(gaps, before.number)
            before, number = packet, number + 1 + missing
            last = max(last, packet.at - began)
            yield replace(packet, number=number, at=at + last), packet
        at += last


def _begins(packet: TappedPacket) -> bool:
    return packet.kind == "act" and packet.event == DirectorAct.BEGIN

"""Acts that were played side by side: in one journal as they came, and one after the other for the rules."""

from __future__ import annotations

import itertools

import pytest

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.side_by_side import JournalOfActs, journal_of_act, one_after_the_other


def both() -> tuple[JournalOfActs, TapJournal, TapJournal]:
    """Return the journal of two acts, with each of theirs, in turns: a beginning, a connection, and a request on it."""
    whole, first, second = JournalOfActs(), journal_of_act(), journal_of_act()
    whole.follow(first, 1)
    whole.follow(second, 2)
    for each in (first, second):
        each.add("tap", "act", event="begin", text="an act")
    for kind in ("handshake", "event"):
        for each in (first, second):
            each.add("client", kind, connection=1, user="user-1")
    first.add("client", "attempt", text="refused")
    return whole, first, second


def test_the_journal_of_acts_has_everything_as_it_comes() -> None:
    """Numbers go on, each packet says in which act it was seen, and no two acts share a connection."""
    whole, _, _ = both()
    assert [packet.number for packet in whole.packets] == list(range(1, 8))
    assert [packet.act for packet in whole.packets] == [1, 2, 1, 2, 1, 2, 1]
    assert [packet.connection for packet in whole.packets] == [0, 0, 1, 2, 1, 2, 0]
    assert whole.directed


def test_one_act_follows_the_other() -> None:
    """As if they had been played so: numbers and times grow; the packet as it was seen stands beside it."""
    whole, _, _ = both()
    found = list(one_after_the_other(whole.packets))
    judged = [judged for judged, _ in found]
    assert [packet.number for packet in judged] == list(range(1, 8))
    assert [packet.act for packet in judged] == [1, 1, 1, 1, 2, 2, 2]
    assert [packet.at for packet in judged] == sorted(packet.at for packet in judged)
    assert [was.number for _, was in found] == [1, 3, 5, 7, 2, 4, 6]


def test_an_act_in_which_much_passes_makes_no_other_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each act the newest packets are remembered; a client that floods its act is blamed for nothing unseen."""
    monkeypatch.setattr("dungeonlab_conformance.record.tapped.side_by_side._MOST", 3)
    whole, first, _ = both()
    for _ in range(9):
        first.add("client", "event", connection=1)
    packets = whole.in_a_row()
    assert [packet.act for packet in packets] == [1] * 4 + [2] * 3
    assert [packet.number for packet in packets] == [1, 3, 4, 5, 6, 7, 8]
    assert [(packet.event, packet.text) for packet in packets if packet.kind == "act"] == [("begin", "an act")] * 2


def test_a_recording_of_acts_is_remembered_like_the_acts() -> None:
    """What was written and is read again comes to the same."""
    whole, _, _ = both()
    again = JournalOfActs()
    for packet in whole.packets:
        again.keep(packet)
    assert again.in_a_row() == whole.in_a_row()


def test_of_an_act_whose_beginning_was_dropped_a_number_is_missing() -> None:
    """It begins all the same: a new program is never taken for the one before."""
    whole, _, _ = both()
    kept = list(itertools.islice(whole.packets, 1, None))
    judged = [packet for packet, _ in one_after_the_other(kept)]
    assert [packet.event for packet in judged if packet.kind == "act"] == ["begin", "begin"]
    assert [packet.number for packet in judged][:3] == [1, 3, 4]


def test_what_is_missing_of_all_acts_is_missing_of_each() -> None:
    """A recording from which somebody has taken lines proves nothing of what may have stood there."""
    whole, first, second = both()
    for each in (first, second):
        each.add("client", "event", connection=1)
    again = JournalOfActs()
    for packet in whole.packets:
        if packet.number not in (4, 5):
            again.keep(packet)
    assert [(packet.act, packet.number) for packet in again.in_a_row()] == [
        *((1, number) for number in (1, 2, 4, 5)),
        *((2, number) for number in (6, 8, 9)),
    ]


def test_packets_of_no_act_stay_as_they_are() -> None:
    """A tap's journal is one after the other already."""
    journal = TapJournal()
    journal.add("client", "handshake", connection=3)
    journal.add("client", "event", connection=3)
    assert list(one_after_the_other(journal.packets)) == [(packet, packet) for packet in journal.packets]

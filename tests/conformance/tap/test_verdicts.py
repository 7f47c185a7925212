"""What of an endless journal is judged together."""

from __future__ import annotations

import itertools

import pytest

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.verdicts import Judging

WINDOW = 20


@pytest.mark.parametrize("at_once", [1, 4, 17, 60], ids=lambda count: f"{count} at once")
def test_every_packet_is_judged_with_those_before_it(at_once: int) -> None:
    """However many come between two looks: none is left out, and each window begins with some that were judged."""
    journal = TapJournal()
    judging = Judging(journal, WINDOW)
    windows = []
    for _ in range(200 // at_once):
        for _ in range(at_once):
            journal.add("client", "event")
        if judging.is_due:
            windows.append([packet.number for packet in judging.pending()])
    windows.append([packet.number for packet in judging.pending()])
    assert {number for window in windows for number in window} == set(range(1, journal.packets[-1].number + 1))
    for before, window in itertools.pairwise(windows):
        assert before[-1] - window[0] + 1 >= WINDOW // 4
    assert len(windows) <= 1 + 200 / (WINDOW * 3 / 4)


@pytest.mark.parametrize("journal", [TapJournal(most=10), TapJournal(most_text=100)], ids=["packets", "text"])
def test_what_is_about_to_be_dropped_is_judged_before(journal: TapJournal) -> None:
    """A journal that can keep little has its packets judged as soon as half of them are new."""
    judging = Judging(journal, WINDOW)
    seen = set[int]()
    for _ in range(100):
        journal.add("client", "event", text="x" * 10)
        if judging.is_due:
            seen |= {packet.number for packet in judging.pending()}
    assert seen >= set(range(1, 101))

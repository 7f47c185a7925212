"""What of an endless journal is judged together, so that nothing is lost of the verdicts."""

from __future__ import annotations

import itertools

import pytest

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import Sender
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.tap.verdicts import Judging

WINDOW = 20
SENT = "client/sends-only-valid-payloads"


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


def add(journal: TapJournal, sender: Sender, text: str) -> None:
    """Add something that a client sends, or hears, on the one connection there is."""
    event = "chat-message" if sender == "client" else "user-joined"
    ack_id = 0 if sender == "client" else None
    journal.add(sender, "event", connection=1, user="user-1", event=event, ack_id=ack_id, text=text)


def judged(journal: TapJournal, fault_after: int, packets: int, text: str) -> dict[str, Outcome]:
    """Return what is found if one invalid request passes among so many packets, and is looked for after every ten."""
    judging, run = Judging(journal), Run("the clients", side="client")
    for number in range(packets):
        add(journal, "client", "[{}]") if number == fault_after else add(journal, "server", text)
        if number % 10 == 0 and judging.is_due:
            judging.judge(judging.pending())
    judging.fill(run)
    return {verdict.requirement: verdict.outcome for verdict in run.verdicts}


@pytest.mark.parametrize("fault_after", [0, 1, 55, 99, 100, 101, 350, 699])
def test_nothing_is_lost_of_what_a_small_journal_forgets(fault_after: int) -> None:
    """Whether it forgets since there are too many packets, or too much text in them, and wherever the fault is."""
    assert judged(TapJournal(most=100), fault_after, 700, "[{}]")[SENT] is Outcome.FAIL
    assert judged(TapJournal(most_text=20_000), fault_after, 700, f'["{"x" * 200}"]')[SENT] is Outcome.FAIL


@pytest.mark.parametrize("directed", [False, True])
def test_a_server_that_does_what_a_director_says_is_not_judged(directed: bool) -> None:
    """It sends what no server should."""
    journal = TapJournal(directed=directed)
    judging = Judging(journal)
    journal.add("server", "event", connection=1, user="user-1", event="chat-message", text="[{}]")
    judging.judge(judging.pending())
    of_servers = [each for each in judging.verdicts if not each.requirement.startswith("client/")]
    assert bool(of_servers) is not directed

"""What is missing of a journal is never blamed on a client; several clients through one tap are kept apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest
from tests.conformance.client_rules.journals import Written
from tests.conformance.client_rules.test_rules import CORRECT, Play, cases, in_session, judged, playing

from dungeonlab_conformance.client_rules.judgement import judgements
from dungeonlab_conformance.record.tapped.packet import Sender, TappedPacket

EACH_CORRECT = [pytest.param(case.values[1], id=str(case.id)) for case in cases(CORRECT)]
SECOND = 100  # what is added to the connections of the second of two clients


def blamed(packets: Iterable[TappedPacket]) -> list[str]:
    """Return the requirements that are broken."""
    return [judgement.requirement for judgement in judgements(packets) if judgement.state == "broken"]


def written(play: Play) -> list[TappedPacket]:
    """Return the journal of a client."""
    journal = Written()
    play(journal)
    return journal.packets


@pytest.mark.parametrize("play", EACH_CORRECT)
def test_a_journal_that_begins_late_blames_nobody(play: Play) -> None:
    """The tap was started later, or the oldest packets were dropped."""
    packets = written(play)
    for first in range(1, len(packets)):
        assert blamed(packets[first:]) == [], packets[first]


@pytest.mark.parametrize("play", EACH_CORRECT)
def test_a_packet_that_was_lost_blames_nobody(play: Play) -> None:
    """Its number is missing."""
    packets = written(play)
    for lost in range(len(packets)):
        assert blamed(packets[:lost] + packets[lost + 1 :]) == [], packets[lost]


@pytest.mark.parametrize("play", EACH_CORRECT)
def test_a_journal_that_ends_early_blames_nobody(play: Play) -> None:
    """It is judged while it still grows."""
    packets = written(play)
    for end in range(len(packets)):
        assert blamed(packets[:end]) == [], packets[end]


@pytest.mark.parametrize("play", EACH_CORRECT)
@pytest.mark.parametrize("sender", ["client", "server"])
def test_a_side_that_cannot_be_read_blames_nobody(play: Play, sender: Sender) -> None:
    """From that packet on nothing is known of what that side of the first connection says."""
    packets = written(play)
    for place in range(1, len(packets)):
        if packets[place].connection == 1:
            gone = dataclasses.replace(packets[place], sender=sender, kind="unreadable", text="", event="", ack_id=None)
            rest = [p for p in packets[place:] if (p.sender, p.connection) != (sender, 1)]
            numbered = [dataclasses.replace(p, number=n) for n, p in enumerate([*packets[:place], gone, *rest], 1)]
            assert blamed(numbered) == [], packets[place]


@pytest.mark.parametrize("user", ["anna", "berta"])
@pytest.mark.parametrize("play", EACH_CORRECT)
def test_several_clients_through_one_tap_are_kept_apart(play: Play, user: str) -> None:
    """What one client does is not blamed on another, of the same user or not, that does something else meanwhile."""
    first = written(play)
    for other in EACH_CORRECT:
        second = [
            dataclasses.replace(p, connection=p.connection and p.connection + SECOND, user=p.user and user)
            for p in written(other.values[0])  # type: ignore[arg-type]
            if p.kind != "act" or p.connection
        ]
        merged = sorted([*first, *second], key=lambda packet: packet.at)
        numbered = [dataclasses.replace(packet, number=number) for number, packet in enumerate(merged, 1)]
        assert blamed(numbered) == [], other.id


def test_packets_that_polling_repeats_are_no_duplicates() -> None:
    """A body that is posted again has the numbers that it had."""

    def play(journal: Written) -> None:
        journal.connect(1, transport="polling").join(1)
        journal.ask(1, "chat-message", journal.message())
        repeated = journal.packets[-2]
        journal.wait(1.5)
        journal.add("client", "event", 1, event=repeated.event, ack_id=repeated.ack_id, text=repeated.text)

    assert judged(play)["client/sends-no-duplicates"].state == "not seen"


def test_tabs_that_were_there_before_may_each_be_refused() -> None:
    """Of three connections of one cookie only the end was seen, since the tap forgets what is old."""
    journal = Written()
    for tab in (1, 2, 3):
        journal.connect(tab)
    begin = len(journal.packets)
    for tab in (1, 2, 3):
        journal.close(tab, "server")
    for tab in (4, 5, 6):
        journal.wait(0.5).refused_connect(tab)
    assert blamed(journal.packets[begin:]) == []


def test_a_lost_packet_of_two_tabs_that_are_refused_blames_nobody() -> None:
    """Each of them tries twice, as it may; whichever packet is missing."""
    journal = Written()
    journal.connect(1).connect(2).close(1, "server").close(2, "server")
    for tab in (3, 4, 5, 6):
        journal.wait(0.5).refused_connect(tab)
    for lost in range(len(journal.packets)):
        assert blamed(journal.packets[:lost] + journal.packets[lost + 1 :]) == [], journal.packets[lost]


def test_an_upgrade_that_is_refused_is_no_refused_connection() -> None:
    """A server, or a proxy, may answer it with 403: the client stays on polling."""

    def play(journal: Written) -> None:
        for connection in range(1, 6):
            journal.handshake(connection, transport="polling").add("server", "response", connection, event="403")
            journal.add("client", "connect", connection)
            journal.add("server", "connected", connection)
            journal.disconnect(connection).wait(1)

    assert judged(play)["client/stops-when-unauthenticated"].state == "not seen"


def test_numbers_of_answers_may_begin_again() -> None:
    """Those of python-socketio do on each connection: what has the same number there is another request."""

    def play(journal: Written) -> None:
        playing(journal).cut(1).wait(2)
        in_session(journal, 2).chat(2, times=2)

    assert judged(play)["client/rejoins-after-reconnect"].state == "held"


def test_a_new_socket_in_the_same_engine_io_session_is_in_no_room() -> None:
    """After a DISCONNECT another CONNECT may follow without a new handshake."""

    def play(journal: Written) -> None:
        playing(journal).add("client", "disconnect", 1)
        journal.add("client", "connect", 1)
        journal.add("server", "connected", 1)
        journal.chat(1)

    assert judged(play)["client/joins-before-it-sends"].state == "broken"


def test_of_two_tabs_that_broke_it_is_not_known_which_one_came_back() -> None:
    """If only one of them had joined, one that sends without a join has not joined first, whichever it is."""
    journal = playing(Written())
    journal.connect(2).cut(1).cut(2).wait(1).connect(3).chat(3)
    assert blamed(journal.packets) == ["client/joins-before-it-sends"]

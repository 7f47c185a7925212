"""What a tap remembers, and what a recording of it holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dungeonlab_conformance.record.tapped import ndjson
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.files import Unreadable


def test_packets_get_their_number_and_time() -> None:
    """Numbers count from 1; times are seconds since the journal was made; listeners hear of each packet."""
    times = iter([10.0, 10.5, 12.0])
    journal = TapJournal(clock=lambda: next(times))
    heard: list[TappedPacket] = []
    journal.listeners.append(heard.append)
    first = journal.add("client", "handshake", connection=1, transport="polling")
    second = journal.add("server", "open", connection=1)
    assert (first.number, first.at, second.number, second.at) == (1, 0.5, 2, 2.0)
    assert heard == list(journal.packets) == [first, second]


def test_the_oldest_packets_are_dropped() -> None:
    """There are bounds of number and of text; what is dropped is counted."""
    journal = TapJournal(most=3, most_text=100)
    for _ in range(5):
        journal.add("client", "event")
    assert [packet.number for packet in journal.packets] == [3, 4, 5]
    journal.add("client", "event", text="x" * 60)
    last = journal.add("client", "event", text="x" * 60)
    assert list(journal.packets) == [last]
    assert journal.dropped == 6


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A packet comes back as it was; what was cut off in the middle of the last line is left out."""
    journal = TapJournal(clock=lambda: 0.0)
    journal.add("client", "event", connection=2, user="user-1", event="chat-message", ack_id=7, text='["\udc80 é\\n"]')
    journal.add("server", "ack", ack_id=0, cut=True, transport="websocket")
    journal.add("client", "event", event="token:create", attachments=2)
    file = tmp_path / "tap.ndjson"
    lines = [ndjson.head(), *map(ndjson.line, journal.packets), '{"number": 3, "at"']
    file.write_text("\n".join(lines), "utf-8")
    assert list(ndjson.read(file)) == list(journal.packets)
    assert ndjson.is_recording(file)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[]", "no packet"),
        ("no", "no JSON"),
        ('{"number": 1, "at": 0, "sender": "me", "kind": "event"}', "sender"),
        ('{"number": 1, "at": 0, "sender": "tap", "kind": []}', "kind"),
        ('{"number": true, "at": 0, "sender": "tap", "kind": "act"}', "number"),
        ('{"number": 1, "at": -1, "sender": "tap", "kind": "act"}', "at"),
        ('{"number": 1, "at": 0, "sender": "tap", "kind": "act", "cut": 1}', "cut"),
        ('{"number": 1, "at": 0, "sender": "tap", "kind": "act", "ack_id": 1.5}', "ack_id"),
        ('{"number": 1, "at": 0, "sender": "tap", "kind": "act", "act": 51}', "act"),
        ('{"number": 1, "at": 0, "sender": "tap", "kind": "act", "act": -1}', "act"),
        ('{"number": 1, "at": 0, "sender": "tap", "kind": "act", "more": 1}', "no packet"),
        ('{"number": 0, "at": 0, "sender": "tap", "kind": "act"}', "comes after"),
    ],
)
def test_what_is_no_packet_is_refused(tmp_path: Path, line: str, why: str) -> None:
    """One sentence names the file, the line, and what is wrong with it."""
    file = tmp_path / "tap.ndjson"
    file.write_text(f"{ndjson.head()}\n{line}\n", "utf-8")
    with pytest.raises(Unreadable, match=rf"tap.ndjson:2: .*{why}"):
        list(ndjson.read(file))


@pytest.mark.parametrize("directed", [False, True])
def test_the_first_line_says_whether_a_director_was_there(tmp_path: Path, directed: bool) -> None:
    """Who reads the recording then knows not to judge the server."""
    file = tmp_path / "tap.ndjson"
    packet = TapJournal(clock=lambda: 0.0).add("client", "event", act=2)
    file.write_text(f"{ndjson.head(directed=directed)}\n{ndjson.line(packet)}\n", "utf-8")
    assert ndjson.is_recording(file)
    assert ndjson.is_directed(file) == directed
    assert list(ndjson.read(file)) == [packet]


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_first_line_may_be_spaced_otherwise(tmp_path: Path, directed: bool, mark: str) -> None:
    """Other tools write JSON without spaces, or a byte order mark before it; a server is not judged for that."""
    file = tmp_path / "tap.ndjson"
    spaced = json.dumps(json.loads(ndjson.head(directed=directed)), separators=(",", ":"))
    file.write_text(f"{mark}{spaced}\r\n", "utf-8")
    assert ndjson.is_recording(file)
    assert ndjson.is_directed(file) == directed
    assert list(ndjson.read(file)) == []


def test_a_recording_of_another_version_is_said_to_be_one(tmp_path: Path) -> None:
    """It is no use to compare its first line with the one that was expected."""
    file = tmp_path / "tap.ndjson"
    file.write_text(ndjson.head().replace("1", "2") + "\n", "utf-8")
    with pytest.raises(Unreadable, match="is of version 2, and version 1 is read here"):
        list(ndjson.read(file))


def test_a_journal_takes_what_is_secret_out_of_texts() -> None:
    """Before it remembers them, and before anybody hears of them."""
    journal = TapJournal(redact=lambda text: text.replace("sesame", "***"))
    heard: list[TappedPacket] = []
    journal.listeners.append(heard.append)
    journal.add("client", "event", text='["open sesame"]')
    assert [packet.text for packet in (*journal.packets, *heard)] == ['["open ***"]'] * 2


def test_another_file_is_no_recording(tmp_path: Path) -> None:
    """A file without the head of a recording is refused by its first line, one that is not there by its name."""
    file = tmp_path / "other.ndjson"
    file.write_text('{"number": 1}\n', "utf-8")
    with pytest.raises(Unreadable, match="no recording of a tap"):
        list(ndjson.read(file))
    assert not ndjson.is_recording(file)
    assert not ndjson.is_recording(tmp_path)
    with pytest.raises(Unreadable, match="cannot be read"):
        list(ndjson.read(tmp_path / "none"))

"""What the page is sent of a packet: its outcome, and no secret, wherever a text was cut."""

from __future__ import annotations

import json
from collections import deque

import pytest

from dungeonlab_conformance.record.tapped.packet import Kind, Sender, TappedPacket
from dungeonlab_conformance.tap.page.rows import after, outcome, row, whole

SECRET = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    ("sender", "kind", "event", "text", "expected"),
    [
        ("server", "ack", "", '[{"success":true}]', "success"),
        ("server", "ack", "", '[{"success":false,"code":"NOT_JOINED"}]', "failure"),
        ("server", "ack", "", "[]", "answered"),
        ("server", "ack", "", '[{"success":1}]', "answered"),
        ("server", "ack", "", '[{"success":{}}]', "answered"),
        ("server", "ack", "", "no JSON", "answered"),
        ("client", "event", "error", "[]", ""),
        ("server", "event", "error", "[]", "failure"),
        ("server", "event", "token:move", "[]", ""),
        ("server", "connect-error", "", "{}", "refused"),
        ("client", "attempt", "", "", "refused"),
        ("server", "connected", "", "", "success"),
        ("server", "response", "204", "", "success"),
        ("server", "response", "401", "", "failure"),
        ("server", "response", "", "", "failure"),
    ],
)
def test_the_outcome_is_what_the_colour_says(sender: Sender, kind: Kind, event: str, text: str, expected: str) -> None:
    """Of an acknowledgement by `success` alone; of what says nothing, none."""
    assert outcome(TappedPacket(1, 0.0, sender, kind, event=event, text=text)) == expected


@pytest.mark.parametrize("before", [0, 60, 80, 90, 100, 119, 5_000, 99_980])
@pytest.mark.parametrize("ending", ["", "\\\\", "\\u0041"])
def test_no_password_is_shown_in_part_either(before: int, ending: str) -> None:
    """Wherever the list cuts a payload off, and where the whole is."""
    text = f'[{{"x":"{"y" * before}","password":"{SECRET}{ending}{SECRET * 20}"}}]'
    packet = TappedPacket(1, 0.0, "client", "event", event="e", text=text)
    for shown in (row(packet)[10], whole(packet)["text"]):
        assert SECRET[:6] not in shown


def test_what_cannot_be_seen_is_named() -> None:
    """Controls, and what turns the direction of a line round, are signs; letters of any script stay."""
    packet = TappedPacket(1, 0.0, "client", "event", user="\x1b", event="\u202e\n", text='["\u05e9\u202e\x00"]')
    shown = row(packet)
    assert (shown[5], shown[7], shown[10]) == ("\u241b", "U+202E\u240a", '["\u05e9U+202E\u2400"]')
    assert whole(packet)["text"] == '["\u05e9U+202E\u2400"]'
    json.dumps(shown)


def test_a_row_is_short_and_a_whole_bounded() -> None:
    """However long a name or a payload is."""
    packet = TappedPacket(1, 0.0, "client", "event", user="u" * 9_999, event="e" * 9_999, text="t" * 300_000)
    assert len(json.dumps(row(packet))) < 400
    found = whole(packet)
    assert len(found["text"]) == 100_000
    assert found["cut"]


@pytest.mark.parametrize("most", [1, 3, 100])
@pytest.mark.parametrize("number", [0, 3, 4, 6, 8, 9])
def test_what_follows_a_packet(number: int, most: int) -> None:
    """The oldest of it first; if it begins before what is kept, then with what is kept."""
    kept = deque(TappedPacket(each, 0.0, "client", "event") for each in range(4, 9))
    expected = [each for each in range(4, 9) if each > number][:most]
    assert [packet.number for packet in after(kept, number, most)] == expected
    assert after(deque(), number, most) == []

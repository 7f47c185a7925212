"""The packets around what breaks a requirement, as the transcript of a finding."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import takewhile

from dungeonlab_conformance.client_rules.registry import Breaks
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.text.printable import shortened

_BEFORE, _AFTER = 24, 6  # packets before and after the one that convicts
_NEARBY = 600  # packets that are looked through on either side of it
_NAME = 200  # characters of a name
_LONGEST = 4_000  # characters of a payload
_ACTS: dict[str, Act] = {  # by the kind of a packet, for its client
    "handshake": "sends",
    "upgrade": "sends",
    "connect": "sends",
    "connected": "connects",
    "connect-error": "is refused",
    "attempt": "is refused",
    "request": "sends",
    "ack": "is answered",
    "unreadable": "cannot read",
    "act": "arranges",
}
_NAMES = {  # of what has no event
    "handshake": "a handshake",
    "open": "the open packet",
    "upgrade": "an upgrade",
    "connect": "CONNECT",
    "attempt": "an attempt to connect",
}
DIRECTOR = "director"


def finding(breaks: Breaks, packets: Sequence[TappedPacket], rule: str, requirement: str) -> Finding:
    """Return what was broken, with the packets that show it and those around the last of them, on the same connection.

    Acts of the director and attempts to connect belong to every connection. What clients did before they were started
    anew, or do after that, is left out; the finding is said to be of the act in which it was seen.
    """
    convicting = breaks.packets[-1]
    place = bisect_left(packets, convicting.number, key=lambda packet: packet.number)
    near = [packets[n] for n in range(max(0, place - _NEARBY), min(len(packets), place + _NEARBY))]
    connections = {packet.connection for packet in breaks.packets} | {0}
    own = [packet for packet in near if packet.connection in connections]
    begun = [packet for packet in own if _begins(packet) and packet.number <= breaks.packets[0].number]
    before = [p for p in own if (begun[-1].number if begun else -1) <= p.number < convicting.number]
    after = list(takewhile(lambda p: not _begins(p), (p for p in own if p.number > convicting.number)))
    shown = {p.number: p for p in (*breaks.packets, *before[-_BEFORE:], *after[:_AFTER])}
    lines = [shown[number] for number in sorted(shown)]
    return Finding(
        breaks.expected,
        breaks.got,
        breaks.path,
        check=rule,
        event=shortened(begun[-1].text, _NAME) if begun else None,
        requirements=(requirement,),
        transcript=tuple(_line(packet, lines[0].at) for packet in lines),
        convicting=lines.index(convicting),
        left_out=max(0, len(before) - _BEFORE),
        from_record=True,
    )


def _begins(packet: TappedPacket) -> bool:
    return packet.kind == "act" and packet.event == DirectorAct.BEGIN


def _line(packet: TappedPacket, began: float) -> TranscriptLine:
    name, said = packet.event or _NAMES.get(packet.kind, ""), packet.text
    if packet.kind == "act":
        name, said = f"{name} {said}".strip(), ""
    elif packet.kind in ("event", "ack") and said.startswith("["):
        said = said[1:] if packet.cut else said[1:-1]
    return TranscriptLine(
        round((packet.at - began) * 1000, 1),
        _actor(packet),
        _act(packet),
        shortened(name, _NAME),
        shortened(said, _LONGEST),
        packet.connection,
        packet.cut or len(said) > _LONGEST,
    )


def _actor(packet: TappedPacket) -> str:
    if packet.kind == "act":
        return DIRECTOR
    return f"{packet.user or 'a client'} ({packet.connection})" if packet.connection else packet.user or "a client"


def _act(packet: TappedPacket) -> Act:
    """Return what a packet is for the client whose connection it belongs to."""
    if packet.kind == "event" and packet.sender == "client":
        return "tells" if packet.ack_id is None else "sends"
    if packet.kind in ("disconnect", "close"):
        return "disconnects" if packet.sender == "client" else "is closed"
    return _ACTS.get(packet.kind, "hears")

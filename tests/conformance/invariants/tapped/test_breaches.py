"""What a tap saw convicts a server of what follows from it alone, and of nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dungeonlab_conformance.invariants.tapped.breaches import ANSWERED_WITHIN, tapped_breaches
from dungeonlab_conformance.record.tapped.packet import Kind, Sender, TappedPacket
from dungeonlab_spec.catalogue import examples

SESSION, OTHER = "session-1", "session-2"


class Wire:
    """Writes the packets of a conversation, a tenth of a second apart."""

    def __init__(self) -> None:
        self.packets: list[TappedPacket] = []
        self.at = 0.0

    def add(
        self, sender: Sender, kind: Kind, connection: int = 1, event: str = "", ack: Any = None, *args: Any
    ) -> None:
        """Write one packet, of the user who has the number of the connection."""
        self.at += 0.1
        text = json.dumps(args) if kind in ("event", "ack") else "".join(args)
        number = len(self.packets) + 1
        packet = TappedPacket(number, self.at, sender, kind, connection, f"user-{connection}", "", event, ack, text)
        self.packets.append(packet)

    def connected(self, *connections: int) -> None:
        """Open connections."""
        for connection in connections:
            self.add("client", "handshake", connection)
            self.add("server", "open", connection)
            self.add("client", "connect", connection)
            self.add("server", "connected", connection)

    def joined(self, connection: int, session: str = SESSION, ack: int = 0) -> None:
        """Have a connection join a session."""
        self.add("client", "event", connection, "join-session", ack, {"sessionId": session})
        self.add("server", "ack", connection, "join-session", ack, joined(session))

    def broken(self) -> list[tuple[str, str | None]]:
        """Return what the server broke."""
        return [(found.requirement, found.event) for found in tapped_breaches(self.packets)]


def joined(session: str) -> dict[str, Any]:
    """Return the answer to who has joined."""
    data = {"sessionId": session, "gameMasterId": "user-9", "participantIds": ["user-1", "user-2"]}
    return {"success": True, "data": data}


def chat(session: str = SESSION) -> dict[str, Any]:
    """Return a chat message to a session, as it is asked for."""
    return {**next(iter(examples("chat-message", "valid", "request").values())), "sessionId": session}


def said(session: str = SESSION) -> dict[str, Any]:
    """Return a chat message in a session, as others hear it."""
    return {**next(iter(examples("chat-message", "valid", "emission").values())), "sessionId": session}


@pytest.fixture
def wire() -> Wire:
    """Alice on connection 1 and bob on connection 2, neither in any room."""
    made = Wire()
    made.connected(1, 2)
    return made


REFUSED = {"success": False, "error": "No.", "code": "PERMISSION_DENIED"}


def test_a_right_server_breaks_nothing(wire: Wire) -> None:
    """Joining, talking, leaving, switching, a refusal, being removed and coming back, and what only servers send."""
    wire.joined(1)
    wire.joined(2)
    answer = next(iter(examples("chat-message", "valid", "ack").values()))
    wire.add("client", "event", 1, "chat-message", 1, chat())
    wire.add("server", "event", 2, "chat-message", None, said())
    wire.add("server", "ack", 1, "chat-message", 1, answer)
    wire.add("client", "event", 1, "chat-message", 2, {})
    wire.add("server", "ack", 1, "chat-message", 2, {**REFUSED, "code": "VALIDATION_ERROR"})
    wire.add("client", "event", 1, "leave-session", 3, {"sessionId": SESSION})
    wire.add("server", "event", 1, "chat-message", None, said())  # under way
    wire.add("server", "ack", 1, "leave-session", 3, {"success": True, "data": {"sessionId": SESSION}})
    wire.joined(2, OTHER, 4)
    wire.add("server", "event", 2, "chat-message", None, said(OTHER))
    removed = next(iter(examples("session-removed", "valid", "emission").values()))
    wire.add("server", "event", 2, "session-removed", None, {**removed, "sessionId": OTHER})
    wire.joined(2, OTHER, 5)
    wire.add("server", "event", 2, "chat-message", None, said(OTHER))
    wire.add("server", "event", 2, "x-bench:hello", None, 1, 2, 3)
    wire.at += 100
    wire.add("server", "event", 1, "x-still-there", None)
    assert wire.broken() == []


def test_shapes_of_answers_are_judged(wire: Wire) -> None:
    """An answer that is not valid, one of two arguments, and a failure without a code."""
    wire.add("client", "event", 1, "join-session", 0, {"sessionId": SESSION})
    wire.add("server", "ack", 1, "join-session", 0, {"success": True, "data": {}})
    wire.add("client", "event", 1, "chat-message", 1, chat())
    wire.add("server", "ack", 1, "chat-message", 1, REFUSED, "more")
    wire.add("client", "event", 1, "chat-message", 2, chat())
    wire.add("server", "ack", 1, "chat-message", 2, {"success": False, "error": "no"})
    assert set(wire.broken()) == {
        ("acks/success-shape", "join-session"),
        ("acks/failure-shape", "chat-message"),
    }


def test_shapes_of_events_are_judged(wire: Wire) -> None:
    """A broadcast with a second argument, one that is not valid, one of the server's own that is not, and odd names."""
    wire.joined(1)
    wire.add("server", "event", 1, "chat-message", None, said(), "more")
    wire.add("server", "event", 1, "chat-message", None, {**said(), "message": 3})
    wire.add("server", "event", 1, "error", None, {"mishap": True})
    wire.add("server", "event", 1, "tokenMoved", None, {})
    assert set(wire.broken()) == {
        ("broadcasts/valid-payload", "chat-message"),
        ("broadcasts/server-events-valid", None),
        ("names/kebab-case", None),
        ("broadcasts/catalogue-events-only", None),
    }


def test_each_request_is_answered_once(wire: Wire) -> None:
    """Twice is once too often, never is too rare once much time went by, and what was not asked is not answered."""
    wire.joined(1)
    wire.add("server", "ack", 1, "", 0, joined(SESSION))
    wire.add("server", "ack", 2, "", 77, joined(SESSION))
    wire.add("client", "event", 1, "chat-message", 1, chat())
    assert wire.broken() == [
        ("acks/exactly-one-answer", "join-session"),
        ("acks/answered-under-its-number", None),
    ]
    wire.at += ANSWERED_WITHIN
    assert len(wire.broken()) == 2
    wire.add("server", "event", 1, "x-still-there", None)
    assert wire.broken()[2:] == [("acks/exactly-one-answer", "chat-message")]


def test_who_is_in_no_room_hears_nothing_of_it(wire: Wire) -> None:
    """Neither who never joined, nor who left, nor who is elsewhere, nor who was refused, nor who came back."""
    wire.connected(3, 4, 5)
    wire.joined(1)
    wire.add("client", "event", 1, "leave-session", 1, {"sessionId": SESSION})
    wire.add("server", "ack", 1, "leave-session", 1, {"success": True, "data": {"sessionId": SESSION}})
    wire.joined(3, OTHER)
    wire.joined(4)
    wire.add("client", "event", 5, "join-session", 0, {"sessionId": SESSION})
    wire.add("server", "ack", 5, "join-session", 0, REFUSED)
    wire.at += 10
    for connection in (1, 2, 3, 4, 5):
        wire.add("server", "event", connection, "chat-message", None, said())
    assert [requirement for requirement, _ in wire.broken()] == [
        "join/leave-stops-delivery",
        "rooms/outsider-hears-nothing",
        "rooms/other-session-hears-nothing",
        "join/refused-join-subscribes-nothing",
    ]


def test_what_was_not_seen_convicts_nobody(wire: Wire) -> None:
    """A connection without its beginning may have asked for anything, and be anywhere; what is cut may say anything."""
    wire.joined(1)
    wire.joined(2)
    wire.packets = wire.packets[4:]  # without the beginning of the first
    wire.add("server", "ack", 1, "", 7, joined(SESSION))
    wire.add("server", "event", 1, "get-user-data", None, {})
    wire.add("server", "event", 1, "chat-message", None, said())
    wire.add("server", "event", 1, "session-removed", None, {"sessionId": OTHER, "reason": "removed"})
    cut = TappedPacket(1000, wire.at, "server", "event", 2, "user-2", "", "chat-message", None, '[{"mess', cut=True)
    wire.packets.append(cut)
    assert wire.broken() == []


def test_packets_that_cannot_be_read_are_a_breach(wire: Wire) -> None:
    """What is malformed is; what is too large for a tap to read is not."""
    wire.add("server", "unreadable", 1, "", None, "a message of more than 4 MB")
    assert wire.broken() == []
    wire.add("server", "unreadable", 2, "a packet that is none of Socket.IO", None, "9hello")
    assert wire.broken() == [("connect/readable-packets", None)]

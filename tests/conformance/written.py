"""Journals written by hand: who joined what, what was asked, who heard what. One unit of time passes with each act."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dungeonlab_conformance.invariants.breaches import Breach, absences, breaches, contradictions
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import (
    EndOfStay,
    Observation,
    Request,
    RequestOutcome,
    RoomStay,
    SentRequest,
)
from dungeonlab_spec import Catalogue

TIME = "2026-01-02T03:04:05.678Z"


class Written:
    """The journal of one scene in session `s`, whose members are gm, alice, bob and carol; dave is one of another."""

    def __init__(self, session: str = "s") -> None:
        self.session = session
        self.elsewhere = f"{session}-other"
        self.now = 0.0
        self.journal = Journal(self._tick, datetime.fromisoformat(TIME).timestamp())
        self.rooms = self.journal.rooms
        self.rooms.opened(session, {"gm", "alice", "bob", "carol"}, master="gm")
        self.rooms.opened(self.elsewhere, {"dave"})

    def connects(self, connection: int) -> None:
        """Record that a connection was opened, over WebSocket."""
        self.journal.write(f"#{connection}", connection, "connects", "websocket")

    def closes(self, connection: int) -> None:
        """Record that the server closed a connection."""
        self.journal.write(f"#{connection}", connection, "is closed", "")

    def comes(self, connection: int, user: str) -> int:
        """Connect a user."""
        self.rooms.connected(connection, user)
        return connection

    def joins(self, connection: int, user: str, session: str | None = None) -> RoomStay:
        """Connect a user and let the connection join a room."""
        self.comes(connection, user)
        return self.rooms.joined(self.rooms.join_asked(connection, session or self.session))

    def is_refused_to_join(self, connection: int, user: str) -> None:
        """Connect a user and refuse the connection the room."""
        self.comes(connection, user)
        self.rooms.join_refused(self.rooms.join_asked(connection, self.session))

    def ends(self, stay: RoomStay, why: EndOfStay) -> None:
        """End a stay; one that the server ends does so when it likes, and that is noticed now."""
        user = self.rooms.users[stay.connection]
        if why == "switched":
            self.joins(stay.connection, str(user), self.elsewhere)
            return
        now = self._tick()
        if why == "left":
            self.rooms.left(stay.connection, now, now)
        elif why == "revoked":
            self.rooms.revoked(str(user), now, now)
        else:
            self.rooms.closed(stay.connection, now, by_server=why == "closed")

    def says(
        self, connection: int, text: str, *, outcome: RequestOutcome = "accepted", **otherwise: Any
    ) -> SentRequest:
        """Have somebody say something, with the text as its mark; `otherwise` are other fields of the request."""
        body = {"sessionId": self.session, "message": text}
        fields = {"args": (body,), "mark": text, "session": self.session, **otherwise}
        return self.sends(connection, Request("chat-message", **fields), outcome)

    def sends(self, connection: int, request: Request, outcome: RequestOutcome = "accepted") -> SentRequest:
        """Have a connection send a request."""
        return self.journal.sent(
            request, f"#{connection}", self.rooms.users.get(connection), connection, outcome=outcome
        )

    def says_and_is_answered(
        self, connection: int, text: str, *, outcome: RequestOutcome = "accepted", data: Any = None, **otherwise: Any
    ) -> SentRequest:
        """Have somebody say something, as `says` does, and be answered, with `data` if that is given."""
        body = {"sessionId": self.session, "message": text}
        request = Request("chat-message", **{"args": (body,), "mark": text, "session": self.session, **otherwise})
        return self.asks(connection, request, {"success": outcome == "accepted", **({"data": data} if data else {})})

    def makes_a_round_trip(self, connection: int) -> None:
        """Have a connection ask something and be answered."""
        self.asks(connection, Request("get-user-data", ({},), None, None), {"success": True})

    def is_refused(self, connection: int, request: Request, code: str, *, expected: bool = True) -> None:
        """Have a request be refused that prepares something, unless it is not `expected` to be accepted."""
        if expected:
            self.journal.expect(request)
        self.asks(connection, request, {"success": False, "error": "no", "code": code})

    def is_refused_at_the_door(self, connection: int, user: str, code: str) -> None:
        """Connect a user who asks to join as a preparation, and is refused."""
        self.comes(connection, user)
        stay = self.rooms.join_asked(connection, self.session)
        self.is_refused(connection, Request("join-session", ({"sessionId": self.session},), None, self.session), code)
        self.rooms.join_refused(stay)

    def asks(self, connection: int, request: Request, envelope: dict[str, Any]) -> SentRequest:
        """Have a connection send a request, and be answered."""
        self.sends(connection, request, "unknown")
        at = self.is_answered(connection, request, envelope).at
        return self.journal.answered(request, at, accepted=envelope["success"])

    def broadcast(self, request: SentRequest, **otherwise: Any) -> dict[str, Any]:
        """Return what the others are sent of a message, as it should be but for what is `otherwise`."""
        body = {
            "sessionId": request.session,
            "messageId": "m",
            "userId": request.user,
            "message": request.args[0]["message"],
            "timestamp": TIME,
        }
        return {**body, **otherwise}

    def hears(self, connection: int, request: SentRequest, **otherwise: Any) -> Observation:
        """Have a connection be sent the broadcast of a message."""
        return self.is_sent(connection, "chat-message", self.broadcast(request, **otherwise))

    def is_sent(self, connection: int, event: str, *args: Any) -> Observation:
        """Have a connection be sent anything."""
        return self.journal.write(f"#{connection}", connection, "hears", event, args)

    def is_answered(self, connection: int, request: Request, *args: Any, again: bool = False) -> Observation:
        """Have a connection be answered, or answered `again`."""
        act = "is answered again" if again else "is answered"
        return self.journal.write(f"#{connection}", connection, act, request.event, args, request)  # type: ignore[arg-type]

    def _tick(self) -> float:
        self.now += 1.0
        return self.now


def found(*scenes: Written) -> list[Breach]:
    """Return every breach in a run of these scenes."""
    return list(_found(scenes))


def _found(scenes: tuple[Written, ...]) -> Iterator[Breach]:
    ledger = Ledger(scene.journal for scene in scenes)
    for scene in scenes:
        yield from breaches(scene.journal, ledger, Catalogue.load())


def broken(*scenes: Written) -> list[str]:
    """Return the requirements broken in a run of these scenes, each as often as it is."""
    return [breach.requirement for breach in found(*scenes)]


def absent(*scenes: Written, patience: float = 1.0) -> list[str]:
    """Return the requirements broken by what did not come in a run of these scenes, each as often as it is."""
    journals = [scene.journal for scene in scenes]
    return [breach.requirement for breach in absences(journals, Ledger(journals), patience)]


def contradicted(*scenes: Written) -> list[str]:
    """Return the requirements broken by what is said in several places of a run of these scenes, each as often."""
    journals = [scene.journal for scene in scenes]
    return [breach.requirement for breach in contradictions(journals, Ledger(journals))]

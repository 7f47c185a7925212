"""Journals written by hand: who sat where, what was asked, who heard what. One unit of time passes with each act."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

from dungeonlab_conformance.invariants.breaches import Breach, breaches
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, Request, RoomStay
from dungeonlab_spec import Catalogue

TIME = "2026-01-02T03:04:05.678Z"
_NUMBERS = itertools.count(1)

Why = Literal["", "left", "switched", "revoked", "closed", "gone"]


class Written:
    """The journal of one scene in session `s`, whose members are gm, alice, bob and carol; t is another session."""

    def __init__(self, session: str = "s") -> None:
        self.session = session
        self.journal = Journal(members={session: {"gm", "alice", "bob", "carol"}, f"{session}-other": {"dave"}})
        self.now = 0.0

    def comes(self, connection: int, user: str) -> int:
        """Connect a user."""
        self.journal.users[connection] = user
        return connection

    def sits(self, connection: int, user: str, session: str | None = None) -> RoomStay:
        """Connect a user and seat the connection."""
        self.comes(connection, user)
        stay = RoomStay(connection, session or self.session, self._tick(), acked_at=self._tick())
        self.journal.stays.append(stay)
        return stay

    def ends(self, stay: RoomStay, why: Why) -> None:
        """End a stay; one that the server ends does so when it likes, and that is noticed now."""
        now = self._tick()
        stay.end(why, now, 0.0 if why == "closed" else now)

    def says(self, connection: int, text: str, **more: Any) -> Request:
        """Have somebody say something that is accepted, unless told otherwise; the text is its mark."""
        body = {"sessionId": self.session, "message": text}
        request = Request("chat-message", (body,), text, self.session, outcome="accepted")
        for name, value in {
            "actor": f"#{connection}",
            "user": self.journal.users.get(connection),
            "connection": connection,
            "at": self._tick(),
            **more,
        }.items():
            setattr(request, name, value)
        self.journal.requests.append(request)
        return request

    def hears(self, connection: int, request: Request, **otherwise: Any) -> Observation:
        """Have a connection be sent the broadcast of a request, as it should be but for what is `otherwise`."""
        body = {
            "sessionId": request.session,
            "messageId": "m",
            "userId": request.user,
            "message": request.args[0]["message"],
            "timestamp": TIME,
        }
        return self.is_sent(connection, "chat-message", {**body, **otherwise})

    def is_sent(self, connection: int, event: str, *args: Any) -> Observation:
        """Have a connection be sent anything."""
        seen = Observation(next(_NUMBERS), self._tick(), f"#{connection}", connection, "hears", event, Arguments(args))
        self.journal.observations.append(seen)
        return seen

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

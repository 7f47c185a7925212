"""Faults in whom a server tells who is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rooms import now
from dungeonlab_reference_server.rules import Emission, Payload, Refusal
from dungeonlab_spec import Event
from tests.mutants.fault import faulty


@faulty("presence/right-audience")
class AnnouncesToTheOneWhoJoins(Pipeline):
    """A user who joins hears, with everybody else, that they have joined."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        await super().announce(event, connection, session, more)
        if event == "user-joined":
            sent = {"sessionId": session, "userId": self.users[connection], "timestamp": now()}
            await self.send(connection, event, sent)


@faulty("presence/right-audience")
class AnnouncesToEverybody(Pipeline):
    """Every connection of the server hears who comes and goes."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        sent = {"sessionId": session, "userId": self.users[connection], "timestamp": now(), **more}
        await self.sockets.emit(event, sent, skip_sid=connection)


@faulty("presence/right-audience")
class AnnouncesADepartureToTheNextRoom(Pipeline):
    """Who leaves one session for another is announced as gone in the room they enter."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        left = self.seats.get(connection)
        answer = await super().join(connection, user, payload)
        if left not in (None, payload["sessionId"]):
            sent = {"sessionId": left, "userId": user, "timestamp": now(), "reason": "switched"}
            await self.send_to_others(Emission("user-left", payload["sessionId"], sent), connection)
        return answer


@faulty("presence/right-audience")
class AnnouncesToThoseWhoLeft(Pipeline):
    """A user who has left a session goes on hearing who comes and goes there."""

    async def enter_room(self, connection: str, session: str) -> None:
        await self.sockets.enter_room(connection, f"presence:{session}")
        await super().enter_room(connection, session)

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        sent = {"sessionId": session, "userId": self.users[connection], "timestamp": now(), **more}
        await self.sockets.emit(event, sent, room=f"presence:{session}", skip_sid=connection)


@faulty("presence/right-audience")
class TellsTheRoomWhoIsThrownOut(Pipeline):
    """`session-removed` goes to the whole room instead of the one who is taken out."""

    async def remove_from_room(self, connection: str, reason: str) -> None:
        session = self.seats.get(connection)
        if session is not None:
            sent = {"sessionId": session, "reason": reason}
            await self.sockets.emit("session-removed", sent, room=self.room(session))
        await self.leave_room(connection, reason)


@faulty("presence/right-audience")
class RemovesTwice(Pipeline):
    """A user who is taken out of a session hears of it twice; by the second time they are in it no more."""

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        for _ in range(2 if event == "session-removed" else 1):
            await super().send(connection, event, payload)


@faulty("presence/true-user", also={"presence/names-who-joined": "it is announced of somebody else"})
class AnnouncesTheConnection(Pipeline):
    """Who comes and goes is announced by the id of the connection, not of the user."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        sent = {"sessionId": session, "userId": connection, "timestamp": now(), **more}
        await self.send_to_others(Emission(event, session, sent), connection)


@faulty("join/repeated-join-is-harmless", also={"presence/true-user": "nobody came who is announced again"})
class WelcomesAgain(Pipeline):
    """Who joins the session that they are in is announced to it once more."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        was_there = self.seats.get(connection) == payload["sessionId"]
        answer = await super().join(connection, user, payload)
        if was_there:
            await self.announce("user-joined", connection, payload["sessionId"], {})
        return answer


@faulty("presence/true-user")
class SaysGoodbyeTwice(Pipeline):
    """Who has left is announced as gone once more when the connection ends."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.left: dict[str, str] = {}

    async def leave_room(self, connection: str, reason: str) -> None:
        if reason == "left" and (session := self.seats.get(connection)) is not None:
            self.left[connection] = session
        await super().leave_room(connection, reason)

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        session = self.left.pop(connection, None)
        if session is not None and connection in self.users:
            await self.announce("user-left", connection, session, {"reason": "disconnected"})
        await super().on_disconnect(connection, reason)


@faulty("presence/true-user", also={"presence/right-audience": "the game master hears of it, too"})
class SaysThatTheGameMasterLeft(Pipeline):
    """When anybody leaves a session, the game master is announced as gone."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        found = await self.store.session(session)
        if event != "user-left" or found is None:
            await super().announce(event, connection, session, more)
            return
        sent = {"sessionId": session, "userId": found.game_master, "timestamp": now(), **more}
        await self.send_to_others(Emission(event, session, sent), connection)


@faulty(
    "presence/true-user",
    also={"presence/right-audience": "the user's other connection hears that its user has left, which did not happen"},
)
class AnnouncesTheSwitchThatIsRefused(Pipeline):
    """Who asks for another session is announced to have left, although the switch is refused, and nothing changes."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        seat = self.seats.get(connection) if name == "join-session" else None
        try:
            return await super().perform(connection, name, args)
        except Refusal:
            if seat is not None:
                await self.announce("user-left", connection, seat, {"reason": "switched"})
            raise


@faulty("presence/true-user")
class GivesTheSameReason(Pipeline):
    """Each user who is gone is said to have been disconnected."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        await super().announce(event, connection, session, {"reason": "disconnected"} if more else more)


@faulty("presence/true-user")
class AnnouncesWhomItRefuses(Pipeline):
    """Who asks to join is announced to the room, and only then it is asked whether they may."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        try:
            return await super().check_rights(event, payload, user, connection)
        except Refusal:
            if event.name == "join-session" and not self.has_joined(user, payload["sessionId"]):
                await self.announce("user-joined", connection, payload["sessionId"], {})
            raise

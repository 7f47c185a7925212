"""Rooms: which connection is in which session's room, and what is sent to a room or to one connection.

Rooms are Socket.IO's; which session a connection has joined is remembered beside them. The store may take its time,
and meanwhile a connection may end: it is asked about again right before it enters a room.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from dungeonlab_reference_server.rules import Emission, Payload, Refusal
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import SocketIoServer
from dungeonlab_reference_server.store import Store
from dungeonlab_spec import Catalogue
from dungeonlab_spec.validation import accepts

log = logging.getLogger("dungeonlab")


class Rooms:
    """The connections of all users, and the room that each one is in, if any. A subclass sets `sockets`."""

    sockets: SocketIoServer

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.catalogue = Catalogue.load()
        self.users: dict[str, str] = {}  # by connection
        self.seats: dict[str, str] = {}  # session by connection

    def connections_of(self, user: str) -> list[str]:
        """Return the open connections of a user."""
        return [connection for connection, owner in self.users.items() if owner == user]

    def check_open(self, connection: str) -> str:
        """Return whose connection this is; refuse one that has ended, such as by a logout."""
        if not self.sockets.is_open(connection):
            raise Refusal("PERMISSION_DENIED", "this connection has ended")
        return self.users[connection]

    # -- joining and leaving -------------------------------------------------------------------------

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        """Switch to a session's room; the user's connections in other sessions are moved out of theirs."""
        async with self.store.turn(user):  # of two joins at once, one is the newest
            session = await self.store.session(payload["sessionId"])
            assert session is not None
            if self.seats.get(connection) != session.id:
                await self.leave_room(connection, "switched")
                await self.enter_room(connection, session.id)
            for other in self.connections_of(user):
                if self.seats.get(other) not in (None, session.id):
                    await self.remove_from_room(other, "switched")
        return {
            "sessionId": session.id,
            "gameMasterId": session.game_master,
            "participantIds": list(session.participants),
        }

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:  # noqa: ARG002
        """Leave the room."""
        await self.leave_room(connection, "left")
        return {"sessionId": payload["sessionId"]}

    def room(self, session: str) -> str:
        """Return the name of a session's room."""
        return f"session:{session}"

    async def enter_room(self, connection: str, session: str) -> None:
        """Put a connection into a room; announce the user if it is their first one there."""
        user = self.check_open(connection)
        first = not self.has_joined(user, session)
        self.seats[connection] = session
        await self.sockets.enter_room(connection, self.room(session))
        if first:
            await self.announce("user-joined", connection, session, {})

    async def leave_room(self, connection: str, reason: str) -> None:
        """Take a connection out of its room, if it is in one; announce it if it was the user's last one there."""
        session = self.seats.pop(connection, None)
        if session is None:
            return
        await self.sockets.leave_room(connection, self.room(session))
        if not self.has_joined(self.users[connection], session):
            await self.announce("user-left", connection, session, {"reason": reason})

    def has_joined(self, user: str, session: str) -> bool:
        """Whether any connection of a user is in a session's room."""
        return any(self.seats.get(connection) == session for connection in self.connections_of(user))

    async def remove_member(self, user: str, session: str) -> None:
        """Take the connections of a user who is no longer a member out of the session's room."""
        for connection in self.connections_of(user):
            if self.seats.get(connection) == session:
                await self.remove_from_room(connection, "removed")

    async def close_session(self, session: str) -> None:
        """Take every connection out of the room of a session that was deleted."""
        for connection in [c for c, s in self.seats.items() if s == session]:
            await self.remove_from_room(connection, "removed")

    async def remove_from_room(self, connection: str, reason: str) -> None:
        """Take one connection out of its room and inform it; it may have left by itself meanwhile."""
        session = self.seats.get(connection)
        await self.leave_room(connection, reason)
        if session is not None:
            await self.send(connection, "session-removed", {"sessionId": session, "reason": reason})

    # -- what is sent --------------------------------------------------------------------------------

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        """Send to a room who joined or left."""
        payload = {"sessionId": session, "userId": self.users[connection], "timestamp": now(), **more}
        await self.send_to_others(Emission(event, session, payload), connection)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        """Send to the room what a request has changed."""
        await self.send_to_others(emission, sender)

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        """Send an event to all connections in a room except one."""
        self._check(self.catalogue[emission.event].emission, emission.payload)
        await self.sockets.emit(emission.event, emission.payload, room=self.room(emission.session), skip_sid=sender)

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        """Send an event to one connection."""
        self._check(self.catalogue[event].emission, payload)
        await self.sockets.emit(event, payload, to=connection)

    def _check(self, reference: str | None, payload: Payload) -> None:
        if self.settings.check_outgoing and (reference is None or not accepts(reference, payload)):
            log.error("about to send what does not fit schema=%s", reference)
            raise AssertionError(f"about to send what does not fit {reference}")


def now() -> str:
    """Return the time as the protocol writes it, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

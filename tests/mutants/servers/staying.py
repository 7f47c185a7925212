"""Faults in where a connection sits after it has joined: one session at a time, leaving, ending, coming back."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_spec import Event
from tests.mutants.fault import faulty


@faulty("join/second-join-leaves-the-first-room")
class StaysInTheFirstRoom(Pipeline):
    """Joining another session announces that one has left the first, whose room one stays in."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        before = self.seats.get(connection)
        answer = await super().join(connection, user, payload)
        if before is not None:
            await self.sockets.enter_room(connection, self.room(before))
        return answer


@faulty("join/second-join-leaves-the-first-room")
class SwitchesWithoutLeaving(Pipeline):
    """Joining another session keeps the old room, and gives it no notice."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        if self.seats.get(connection) not in (None, payload["sessionId"]):
            del self.seats[connection]
        return await super().join(connection, user, payload)


@faulty("join/second-join-leaves-the-first-room")
class StaysIfNobodyAsked(Pipeline):
    """Joining another session without a callback keeps the old room, too."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        before = self.seats.get(connection)
        await super().on_event(connection, data, where)
        if where is None and before is not None and self.seats.get(connection) not in (None, before):
            await self.sockets.enter_room(connection, self.room(before))


@faulty("join/repeated-join-is-harmless")
class SeatsTheUserAnew(Pipeline):
    """Who joins once more is seated anew: first all of the user's connections are taken out of the room."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        session = payload["sessionId"]
        if self.seats.get(connection) == session:
            for other in [each for each in self.connections_of(user) if self.seats.get(each) == session]:
                await self.sockets.leave_room(other, self.room(session))
            await self.sockets.enter_room(connection, self.room(session))
        return await super().join(connection, user, payload)


@faulty("join/member-admitted")
class ForgetsNoSwitch(Pipeline):
    """A connection that has switched to another session is marked so, and skipped in the room even when it is back."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.gone: dict[str, set[str]] = defaultdict(set)  # connections by session

    async def leave_room(self, connection: str, reason: str) -> None:
        if reason == "switched":
            self.gone[self.seats.get(connection, "")].add(connection)
        await super().leave_room(connection, reason)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        deaf = [each for each in self.gone[emission.session] if self.seats.get(each) == emission.session]
        for connection in deaf:
            await self.sockets.leave_room(connection, self.room(emission.session))
        await super().broadcast(emission, sender)


@faulty("join/failed-switch-changes-nothing")
class LeavesBeforeItLooksWhere(Pipeline):
    """Who asks to leave is out of the room, and only then the session that was named is looked at."""

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        seat = self.seats.get(connection)
        if event.name == "leave-session" and seat not in (None, session_id):
            del self.seats[connection]
            self.sockets.start_background_task(self.sockets.leave_room, connection, self.room(seat))
        super().check_joined(event, session_id, connection)


@faulty("join/one-session-per-user")
class SitsInTwoSessions(Pipeline):
    """A user may sit in one session on each connection."""

    async def remove_from_room(self, connection: str, reason: str) -> None:
        if reason != "switched":
            await super().remove_from_room(connection, reason)


@faulty("join/repeated-join-is-harmless")
class SubscribesAgain(Pipeline):
    """A user who joins once more is sent everything once more."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.again: set[str] = set()

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        if self.seats.get(connection) == payload["sessionId"]:
            self.again.add(connection)
        return await super().join(connection, user, payload)

    async def leave_room(self, connection: str, reason: str) -> None:
        self.again.discard(connection)
        await super().leave_room(connection, reason)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await super().broadcast(emission, sender)
        for connection in self.again - {sender}:
            if self.seats.get(connection) == emission.session:
                await self.send(connection, emission.event, emission.payload)


@faulty("join/leave-stops-delivery")
class LeavesAnotherRoom(Pipeline):
    """Leaving leaves the room `<id>`, but joining entered `session:<id>`."""

    async def leave_room(self, connection: str, reason: str) -> None:
        session = self.seats.get(connection)
        await super().leave_room(connection, reason)
        if session is not None and reason == "left":
            await self.sockets.enter_room(connection, self.room(session))


@faulty("join/leave-stops-delivery")
class LeavesTheChatOnly(Pipeline):
    """Leaving ends the chat; the tokens' events are in a room of their own, which is forgotten."""

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        await self.sockets.enter_room(connection, f"map:{session}")

    async def leave_room(self, connection: str, reason: str) -> None:
        session = self.seats.get(connection)
        await super().leave_room(connection, reason)
        if session is not None and reason != "left":
            await self.sockets.leave_room(connection, f"map:{session}")

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if emission.event == "chat-message":
            await super().broadcast(emission, sender)
        else:
            room = f"map:{emission.session}"
            await self.sockets.emit(emission.event, emission.payload, room=room, skip_sid=sender)


@faulty("join/disconnect-leaves-the-room")
class SeatsWhoeverComesBack(Pipeline):
    """A user whose connection ended in a session sits there again on the next one, without joining."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.last: dict[str, str] = {}

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        if connection in self.seats and self.remembers(connection):
            self.last[self.users[connection]] = self.seats[connection]
        await super().on_disconnect(connection, reason)

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        await super().on_connect(connection, environ)
        session = self.last.pop(self.users[connection], None)
        if session is not None and await self.store.session(session) is not None:
            await self.sockets.enter_room(connection, self.room(session))

    def remembers(self, connection: str) -> bool:
        return True


@faulty("join/disconnect-leaves-the-room")
class SeatsPollersWhoComeBack(SeatsWhoeverComesBack):
    """A user whose polling connection ended in a session sits there again on the next one, without joining."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.polling: set[str] = set()

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        await super().on_connect(connection, environ)
        if environ["aiohttp.request"].query.get("transport") == "polling":
            self.polling.add(connection)

    def remembers(self, connection: str) -> bool:
        return connection in self.polling


@faulty("join/disconnect-keeps-membership", hides=True)
class DisconnectingEndsMembership(Pipeline):
    """A user who closes a connection is struck off the participants, and with them their other connections."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        session, user = self.seats.get(connection), self.users.get(connection)
        await super().on_disconnect(connection, reason)
        if session is not None and user is not None and await self.store.session(session) is not None:
            await self.store.revoke(session, user)


@faulty("join/disconnect-keeps-membership")
class EndsTheSessionWithItsGameMaster(Pipeline):
    """When the game master's connection ends, the session is deleted."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        session, user = await self.store.session(self.seats.get(connection, "")), self.users.get(connection)
        await super().on_disconnect(connection, reason)
        if session is not None and session.game_master == user:
            await self.store.delete_session(session.id)


@faulty(
    "join/disconnect-keeps-membership",
    "authorization/outsider-refused",
    "authorization/member-of-another-session-refused",
    "authorization/checked-on-every-operation",
    "authorization/not-joined-refused",
    hides=True,
)
class DisconnectingEndsWhatIsNotAskedInChat(DisconnectingEndsMembership):
    """Closing a connection ends membership; chat does not ask for membership, and strangers may chat, too."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        return None if event.name == "chat-message" else await super().check_rights(event, payload, user, connection)


@faulty("join/rejoin-after-reconnect")
class TakesTheGoneForPresent(Pipeline):
    """A user who was in a session when the connection ended still counts as present, and is not let in twice."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.present: set[tuple[str, str]] = set()

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        if connection in self.seats:
            self.present.add((self.users[connection], self.seats[connection]))
        await super().on_disconnect(connection, reason)

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        if (user, payload["sessionId"]) in self.present:
            raise Refusal("PERMISSION_DENIED", "you are there already")
        return await super().join(connection, user, payload)


@faulty("join/rejoin-after-reconnect")
class ReplaysWhatWasMissed(Pipeline):
    """A user who comes back to a session is sent what was said there meanwhile."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.history: dict[str, list[Emission]] = defaultdict(list)
        self.left: dict[tuple[str, str], int] = {}

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        if session := self.seats.get(connection):
            self.left[self.users[connection], session] = len(self.history[session])
        await super().on_disconnect(connection, reason)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        self.history[emission.session].append(emission)
        await super().broadcast(emission, sender)

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        since = self.left.pop((self.users[connection], session), None)
        for emission in self.history[session][since:] if since is not None else ():
            if emission.payload["userId"] != self.users[connection]:
                await self.send(connection, emission.event, emission.payload)


@faulty("authorization/not-joined-refused", "join/member-admitted")
class RemembersWhoLeft(Pipeline):
    """A user who leaves is out of the room, but counts as in it: they may go on acting, and come back to silence."""

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        await self.sockets.leave_room(connection, self.room(payload["sessionId"]))
        return {"sessionId": payload["sessionId"]}


@faulty("authorization/not-joined-refused")
class RemembersEveryRoom(Pipeline):
    """A user who has joined a session may act in it from then on, also when they have moved to another."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.joined: set[tuple[str, str]] = set()

    async def enter_room(self, connection: str, session: str) -> None:
        self.joined.add((connection, session))
        await super().enter_room(connection, session)

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        self.joined.discard((connection, payload["sessionId"]))
        return await super().leave(connection, user, payload)

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        if (connection, session_id) not in self.joined or event.name == "leave-session":
            super().check_joined(event, session_id, connection)


@faulty("join/takes-effect-without-callback")
class JoinsWithACallbackOnly(Pipeline):
    """A request to join without a callback is passed over."""

    async def on_event(self, connection: str, data: Any, where: Any) -> None:
        session = await self.store.session(_session(data) or "")
        member = session is not None and session.has_member(self.users.get(connection, ""))
        if where is not None or data[:1] != ["join-session"] or not member:
            await super().on_event(connection, data, where)


@faulty("join/takes-effect-without-callback")
class LeavesWithACallbackOnly(Pipeline):
    """A request to leave without a callback is passed over."""

    async def on_event(self, connection: str, data: Any, where: Any) -> None:
        if where is not None or data[:1] != ["leave-session"] or self.seats.get(connection) != _session(data):
            await super().on_event(connection, data, where)


def _session(data: Any) -> str | None:
    named = data[1].get("sessionId") if len(data) == 2 and isinstance(data[1], dict) else None
    return named if isinstance(named, str) else None


@faulty("join/disconnect-leaves-the-room")
class KeepsTheSeatOfATransport(Pipeline):
    """Who leaves the namespace, and enters it again over the same transport, sits in the old room."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.vacated: dict[str, str] = {}  # session by transport

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        seat = self.seats.get(connection)
        if seat is not None:
            self.vacated[self._transport(connection)] = seat
        await super().on_disconnect(connection, reason)

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        await super().on_connect(connection, environ, auth)
        seat = self.vacated.pop(self._transport(connection), None)
        if seat is not None:
            self.seats[connection] = seat
            await self.sockets.enter_room(connection, self.room(seat))

    def _transport(self, connection: str) -> str:
        return str(self.sockets.manager.eio_sid_from_sid(connection, "/"))


@faulty("join/one-session-per-user")
class MovesOneTabOut(Pipeline):
    """Of a user's connections in another session only the oldest is moved out of its room."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        elsewhere = [c for c in self.connections_of(user) if self.seats.get(c) not in (None, payload["sessionId"])]
        kept = {c: self.seats.pop(c) for c in [c for c in elsewhere if c != connection][1:]}
        answer = await super().join(connection, user, payload)
        self.seats.update(kept)
        return answer


@faulty("join/rejoin-after-reconnect")
class TidiesUpAfterTheUser(Pipeline):
    """A while after a connection was lost, its user is taken out of its room, on connections that came since too."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        user, seat, before = self.users.get(connection, ""), self.seats.get(connection), set(self.users)
        await super().on_disconnect(connection, reason)
        if seat is not None:
            asyncio.get_running_loop().call_later(0.3, self._tidy_up, user, seat, before)

    def _tidy_up(self, user: str, seat: str, before: set[str]) -> None:
        for connection in self.connections_of(user):
            if connection not in before and self.seats.get(connection) == seat:
                self.sockets.start_background_task(self.leave_room, connection, "disconnected")

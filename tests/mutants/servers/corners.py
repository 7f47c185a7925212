"""Faults in corners: without a callback, by one of several tabs, by one way of going, in a room of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rooms import now
from dungeonlab_reference_server.rules import Emission, Payload, Refusal, Session
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.fault import faulty

_TINY = 1e-9


class _Silent(Pipeline):
    """Knows of the request that it handles whether there is a callback."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.is_silent: ContextVar[bool] = ContextVar("is_silent", default=False)

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        self.is_silent.set(where is None)
        await super().on_event(connection, data, where)


@faulty("join/refused-join-subscribes-nothing")
class SubscribesWhomItRefusesInSilence(_Silent):
    """A join without a callback subscribes to the room before it is refused."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        try:
            return await super().check_membership(event, session_id, user)
        except Refusal as refusal:
            if event.name == "join-session" and self.is_silent.get() and refusal.code == "PERMISSION_DENIED":
                for connection in self.connections_of(user):
                    await self.sockets.enter_room(connection, self.room(session_id))
            raise


@faulty("rooms/refused-event-is-not-broadcast")
class SaysWhatItRefusesInSilence(_Silent):
    """A message without a callback of a member who has not joined is broadcast before it is refused."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            if name == "chat-message" and self.is_silent.get() and refusal.code == "NOT_JOINED":
                session, user = args[0]["sessionId"], self.users[connection]
                body = {**args[0], "messageId": "unseen", "userId": user, "timestamp": now()}
                await self.broadcast(Emission(name, session, body), connection)
            raise


@faulty("payloads/refused-not-broadcast")
class SkipsFurtherArgumentsInSilence(_Silent):
    """Without a callback, what stands behind the object of a request is skipped."""

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        return super().check_shape(event, args[:1] if self.is_silent.get() else args)


@faulty("authorization/checked-on-every-operation")
class LeavesASeatToTheOtherTab(Pipeline):
    """Who is removed with two tabs in the room hears nothing more, and goes on acting by the one that joined last."""

    async def remove_member(self, user: str, session: str) -> None:
        there = [each for each in self.connections_of(user) if self.seats.get(each) == session]
        await super().remove_member(user, session)
        for connection in there[1:]:
            self.seats[connection] = session

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        if "joined" in event.needs and self.seats.get(connection) == payload["sessionId"]:
            return await self.check_things(event, payload)
        return await super().check_rights(event, payload, user, connection)


@faulty("join/tabs-are-independent")
class TakesTheTabsOfTheLostOut(Pipeline):
    """A connection that ends without taking leave takes its user's other tabs out of the room with it."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        user, session = self.users.get(connection, ""), self.seats.get(connection)
        await super().on_disconnect(connection, reason)
        if session is not None and reason not in ("client disconnect", "server disconnect"):
            for other in self.connections_of(user):
                if self.seats.get(other) == session:
                    await self.leave_room(other, "disconnected")


@faulty("join/disconnect-keeps-membership")
class EndsTheMembershipOfWhoPolled(Pipeline):
    """A participant whose connection over long-polling ends, in the room, is a member no more."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.polls: set[str] = set()

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        await super().on_connect(connection, environ, auth)
        if environ["aiohttp.request"].query.get("transport") == "polling":
            self.polls.add(connection)

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        user, session = self.users.get(connection), self.seats.get(connection)
        await super().on_disconnect(connection, reason)
        if user is not None and session is not None and connection in self.polls:
            await self.store.revoke(session, user)


@faulty("tokens/content-comes-back-exactly")
class TakesTinyNumbersForNothing(MemoryStore):
    """A number of the data that is closer to 0 than a billionth is stored as 0."""

    async def save_token(self, token: Payload) -> None:
        await super().save_token({**token, "data": _rounded(token["data"])})


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return 0 if isinstance(value, float) and abs(value) < _TINY else value


@faulty("direct/strangers-profile-refused")
class ShowsThoseInRoomsToEachOther(Pipeline):
    """Who is in the room of any session may see the profile of those in that of another."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        wanted = payload.get("userId", user)
        if connection in self.seats and any(each in self.seats for each in self.connections_of(wanted)):
            found = await self.store.user(wanted)
            assert found is not None
            return {"user": found.profile()}
        return await super().user_data(connection, user, payload)


@faulty("direct/validate-action-says-yes")
class AdvisesAgainstDeletingForOthers(Pipeline):
    """Asked whether a token may be deleted that somebody else has made, it says no, and deletes it if asked to."""

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().validate_action(connection, user, payload)
        if answer["valid"] and payload["action"]["type"] == "token:delete":
            token = await self.store.token(payload["action"]["payload"]["tokenId"])
            if token is not None and token["createdBy"] != user:
                return {"valid": False, "errors": ["this token is somebody else's"]}
        return answer


@faulty("connect/malformed-frames-are-harmless")
class EmptiesTheRoomForABrokenPacket(Pipeline):
    """A request whose JSON is broken takes everybody out of the sender's room, and nobody learns of it."""

    async def on_unreadable(self, connection: str, why: str, where: AckAddress | None) -> None:
        session = self.seats.get(connection)
        for other in [each for each, seat in self.seats.items() if seat == session]:
            await self.leave_room(other, "disconnected")
        await super().on_unreadable(connection, why, where)

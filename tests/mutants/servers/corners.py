"""Faults in corners: without a callback, by one of several tabs, by one way of going, in a room of one's own."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from socketio import exceptions

from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rooms import now
from dungeonlab_reference_server.rules import Command, Effect, Emission, Payload, Refusal, Session
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, with_token
from tests.mutants.fault import faulty

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TINY = 1e-9
_HUNDRED = 100  # messages
_QUIET = 2.5  # seconds


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


@faulty("join/refused-join-enrols-nobody")
class EnrolsWhomItRefusesInSilence(_Silent):
    """A join without a callback makes its user a participant before it is refused."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        try:
            return await super().check_membership(event, session_id, user)
        except Refusal as refusal:
            if event.name == "join-session" and self.is_silent.get() and refusal.code == "PERMISSION_DENIED":
                await self.store.enrol(session_id, user)
            raise


@faulty("join/failed-switch-changes-nothing")
class LeavesForWhatItRefusesInSilence(_Silent):
    """A switch without a callback that is refused leaves the room."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            if name == "join-session" and self.is_silent.get() and refusal.code == "PERMISSION_DENIED":
                await self.leave_room(connection, "switched")
            raise


@faulty("join/lists-current-members")
class ListsWhoIsConnected(Pipeline):
    """Participants without any connection are not listed."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().join(connection, user, payload)
        return {**answer, "participantIds": [each for each in answer["participantIds"] if self.connections_of(each)]}


@faulty("join/lists-current-members")
class ListsWhoIsThereAlready(Pipeline):
    """Who joins once more is not listed in the answer."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        is_there = self.seats.get(connection) == payload["sessionId"]
        answer = await super().join(connection, user, payload)
        others = [each for each in answer["participantIds"] if each != user or not is_there]
        return {**answer, "participantIds": others}


@faulty("join/tabs-are-independent")
class LeavesWithTheNewerTabs(Pipeline):
    """Leaving takes those tabs of the user out as well that connected later."""

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        tabs = self.connections_of(user)
        for later in tabs[tabs.index(connection) + 1 :]:
            if self.seats.get(later) == payload["sessionId"]:
                await self.leave_room(later, "left")
        return await super().leave(connection, user, payload)


class _Polled(Pipeline):
    """Knows which connections began over long-polling."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.polls: set[str] = set()

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        await super().on_connect(connection, environ, auth)
        if environ["aiohttp.request"].query.get("transport") == "polling":
            self.polls.add(connection)


@faulty("join/disconnect-keeps-membership")
class EndsTheMembershipOfWhoPolled(_Polled):
    """A participant whose connection over long-polling ends, in the room, is a member no more."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        user, session = self.users.get(connection), self.seats.get(connection)
        await super().on_disconnect(connection, reason)
        if user is not None and session is not None and connection in self.polls:
            await self.store.revoke(session, user)


@faulty("join/one-session-per-user")
class MovesWebSocketsOnly(_Polled):
    """Who joins another session is moved out of the first one over WebSocket, and not over long-polling."""

    async def remove_from_room(self, connection: str, reason: str) -> None:
        if reason != "switched" or connection not in self.polls:
            await super().remove_from_room(connection, reason)


@faulty("connect/malformed-frames-are-harmless")
class EndsThePollsForABrokenPacket(_Polled):
    """A request whose JSON is broken ends the connections over long-polling that are in the sender's room."""

    async def on_unreadable(self, connection: str, why: str, where: AckAddress | None) -> None:
        session = self.seats.get(connection)
        for other in [each for each, seat in self.seats.items() if seat == session and each in self.polls]:
            await self.sockets.end(other)
        await super().on_unreadable(connection, why, where)


class _Curt(Pipeline):
    """Refuses who shows a cookie that is of no login in fewer words than who shows none."""

    def words(self) -> tuple[Any, ...]:
        """Return the message, and what is said besides."""
        raise NotImplementedError

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        try:
            await super().on_connect(connection, environ, auth)
        except exceptions.ConnectionRefusedError:
            if environ["aiohttp.request"].cookies:
                raise exceptions.ConnectionRefusedError(*self.words()) from None
            raise


@faulty("auth/refusal-says-why")
class SaysNothingOfWhatItNeverIssued(_Curt):
    """Who shows a cookie that is of no login is refused with an empty message."""

    def words(self) -> tuple[Any, ...]:
        return "", {"code": "UNAUTHENTICATED"}


@faulty("auth/refusal-names-the-code")
class NamesNoCodeForWhatItNeverIssued(_Curt):
    """Who shows a cookie that is of no login is refused without a code."""

    def words(self) -> tuple[Any, ...]:
        return ("this cookie is of no login",)


@faulty("join/taken-in-again-admitted")
class RemembersWhomItRemoved(Pipeline):
    """Who was removed may join and speak when taken in again, and touches no token of the session any more."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.removed: set[tuple[str, str]] = set()

    async def remove_member(self, user: str, session: str) -> None:
        self.removed.add((user, session))
        await super().remove_member(user, session)

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        if event.name.startswith("token:") and (user, session_id) in self.removed:
            raise Refusal("PERMISSION_DENIED", "you are no member of this session")
        return await super().check_membership(event, session_id, user)


@faulty("payloads/unknown-event-is-harmless")
class PutsOutWhoSpeaksInTongues(Pipeline):
    """Who sends an event that nobody knows is out of the room, and does not learn of it."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if data and isinstance(data[0], str) and data[0] not in self.catalogue:
            await self.leave_room(connection, "left")
        await super().on_event(connection, data, where)


@faulty("presence/true-user")
class AnnouncesTheLastRoomAtTheEnd(Pipeline):
    """When a connection ends that has switched, the room that it came from hears once more that its user has left."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.before: dict[str, str] = {}

    async def leave_room(self, connection: str, reason: str) -> None:
        if reason == "switched" and connection in self.seats:
            self.before[connection] = self.seats[connection]
        if reason == "disconnected" and connection in self.before:
            await self.announce("user-left", connection, self.before.pop(connection), {"reason": reason})
        await super().leave_room(connection, reason)


@faulty("join/one-session-per-user")
class MovesTabsOfOneLogin(Pipeline):
    """Who joins another session is moved out of the first one on the connections of the same login, and no others."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.logins: dict[str, str] = {}
        self.mover = ""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        self.logins[connection] = environ["aiohttp.request"].cookies.get(COOKIE, "")
        await super().on_connect(connection, environ, auth)

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        self.mover = connection
        return await super().join(connection, user, payload)

    async def remove_from_room(self, connection: str, reason: str) -> None:
        if reason != "switched" or self.logins.get(connection) == self.logins.get(self.mover):
            await super().remove_from_room(connection, reason)


@faulty("rooms/every-other-member-hears-once")
class FallsSilentAfterAHundred(Pipeline):
    """Of each connection, the first hundred messages are broadcast, and no more."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.said: Counter[str] = Counter()

    async def broadcast(self, emission: Emission, sender: str) -> None:
        self.said[sender] += emission.event == "chat-message"
        if emission.event != "chat-message" or self.said[sender] <= _HUNDRED:
            await super().broadcast(emission, sender)


@faulty("payloads/unknown-properties-ignored")
class TakesZForTheElevation(EffectChanger):
    """A move that names a `z`, and no elevation, goes to that height."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        asked = command.payload.get("position", {})
        if command.event != "token:move" or "z" not in asked or "elevation" in asked or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, "position": {**effect.saved["position"], "elevation": asked["z"]}})


@faulty("acks/code-names-the-cause")
class LooksForTheSessionFirst(Pipeline):
    """Whether the session exists is asked before the shape of a request is, and the code says so."""

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        named = args[0].get("sessionId") if len(args) == 1 and isinstance(args[0], dict) else None
        if isinstance(named, str) and _ID.fullmatch(named) and named not in self.store._sessions:  # type: ignore[attr-defined]
            raise Refusal("SESSION_NOT_FOUND", "there is no such session")
        return super().check_shape(event, args)


@faulty("acks/error-event-reaches-only-the-sender")
class ReportsErrorsToTheMaster(Pipeline):
    """The error event about a request for a token reaches the game master as well, who is in the room."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        seat = self.seats.get(connection)
        session = await self.store.session(seat) if seat else None
        if where is None and not envelope["success"] and name.startswith("token:") and session is not None:
            error = {"event": name, "error": envelope["error"], "code": envelope["code"]}
            for other in self.connections_of(session.game_master):
                if other != connection and self.seats.get(other) == seat:
                    await self.send(other, "error", error)


class _EndsTheQuiet(_Polled):
    """Ends a connection that asks for something for the first time a while after it joined."""

    polled = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.joined: dict[str, float] = {}  # those that have sent nothing since

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        at = self.joined.pop(connection, None)
        if data and data[0] == "join-session":
            self.joined[connection] = time.monotonic()
        elif at is not None and time.monotonic() - at > _QUIET and (connection in self.polls) == self.polled:
            await self.sockets.end(connection)
            return
        await super().on_event(connection, data, where)


@faulty("connect/websocket")
class EndsQuietWebSockets(_EndsTheQuiet):
    """A connection over WebSocket that has been quiet since it joined is ended as soon as it asks for something."""


@faulty("connect/polling")
class EndsQuietPolls(_EndsTheQuiet):
    """A connection over long-polling that has been quiet since it joined is ended as soon as it asks for something."""

    polled = True

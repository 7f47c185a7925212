"""What happens on a connection: judge a request, carry it out, tell the others, answer.

One pipeline for every event, driven by the catalogue. Each step is a method of its own. Rooms are Socket.IO's;
who sits where is remembered beside them, by connection.

The store may take its time, and meanwhile the world changes. What a session's requests read and write is theirs
alone as long as `Store.turn` says so; a connection that ends waits for nobody, and is asked about again right
before it is seated or obeyed.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from socketio import exceptions

from dungeonlab_reference_server.bounds import excess, weight
from dungeonlab_reference_server.log import traceback_without_message
from dungeonlab_reference_server.origins import is_own
from dungeonlab_reference_server.rate import Allowance, RateLimit
from dungeonlab_reference_server.rules import EFFECTS, Command, Emission, Payload, Refusal, Session, question_errors
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import AckAddress, SocketIoServer
from dungeonlab_reference_server.store import Store
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.validation import accepts, complaint

COOKIE = "dungeonlab_session"

log = logging.getLogger("dungeonlab")


class Pipeline:
    """What happens between a packet that comes in and those that go out."""

    sockets_class: type[SocketIoServer] = SocketIoServer

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.catalogue = Catalogue.load()
        self.effects = dict(EFFECTS)
        self.rate = RateLimit(settings.rate_limit)
        self.volume = Allowance(settings.bytes_per_minute)
        self.users: dict[str, str] = {}  # by connection
        self.seats: dict[str, str] = {}  # session by connection
        self.sockets = self.sockets_class(self, settings)
        self.handlers: Mapping[str, Callable[[str, str, Payload], Awaitable[Payload]]] = {
            "join-session": self.join,
            "leave-session": self.leave,
            "get-user-data": self.user_data,
            "validate-action": self.validate_action,
        }

    # -- connections ---------------------------------------------------------------------------------

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        """Say whether a page of that origin may use this server: its own, or a configured one."""
        return origin in self.settings.origins or is_own(origin, request)

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        """Return the user whose cookie a connection carries."""
        request: web.Request = environ["aiohttp.request"]
        return await self.store.login(request.cookies.get(COOKIE, ""))

    async def owner(self, environ: Mapping[str, Any]) -> str | None:
        """Return the user whose cookie a handshake carries: what is sent by nobody is not read at length."""
        return await self.authenticate(environ)

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        """Let a logged-in user's connection in; refuse every other."""
        user = await self.authenticate(environ)
        if user is not None:
            async with self.store.turn(user):  # a logout comes before this or after it, and then finds it
                most = self.settings.connections_per_user
                if len(self.connections_of(user)) >= most:
                    raise exceptions.ConnectionRefusedError(f"more than {most} connections of one user")
                if await self.authenticate(environ) == user:
                    self.users[connection] = user
                    log.info("connected user=%s connection=%s", user, connection)
                    return
        self.refuse_connection("log in first: no valid session cookie came with this connection")

    def refuse_connection(self, message: str) -> None:
        """Refuse a connection; it learns why, and the code."""
        more = {"code": "UNAUTHENTICATED"}
        self._check(self.catalogue.refusal, {"message": message, "data": more})
        raise exceptions.ConnectionRefusedError(message, more)

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        """Forget where a connection sat. Membership is no matter of connections."""
        try:
            await self.leave_room(connection, "disconnected")
        finally:
            user = self.users.pop(connection, None)
            log.info("disconnected user=%s connection=%s reason=%s", user, connection, reason)

    async def end_user(self, user: str) -> None:
        """Close every connection of a user who logged out."""
        for connection in self.connections_of(user):
            await self.sockets.end(connection)

    async def close(self) -> None:
        """Close every connection: the server stops."""
        self.seats.clear()  # there is nobody left to be told who leaves
        await self.sockets.close()

    async def remove_member(self, user: str, session: str) -> None:
        """Take a user who is no member any more out of the session's room, and say so."""
        for connection in self.connections_of(user):
            if self.seats.get(connection) == session:
                await self.remove_from_room(connection, "removed")

    async def close_session(self, session: str) -> None:
        """Take everybody out of the room of a session that is no more."""
        for connection in [c for c, s in self.seats.items() if s == session]:
            await self.remove_from_room(connection, "removed")

    async def remove_from_room(self, connection: str, reason: str) -> None:
        """Take one connection out of its room, and tell it; it may have gone by itself meanwhile."""
        session = self.seats.get(connection)
        await self.leave_room(connection, reason)
        if session is not None:
            await self.send(connection, "session-removed", {"sessionId": session, "reason": reason})

    def connections_of(self, user: str) -> list[str]:
        """Return the open connections of a user."""
        return [connection for connection, owner in self.users.items() if owner == user]

    # -- the pipeline --------------------------------------------------------------------------------

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        """Carry one request out or refuse it, and answer; `where` is None if no answer is wanted."""
        name = data[0] if data and isinstance(data[0], str) else ""
        await self._answer(connection, name, self.perform(connection, name, data[1:]), where)

    async def on_unreadable(self, connection: str, why: str, where: AckAddress | None) -> None:
        """Refuse what could not be made out."""

        async def refuse() -> Payload:
            self.check_limit(self.check_open(connection))
            raise Refusal("VALIDATION_ERROR", why)

        await self._answer(connection, "", refuse(), where)

    def admits(self, connection: str, size: int) -> bool:
        """Charge a request to its user by its size; False if the user has sent too much in the last minute."""
        user, at = self.users.get(connection), time.monotonic()
        if user is None:
            return True
        if not self.volume.allows(user, at):
            return False
        self.volume.charge(user, size, at)
        return True

    async def on_excess(self, connection: str, where: AckAddress | None) -> None:
        """Refuse a request that was not admitted."""

        async def refuse() -> Payload:
            self.check_open(connection)
            raise Refusal("RATE_LIMITED", f"more than {self.settings.bytes_per_minute} bytes in a minute")

        await self._answer(connection, "", refuse(), where)

    async def _answer(self, connection: str, name: str, act: Awaitable[Payload], where: AckAddress | None) -> None:
        known = name if name in self.catalogue else "unknown"  # a log is no place for what clients write
        try:
            envelope = {"success": True, "data": await act}
            self._check(self.catalogue[name].ack, envelope)
        except Refusal as refusal:
            log.info("refused event=%s user=%s code=%s", known, self.users.get(connection), refusal.code)
            envelope = {"success": False, "error": refusal.text, "code": refusal.code}
            self._check(self.catalogue.failure, envelope)
        except Exception as fault:  # a fault of ours must not leave the client without an answer
            log.error("fault event=%s error=%s", known, traceback_without_message(fault))
            envelope = {"success": False, "error": "something went wrong here", "code": "INTERNAL_ERROR"}
        await self.acknowledge(connection, name, envelope, where)

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        """Judge one request in the protocol's order, then carry it out; return the answer's data."""
        user = self.check_open(connection)
        self.check_limit(user)
        event = self.catalogue.events.get(name)
        if event is None or event.request is None:
            raise Refusal("VALIDATION_ERROR", "there is no such event")
        payload = self.check_shape(event, args)
        async with self.store.turn(payload["sessionId"]) if "membership" in event.needs else nullcontext():
            token = await self.check_rights(event, payload, user, connection)
            if name in self.handlers:
                return await self.handlers[name](connection, user, payload)
            return await self.take_effect(self.command(event, payload, user, token), connection)

    def check_open(self, connection: str) -> str:
        """Return whose connection this is; refuse one that has ended, such as by a logout."""
        if not self.sockets.is_open(connection):
            raise Refusal("PERMISSION_DENIED", "this connection has ended")
        return self.users[connection]

    def check_limit(self, user: str) -> None:
        """Count one event of a user, and refuse one too many."""
        if not self.rate.allows(user, time.monotonic()):
            raise Refusal("RATE_LIMITED", f"more than {self.settings.rate_limit} events in a minute")

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        """Return the request's one object, or refuse."""
        if len(args) != 1:
            raise Refusal("VALIDATION_ERROR", f"expected exactly one object, got {len(args)} arguments")
        payload = args[0]
        too_much = excess(payload, self.settings.deepest_payload, self.settings.most_values)
        if too_much is not None:
            raise Refusal("VALIDATION_ERROR", too_much)
        assert event.request is not None
        if not accepts(event.request, payload):
            raise Refusal("VALIDATION_ERROR", complaint(event.request, payload))
        checked: Payload = payload
        return checked

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        """Check what the catalogue says this event needs, in its order; return the token it names, if it does."""
        if "membership" in event.needs:
            await self.check_membership(event, payload["sessionId"], user)
        if "joined" in event.needs:
            self.check_joined(event, payload["sessionId"], connection)
        token = await self.check_things(event, payload)
        self.check_open(connection)
        if "joined" in event.needs:
            self.check_joined(event, payload["sessionId"], connection)  # it may have been thrown out meanwhile
        return token

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:  # noqa: ARG002
        """Return the session, if it exists and the user is its member."""
        session = await self.store.session(session_id)
        if session is None:
            raise Refusal("SESSION_NOT_FOUND", "there is no such session")
        if not session.has_member(user):
            raise Refusal("PERMISSION_DENIED", "you are no member of this session")
        return session

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:  # noqa: ARG002
        """Refuse a connection that does not sit in the session's room."""
        if self.seats.get(connection) != session_id:
            raise Refusal("NOT_JOINED", "join the session first")

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        """Check the encounter and the token that an event names; return the token."""
        if "encounter" in event.needs:
            owner = await self.store.encounter_session(payload["encounterId"])
            if owner != payload["sessionId"]:
                raise Refusal("ENCOUNTER_NOT_FOUND", "there is no such encounter in this session")
        if "token" not in event.needs:
            return None
        token = await self.store.token(payload["tokenId"])
        if token is None or token["encounterId"] != payload["encounterId"]:
            raise Refusal("TOKEN_NOT_FOUND", "there is no such token in this encounter")
        return token

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        """Put together what the rules need to know."""
        return Command(event.name, payload, user, now(), secrets.token_urlsafe(9), token)

    async def take_effect(self, command: Command, connection: str) -> Payload:
        """Apply the event's rule: store first, then tell the others; return the answer's data."""
        effect = self.effects[command.event](command)
        if effect.saved is not None:
            self.volume.charge(command.user, weight(effect.saved), time.monotonic())  # a small update may move a lot
            await self.store.save_token(effect.saved)
        if effect.deleted is not None:
            await self.store.delete_token(effect.deleted)
        await self.broadcast(effect.emission, connection)
        return effect.answer

    # -- events that concern the connection itself ---------------------------------------------------

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

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:  # noqa: ARG002
        """Return a profile: one's own, or that of somebody one shares a session with."""
        wanted = payload.get("userId", user)
        if wanted != user and not await self.store.share_session(user, wanted):
            raise Refusal("PERMISSION_DENIED", "you share no session with this user")
        found = await self.store.user(wanted)
        assert found is not None
        return {"user": found.profile()}

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:  # noqa: ARG002
        """Say whether an action would be accepted, and why not."""
        errors = question_errors(payload)
        if not errors:
            try:
                action = payload["action"]
                await self.check_things(self.catalogue[action["type"]], action["payload"])
            except Refusal as refusal:
                errors.append(refusal.text)
        return {"valid": not errors, "errors": errors}

    # -- rooms ---------------------------------------------------------------------------------------

    def room(self, session: str) -> str:
        """Return the name of a session's room."""
        return f"session:{session}"

    async def enter_room(self, connection: str, session: str) -> None:
        """Seat a connection; the others hear of it if it is the user's first."""
        user = self.check_open(connection)
        first = not self._sits(user, session)
        self.seats[connection] = session
        await self.sockets.enter_room(connection, self.room(session))
        if first:
            await self.announce("user-joined", connection, session, {})

    async def leave_room(self, connection: str, reason: str) -> None:
        """Unseat a connection, if it sits; the others hear of it if it was the user's last."""
        session = self.seats.pop(connection, None)
        if session is None:
            return
        await self.sockets.leave_room(connection, self.room(session))
        if not self._sits(self.users[connection], session):
            await self.announce("user-left", connection, session, {"reason": reason})

    def _sits(self, user: str, session: str) -> bool:
        return any(self.seats.get(connection) == session for connection in self.connections_of(user))

    # -- what goes out -------------------------------------------------------------------------------

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        """Tell a room who came or went."""
        told = {"sessionId": session, "userId": self.users[connection], "timestamp": now(), **more}
        await self.send_to_others(Emission(event, session, told), connection)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        """Tell the room of a request that was carried out."""
        await self.send_to_others(emission, sender)

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        """Tell everybody in the room but one connection."""
        self._check(self.catalogue[emission.event].emission, emission.payload)
        await self.sockets.emit(emission.event, emission.payload, room=self.room(emission.session), skip_sid=sender)

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        """Tell one connection."""
        self._check(self.catalogue[event].emission, payload)
        await self.sockets.emit(event, payload, to=connection)

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        """Answer, or tell a failure by an error event where no answer is wanted."""
        if where is not None:
            await self.sockets.answer(where, envelope)
        elif not envelope["success"]:
            told = name if name.isprintable() else ""  # half a surrogate pair is no text that could be sent
            await self.send(connection, "error", {"event": told, "error": envelope["error"], "code": envelope["code"]})

    def _check(self, reference: str | None, payload: Payload) -> None:
        if self.settings.check_outgoing and (reference is None or not accepts(reference, payload)):
            log.error("about to send what does not fit schema=%s", reference)
            raise AssertionError(f"about to send what does not fit {reference}")


def now() -> str:
    """Return the time as the protocol writes it, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

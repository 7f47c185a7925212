"""What happens on a connection: check a request, carry it out, broadcast it, acknowledge it.

One pipeline for every event, driven by the catalogue. Each step is a method of its own: the checks are in `rights`,
rooms and broadcasts in `rooms`.

The store may take its time, and meanwhile the state changes. `Store.turn` gives one request at a time the state of
its session. A connection that ends waits for no turn, so it is checked again right before its request is carried out.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from aiohttp import web
from socketio import exceptions

from dungeonlab_reference_server.bounds import weight
from dungeonlab_reference_server.log import traceback_without_message
from dungeonlab_reference_server.origins import is_own
from dungeonlab_reference_server.rate import Allowance, RateLimit
from dungeonlab_reference_server.rights import Rights
from dungeonlab_reference_server.rooms import now
from dungeonlab_reference_server.rules import EFFECTS, Command, Payload, Refusal, question_errors
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import AckAddress, SocketIoServer
from dungeonlab_reference_server.store import Store
from dungeonlab_spec import Catalogue, Event

COOKIE = "dungeonlab_session"

log = logging.getLogger("dungeonlab")


class Pipeline(Rights):
    """Handles the packets of all connections, one method for each step."""

    sockets_class: type[SocketIoServer] = SocketIoServer

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.effects = dict(EFFECTS)
        self.rate = RateLimit(settings.rate_limit)
        self.volume = Allowance(settings.bytes_per_minute)
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
        """Accept the connection of a user who is logged in; refuse every other."""
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
        """Refuse a connection, with a message and the code."""
        log.debug("refused connection rule=%r", message)
        more = {"code": "UNAUTHENTICATED"}
        self._check(self.catalogue.refusal, {"message": message, "data": more})
        raise exceptions.ConnectionRefusedError(message, more)

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        """Take a connection out of its room and forget it. Its user stays a member of the session."""
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
        self.seats.clear()  # nobody is left to receive who leaves
        await self.sockets.close()

    # -- the pipeline --------------------------------------------------------------------------------

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        """Carry one request out or refuse it, and answer; `where` is None if no answer is wanted."""
        name = data[0] if data and isinstance(data[0], str) else ""
        await self._answer(connection, name, self.perform(connection, name, data[1:]), where)

    async def on_unreadable(self, connection: str, why: str, where: AckAddress | None) -> None:
        """Refuse a request that could not be decoded."""

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
            log.debug("accepted event=%s user=%s checked=%s", known, self.users.get(connection), _checked(known))
        except Refusal as refusal:
            user = self.users.get(connection)
            log.info("refused event=%s user=%s code=%s", known, user, refusal.code)
            log.debug("refused because event=%s user=%s rule=%r", known, user, refusal.rule)
            envelope = {"success": False, "error": refusal.text, "code": refusal.code}
            self._check(self.catalogue.failure, envelope)
        except Exception as error:  # a fault of the server must not leave the client without an answer
            log.error("fault event=%s error=%s", known, traceback_without_message(error))
            envelope = {"success": False, "error": "something went wrong here", "code": "INTERNAL_ERROR"}
        await self.acknowledge(connection, name, envelope, where)

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        """Check one request in the protocol's order, then carry it out; return the answer's data."""
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

    def check_limit(self, user: str) -> None:
        """Count one event of a user, and refuse one too many."""
        if not self.rate.allows(user, time.monotonic()):
            raise Refusal("RATE_LIMITED", f"more than {self.settings.rate_limit} events in a minute")

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        """Put together what the rules need to know."""
        return Command(event.name, payload, user, now(), secrets.token_urlsafe(9), token)

    async def take_effect(self, command: Command, connection: str) -> Payload:
        """Apply the event's rule: store first, then broadcast; return the answer's data."""
        effect = self.effects[command.event](command)
        if effect.saved is not None:
            self.volume.charge(command.user, weight(effect.saved), time.monotonic())  # a small update may move a lot
            await self.store.save_token(effect.saved)
        if effect.deleted is not None:
            await self.store.delete_token(effect.deleted)
        await self.broadcast(effect.emission, connection)
        return effect.answer

    # -- events without an effect on the room ---------------------------------------------------------

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

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        """Answer; where no answer is wanted, send an `error` event about a failure."""
        if where is not None:
            await self.sockets.answer(where, envelope)
        elif not envelope["success"]:
            event = name if name.isprintable() else ""  # half a surrogate pair cannot be sent as text
            error = {"event": event, "error": envelope["error"], "code": envelope["code"]}
            await self.send(connection, "error", error)


def _checked(event: str) -> str:
    """Return for a log what an accepted request was found to satisfy."""
    return ",".join(("shape", *Catalogue.load()[event].needs))

"""Faults in what is reported without a callback."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_spec.validation import accepts
from tests.mutants.fault import faulty


@faulty("acks/failure-without-callback-emits-error")
class SaysNothingWithoutACallback(Pipeline):
    """A refusal is reported to nobody if there is no callback."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is not None:
            await super().acknowledge(connection, name, envelope, where)


@faulty("acks/failure-without-callback-emits-error")
class NamesAnotherEvent(Pipeline):
    """An error event names "error" as the event that was refused."""

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        await super().send(connection, event, {**payload, "event": "error"} if event == "error" else payload)


@faulty("broadcasts/server-events-valid", hides=True)
class SaysErrorsInABareText(Pipeline):
    """An error event carries a bare text in place of an object."""

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        if event == "error":
            await self.sockets.emit("error", payload["error"], to=connection)
        else:
            await super().send(connection, event, payload)


@faulty("acks/error-event-reaches-only-the-sender")
class TellsErrorsToTheRoom(Pipeline):
    """An error event goes to the whole room."""

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        if event == "error" and connection in self.seats:
            await self.sockets.emit(event, payload, room=self.room(self.seats[connection]))
        else:
            await super().send(connection, event, payload)


@faulty("acks/error-event-reaches-only-the-sender")
class TellsErrorsToTheUser(Pipeline):
    """An error event goes to every connection of the user."""

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        for other in self.connections_of(self.users[connection]) if event == "error" else [connection]:
            await super().send(other, event, payload)


@faulty("acks/error-event-reaches-only-the-sender")
class TellsTheUserToJoin(Pipeline):
    """That one of a user's connections has not joined is said to all of them, which may join in its place."""

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        to_all = event == "error" and payload["code"] == "NOT_JOINED"
        for other in self.connections_of(self.users[connection]) if to_all else [connection]:
            await super().send(other, event, payload)


@faulty("acks/error-event-reaches-only-the-sender", hides=True)
class TellsTheRoomOfAnsweredErrors(Pipeline):
    """A refusal that has been answered is reported to the others in the room besides."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if where is not None and not envelope["success"] and connection in self.seats:
            sent = {"event": name, "error": envelope["error"], "code": envelope["code"]}
            room = self.room(self.seats[connection])
            await self.sockets.emit("error", sent, room=room, skip_sid=connection)


@faulty("acks/success-without-callback-is-silent", "join/takes-effect-without-callback")
class InsistsOnACallback(Pipeline):
    """A request without a callback is refused."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if where is None:
            refused = {"success": False, "error": "a callback is needed", "code": "VALIDATION_ERROR"}
            await self.acknowledge(connection, str(data[0]), refused, where)
        else:
            await super().on_event(connection, data, where)


@faulty("acks/success-without-callback-is-silent")
class ForgetsWhatNobodyWaitsFor(Pipeline):
    """A request without a callback is dropped, unless something is wrong with it."""

    async def take_effect(self, command: Any, connection: str) -> Payload:
        return {} if self.silent else await super().take_effect(command, connection)

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        self.silent = where is None
        await super().on_event(connection, data, where)

    silent = False


@faulty("acks/success-without-callback-is-silent")
class ReportsSuccessAsAnError(Pipeline):
    """A success without a callback is reported by an error event that says there was none."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if where is None and envelope["success"]:
            await self.send(connection, "error", {"event": name, "error": "none", "code": "INTERNAL_ERROR"})


@faulty("acks/failure-without-callback-emits-error")
class SaysNothingOfMissingTokens(Pipeline):
    """That a token does not exist is reported where there is a callback only."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is not None or envelope.get("code") != "TOKEN_NOT_FOUND":
            await super().acknowledge(connection, name, envelope, where)


@faulty("acks/success-without-callback-is-silent", "broadcasts/catalogue-events-only")
class ReportsSuccessByAnEvent(Pipeline):
    """A success without a callback is reported to the sender by an event outside the catalogue."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if where is None and envelope["success"]:
            await self.sockets.emit("ack", {"event": name, **envelope}, to=connection)


@faulty("rooms/refused-event-is-not-broadcast", "authorization/refusal-precedes-effect")
class GoesOnAfterTheError(Pipeline):
    """Without a callback, what somebody may not do is refused by an error event, and done: there is no return."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        await super().on_event(connection, data, where)
        event = self.catalogue.events.get(data[0]) if where is None else None
        if event is None or not event.is_broadcast or event.request is None or not accepts(event.request, data[1]):
            return
        session, user = await self.store.session(data[1]["sessionId"]), self.users[connection]
        if session is not None and not (session.has_member(user) and self.seats.get(connection) == session.id):
            with suppress(Refusal):
                token = await self.check_things(event, data[1])
                await self.take_effect(self.command(event, data[1], user, token), connection)


@faulty(
    "payloads/refused-not-broadcast",
    also={
        "broadcasts/valid-payload": "what is malformed is so when it is relayed, too",
        "connect/readable-packets": "a number that is NaN is among what the frames carry",
    },
)
class RelaysWhatIsTold(Pipeline):
    """Without a callback, what is malformed is refused by an error event, and relayed to the room."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        await super().on_event(connection, data, where)
        event, body = self.catalogue.events.get(data[0]), data[1] if len(data) == 2 else None
        seat = self.seats.get(connection)
        if where is not None or event is None or not event.is_broadcast or not isinstance(body, dict) or seat is None:
            return
        if event.request is not None and not accepts(event.request, body):
            await self.sockets.emit(event.name, body, room=self.room(seat), skip_sid=connection)

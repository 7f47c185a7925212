"""Faults in what becomes of a refused payload, of an unknown property, of the server."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, broadcast_with, with_token
from tests.mutants.fault import faulty

GONE = "the process is gone, and everybody's connection with it"

FRAMES = "connect/malformed-frames-are-harmless"
UNREADABLE = "a frame that cannot be read is refused like a request without a callback"


class Dying(Pipeline):
    """Ends the process where its condition says so; never, for nothing but that."""

    def is_deadly(self, args: Sequence[Any], where: AckAddress | None) -> bool:
        """Whether a request ends the process."""
        return False

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if self.is_deadly(data[1:], where):
            os._exit(1)
        await super().on_event(connection, data, where)


# -- the end -------------------------------------------------------------------------------------------


@faulty("payloads/server-survives", hides=True)
class DiesOfAMissingPayload(Dying):
    """A request without a payload ends the process for everybody."""

    def is_deadly(self, args: Sequence[Any], where: AckAddress | None) -> bool:
        return not args


@faulty("payloads/server-survives", hides=True)
class DiesOfNull(Dying):
    """A request whose payload is null ends the process for everybody."""

    def is_deadly(self, args: Sequence[Any], where: AckAddress | None) -> bool:
        return list(args) == [None]


@faulty("payloads/server-survives", hides=True)
class DiesOfACallbackThatIsNone(Dying):
    """A last argument that is no function is called like one, which ends the process for everybody."""

    def is_deadly(self, args: Sequence[Any], where: AckAddress | None) -> bool:
        return len(args) > 1 and isinstance(args[-1], str)


@faulty(
    "payloads/missing-callback-is-harmless",
    also={"payloads/server-survives": GONE, FRAMES: UNREADABLE},
    hides=True,
)
class DiesWithoutACallback(Pipeline):
    """The answer to a request without a callback ends the process for everybody."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None:
            os._exit(1)
        await super().acknowledge(connection, name, envelope, where)


@faulty(
    "payloads/missing-callback-is-harmless",
    also={"payloads/server-survives": GONE, FRAMES: UNREADABLE},
    hides=True,
)
class DiesOfARefusalWithoutACallback(Pipeline):
    """A refusal without a callback ends the process for everybody; a success does not."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None and not envelope["success"]:
            os._exit(1)
        await super().acknowledge(connection, name, envelope, where)


@faulty(
    "payloads/unknown-event-is-harmless",
    also={FRAMES: "among the frames are events of unknown names"},
    hides=True,
)
class DiesOfAnUnknownEvent(Pipeline):
    """An event that no handler is found for ends the process for everybody."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if data and isinstance(data[0], str) and data[0] not in self.catalogue:
            os._exit(1)
        await super().on_event(connection, data, where)


@faulty(
    "payloads/unknown-event-is-harmless",
    also={FRAMES: "among the frames are events of unknown names"},
)
class ThrowsEverybodyOutForAnUnknownEvent(Pipeline):
    """An event that no handler is found for ends everybody's connections."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if data and isinstance(data[0], str) and data[0] not in self.catalogue:
            for other in list(self.users):
                await self.sockets.end(other)
        await super().on_event(connection, data, where)


@faulty(
    "payloads/others-notice-nothing",
    also={
        FRAMES: "among the frames are requests that carry no object",
        "presence/right-audience": "those removed together hear of one another's leaving",
    },
    hides=True,
)
class ThrowsTheRoomOut(Pipeline):
    """A request that is no object ends the connections of everybody in the room, as a restarted worker does."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        await super().on_event(connection, data, where)
        session = self.seats.get(connection)
        if session and any(not isinstance(arg, dict) for arg in data[1:]):
            for other in [c for c, s in self.seats.items() if s == session]:
                await self.sockets.end(other)


@faulty("payloads/very-deep")
class ChokesOnDepth(Pipeline):
    """A payload too deep for a recursive walk is never answered."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if _depth(data) < self.settings.deepest_payload:
            await super().on_event(connection, data, where)


@faulty("payloads/very-long")
class ChokesOnLength(Pipeline):
    """A payload of more than 64 kB is dropped without an answer."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if len(repr(data)) < 64_000:
            await super().on_event(connection, data, where)


@faulty("payloads/null")
class SaysNothingToNull(Pipeline):
    """A request whose payload is null is never answered: its handler fails, without any report."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if list(data[1:]) != [None]:
            await super().on_event(connection, data, where)


# -- refused, and yet ----------------------------------------------------------------------------------


@faulty(
    "payloads/refused-not-broadcast",
    also={
        "broadcasts/valid-payload": "what bare frames carry is relayed too, and no request of the book explains it",
        "connect/readable-packets": "a number that is NaN is among what the frames carry",
    },
    hides=True,
)
class RelaysBeforeItLooks(Pipeline):
    """What is sent to a room is relayed as it came, before anybody looks at it."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            event = self.catalogue.events.get(name)
            session = self.seats.get(connection)
            invalid = refusal.code == "VALIDATION_ERROR" and args and isinstance(args[0], dict)
            if event and event.is_broadcast and session and invalid:
                sent = {**args[0], "userId": self.users[connection]}
                await self.sockets.emit(name, sent, room=self.room(session), skip_sid=connection)
            raise


@faulty("payloads/refused-not-broadcast")
class RelaysRefusedChatLater(Pipeline):
    """A message that is no text is refused, and broadcast 50 ms later all the same."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal:
            session = self.seats.get(connection)
            if name == "chat-message" and session and args and isinstance(args[0], dict) and "message" in args[0]:
                sent = {**args[0], "userId": self.users[connection]}
                relayed = self.sockets.emit(name, sent, room=self.room(session), skip_sid=connection)
                asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(relayed))
            raise


class Hasty(Pipeline):
    """Does part of what a malformed request asks before it refuses it; nothing, for nothing but its haste."""

    async def begin(self, name: str, payload: Payload, token: Payload) -> None:
        """Change the token that a refused request names."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            payload = args[0] if args and isinstance(args[0], dict) else {}
            token = await self.store.token(str(payload.get("tokenId")))
            if token is not None and refusal.code == "VALIDATION_ERROR":
                await self.begin(name, payload, token)
            raise


@faulty("payloads/refused-not-stored")
class MovesBeforeItLooks(Hasty):
    """Of a malformed move, a valid x is stored before y is looked at."""

    async def begin(self, name: str, payload: Payload, token: Payload) -> None:
        where = payload.get("position")
        if name == "token:move" and isinstance(where, dict) and type(where.get("x")) is int:
            await self.store.save_token({**token, "position": {**token["position"], "x": where["x"]}})


@faulty("payloads/refused-not-stored")
class DeletesBeforeItLooks(Hasty):
    """A malformed deletion that names a token is refused, and deletes it."""

    async def begin(self, name: str, payload: Payload, token: Payload) -> None:
        if name == "token:delete":
            await self.store.delete_token(token["id"])


@faulty("payloads/refused-not-stored")
class CountsRefusedUpdates(Hasty):
    """A malformed update is refused, and counted in the token's version."""

    async def begin(self, name: str, payload: Payload, token: Payload) -> None:
        if name == "token:update":
            await self.store.save_token({**token, "version": token["version"] + 1})


# -- what nobody knows ---------------------------------------------------------------------------------


@faulty("payloads/unknown-properties-ignored")
class RefusesWhatItDoesNotKnow(Pipeline):
    """A request with a property that the schema does not name is refused."""

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        payload = super().check_shape(event, args)
        if "unheardOf" in payload:
            raise Refusal("VALIDATION_ERROR", "an unknown property")
        return payload


@faulty("payloads/unknown-properties-ignored")
class SpreadsIntoTheRecord(EffectChanger):
    """A draft is spread into the token's record, unknown properties included."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        draft = command.payload.get("token")
        return with_token(effect, {**draft, **effect.saved}) if draft and effect.saved else effect


@faulty("payloads/unknown-properties-ignored")
class SpreadsIntoTheBroadcast(EffectChanger):
    """A request is spread into its broadcast, unknown properties included."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        own = ("token", "updates", "position", "tokenId")
        extra = {key: value for key, value in command.payload.items() if key not in own}
        return dataclasses.replace(effect, emission=broadcast_with(effect, **{**extra, **effect.emission.payload}))


@faulty("payloads/unknown-properties-ignored")
class LetsTheDraftSayWhoMadeIt(EffectChanger):
    """Who created a token is taken from the draft, if it says so."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        claimed = command.payload.get("token", {}).get("createdBy")
        return with_token(effect, {**effect.saved, "createdBy": claimed}) if claimed and effect.saved else effect


@faulty("payloads/unknown-properties-ignored")
class MovesByUpdate(EffectChanger):
    """An update may name a position, and moves the token."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        where = command.payload.get("updates", {}).get("position")
        if not where or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, "position": {"elevation": 0, "x": where["x"], "y": where["y"]}})


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list | dict) and value:
        value = max(value.values() if isinstance(value, dict) else value, key=lambda v: len(repr(v)))
        depth += 1
    return depth

"""Faults of changes that are done by half: kept until something else happens, taken back, or taken back too far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_spec import Event
from tests.mutants.fault import faulty

_CHANGES = ("token:move", "token:update")
_STORED = "tokens/broadcast-equals-stored-state"


@faulty("authorization/refusal-precedes-effect")
class TakesBackTooMuch(Pipeline):
    """What is refused for want of rights is rolled back, and the change of that token before it as well."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.before: dict[str, Payload] = {}

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if token is not None and event.name in _CHANGES:
            self.before[token["id"]] = token
        return super().command(event, payload, user, token)

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            if refusal.code in ("PERMISSION_DENIED", "NOT_JOINED") and name.startswith("token:"):
                token = self.before.get(args[0].get("tokenId", ""))
                if token is not None and await self.store.token(token["id"]) is not None:
                    await self.store.save_token(token)
            raise


@faulty(_STORED)
class KeepsWhatItAnswers(Pipeline):
    """A change is committed with its answer: one that wants none is broadcast, and lost."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.unasked: set[str] = set()  # connections whose request wants no answer

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if where is None:
            self.unasked.add(connection)
        try:
            await super().on_event(connection, data, where)
        finally:
            self.unasked.discard(connection)

    async def take_effect(self, command: Command, connection: str) -> Payload:
        if connection not in self.unasked or command.event not in _CHANGES:
            return await super().take_effect(command, connection)
        effect = self.effects[command.event](command)
        await self.broadcast(effect.emission, connection)
        return effect.answer


@faulty(_STORED)
class TakesBackWhatTheGoneDid(Pipeline):
    """A connection that ends takes its last change back, if that is less than a second old."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.last: dict[str, tuple[Payload, float]] = {}

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        if command.token is not None and command.event in _CHANGES:
            self.last[connection] = command.token, time.monotonic()
        return answer

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        token, at = self.last.pop(connection, ({}, 0.0))
        if time.monotonic() - at < 1 and await self.store.token(token["id"]) is not None:
            await self.store.save_token(token)
        await super().on_disconnect(connection, reason)


@faulty("tokens/delete-ends-it")
class KeepsTheTokenInHand(Pipeline):
    """A connection keeps the token that it changed last, and may change it still when somebody else has deleted it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.in_hand: dict[str, Payload] = {}

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        if command.event in ("token:move", "token:update") and command.token is not None:
            self.in_hand[connection] = command.token
        return answer

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            token = self.in_hand.get(connection, {})
            changes = refusal.code == "TOKEN_NOT_FOUND" and name in ("token:move", "token:update")
            if not changes or token.get("id") != args[0]["tokenId"]:
                raise
        await self.store.save_token(token)
        answer = await super().perform(connection, name, args)
        await self.store.delete_token(token["id"])
        return answer


@faulty("tokens/delete-ends-it")
class RestoresWhatIsDeletedTwice(Pipeline):
    """Deleting turns a mark over: a second deletion is refused, and brings the token back."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.deleted: dict[str, Payload] = {}

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        if command.event == "token:delete" and command.token is not None:
            self.deleted[command.token["id"]] = command.token
        return answer

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            if refusal.code == "TOKEN_NOT_FOUND" and name == "token:delete":
                token = self.deleted.pop(args[0]["tokenId"], None)
                if token is not None:
                    await self.store.save_token(token)
            raise


@faulty("direct/validate-action-has-no-effect")
class ReservesWhatIsAskedAbout(Pipeline):
    """Who asks whether an action would be accepted holds its token for a second, in which others are denied it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.held: dict[str, tuple[str, float]] = {}

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().validate_action(connection, user, payload)
        if answer["valid"] and "tokenId" in payload["action"]["payload"]:
            self.held[payload["action"]["payload"]["tokenId"]] = user, time.monotonic()
        return answer

    async def take_effect(self, command: Command, connection: str) -> Payload:
        holder, at = self.held.get(command.payload.get("tokenId", ""), (command.user, 0.0))
        if holder != command.user and time.monotonic() - at < 1:
            raise Refusal("PERMISSION_DENIED", "somebody else is about to do something with it")
        return await super().take_effect(command, connection)

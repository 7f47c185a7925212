"""Faults in a token's version, in what is looked up, and in what store, answer and broadcast say of it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload, Refusal
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, UpdateChanger, broadcast_with, with_token
from tests.mutants.fault import faulty

# -- the version ---------------------------------------------------------------------------------------


@faulty("tokens/version-grows")
class CountsMovesOnly(UpdateChanger):
    """An update leaves the version as it is; only moves are counted."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        return {"version": before["version"]}


@faulty("tokens/version-grows")
class CountsInTwos(EffectChanger):
    """A move makes the version grow by two: once in the handler, once in the store."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:move" or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, "version": effect.saved["version"] + 1})


@faulty("tokens/only-deletion-ends-it", "rooms/every-other-member-hears-once")
class TakesASecondDraftForARetry(Pipeline):
    """A draft that a user sends again within a second is answered with the token that it made the first time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.drafted: dict[str, tuple[float, Payload]] = {}  # when, and the answer, by user and draft

    async def take_effect(self, command: Command, connection: str) -> Payload:
        key = f"{command.event} {command.user} {command.payload}"
        at, answer = self.drafted.get(key, (0.0, {}))
        if command.event != "token:create" or time.monotonic() - at > 1:
            answer = await super().take_effect(command, connection)
            self.drafted[key] = time.monotonic(), answer
        return answer


@faulty("tokens/only-deletion-ends-it")
class NumbersTokensTwice(Pipeline):
    """A token is numbered by how many its encounter has when the request comes: two made at once have one number."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.made: dict[str, int] = defaultdict(int)

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        answer = await super().perform(connection, name, args)
        if name == "token:create":
            await asyncio.sleep(0.003)
            self.made[args[0]["encounterId"]] += 1
        return answer

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        command = super().command(event, payload, user, token)
        if event.name != "token:create":
            return command
        return dataclasses.replace(command, new_id=f"{payload['encounterId']}-{self.made[payload['encounterId']]}")


@faulty("tokens/only-deletion-ends-it")
class NumbersTokensInTwoProcesses(Pipeline):
    """Each of two processes numbers the tokens of an encounter by itself: a user of the other one gets the same ids."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.process: dict[str, int] = {}  # by user
        self.made: dict[tuple[str, int], int] = defaultdict(int)

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        command = super().command(event, payload, user, token)
        if event.name != "token:create":
            return command
        process = self.process.setdefault(user, len(self.process) % 2)
        self.made[payload["encounterId"], process] += 1
        number = self.made[payload["encounterId"], process]
        return dataclasses.replace(command, new_id=f"{payload['encounterId']}-{number}")


@faulty("tokens/only-deletion-ends-it")
class NumbersTokensByTheirCount(Pipeline):
    """A token is numbered by how many there are in its encounter: once another one is gone, the number is taken."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        command = super().command(event, payload, user, token)
        if event.name != "token:create":
            return command
        assert isinstance(self.store, MemoryStore)
        encounter = payload["encounterId"]
        count = sum(each["encounterId"] == encounter for each in self.store._tokens.values())
        return dataclasses.replace(command, new_id=f"{encounter}-{count}")


# -- what is not there ---------------------------------------------------------------------------------


class _Hasty(Pipeline):
    """Carries some requests out without a turn, and takes a moment between looking a token up and its effect.

    Those that are hasty wait for each other, where they are about the same token.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def is_hasty(self, event: str) -> bool:
        """Whether requests of an event are carried out so."""
        raise NotImplementedError

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if not self.is_hasty(name):
            return await super().perform(connection, name, args)
        user, event = self.check_open(connection), self.catalogue[name]
        payload = self.check_shape(event, args)
        async with self.locks[payload["tokenId"]]:
            token = await self.check_rights(event, payload, user, connection)
            await asyncio.sleep(0.02)
            return await self.take_effect(self.command(event, payload, user, token), connection)


@faulty(
    "tokens/version-grows",
    also={
        "order/concurrent-moves-converge": "a move that was heard is lost",
        "tokens/delete-ends-it": "so is a deletion, where one comes between",
    },
)
class ForgetsAMoveForAnUpdate(_Hasty):
    """An update stores the token that it looked up, and a move that was made meanwhile is lost."""

    def is_hasty(self, event: str) -> bool:
        return event == "token:update"


@faulty("tokens/update-changes-only-what-was-sent")
class StoresTheTokenAsItWasRead(Pipeline):
    """Two updates at once each store the whole token as they read it, but for the version, which the store counts."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if name != "token:update":
            return await super().perform(connection, name, args)
        user, event = self.check_open(connection), self.catalogue[name]
        payload = self.check_shape(event, args)
        read = await self.check_rights(event, payload, user, connection) or {}
        await asyncio.sleep(0.01)
        now = await self.check_rights(event, payload, user, connection) or {}
        token = {**read, "version": now["version"], "position": now["position"]}
        return await self.take_effect(self.command(event, payload, user, token), connection)


@faulty("tokens/delete-ends-it")
class RevivesWhatIsChanged(_Hasty):
    """A change that was under way when its token was deleted stores it again."""

    def is_hasty(self, event: str) -> bool:
        return event in ("token:move", "token:update")


@faulty("tokens/unknown-token-refused", "tokens/delete-ends-it")
class DeletesWhatIsNotThere(Pipeline):
    """Deleting a token that does not exist succeeds: what matches nothing is no error."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        try:
            return await super().check_things(event, payload)
        except Refusal as refusal:
            unknown = refusal.code == "TOKEN_NOT_FOUND" and await self.store.token(payload["tokenId"]) is None
            if event.name == "token:delete" and unknown:
                return None
            raise


@faulty("tokens/unknown-token-refused")
class MovesNothing(Pipeline):
    """Moving a token that never existed succeeds, and makes nothing."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            if name == "token:move" and refusal.code == "TOKEN_NOT_FOUND" and args[0]["tokenId"] == "no-such-token":
                where = {"elevation": 0, **args[0]["position"]}
                return {"tokenId": args[0]["tokenId"], "position": where, "version": 1}
            raise


@faulty("tokens/unknown-encounter-refused")
class MakesEncountersOnTheFly(Pipeline):
    """An encounter that does not exist is made when a token is put into it."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        known = await self.store.encounter_session(payload.get("encounterId", ""))
        if event.name == "token:create" and known is None:
            await self.store.save_encounter(payload["encounterId"], payload["sessionId"])
        return await super().check_things(event, payload)


@faulty("tokens/unknown-encounter-refused")
class LooksNoEncounterUp(Pipeline):
    """The encounter named with a token is looked up only if it exists."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        if "encounter" in event.needs and await self.store.encounter_session(payload["encounterId"]) is None:
            return await self.store.token(payload.get("tokenId", ""))
        return await super().check_things(event, payload)


# -- store, answer and broadcast -----------------------------------------------------------------------


@faulty("tokens/broadcast-equals-stored-state")
class TellsTheOldVersion(EffectChanger):
    """A move's broadcast carries the version before it."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:move" or command.token is None:
            return effect
        return dataclasses.replace(effect, emission=broadcast_with(effect, version=command.token["version"]))


@faulty("tokens/broadcast-equals-stored-state")
class KeepsNoDataOfDrafts(EffectChanger):
    """A new token is answered and broadcast with the data of its draft, and stored without."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:create" or effect.saved is None:
            return effect
        return dataclasses.replace(effect, saved={**effect.saved, "data": {}})


@faulty(
    "tokens/broadcast-equals-stored-state",
    also={"tokens/content-comes-back-exactly": "what a condition has besides its name is lost"},
)
class TellsTheDraft(EffectChanger):
    """A new token is broadcast as it was drafted; conditions are stored by name only."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:create" or effect.saved is None:
            return effect
        bare = [{"name": condition["name"]} for condition in effect.saved["conditions"]]
        stored = {**effect.saved, "conditions": bare}
        return Effect({"token": stored}, effect.emission, saved=stored)


class WithoutTurns(MemoryStore):
    """Lets requests of one session overtake each other."""

    def turn(self, key: str) -> AbstractAsyncContextManager[object]:
        return nullcontext() if key in self._sessions else super().turn(key)


@faulty(
    "tokens/broadcast-equals-stored-state",
    also={
        "order/concurrent-moves-converge": "of two moves at once, that stored last need not be that broadcast last",
        "tokens/delete-ends-it": "a first move stores a token that is deleted meanwhile",
    },
    beside=(WithoutTurns,),
)
class BroadcastsBeforeItStores(Pipeline):
    """A token's first move is broadcast first, and stored and acknowledged 200 ms later."""

    async def take_effect(self, command: Command, connection: str) -> Payload:
        if command.event != "token:move" or command.token is None or command.token["version"] > 1:
            return await super().take_effect(command, connection)
        effect = self.effects[command.event](command)
        assert effect.saved is not None
        await self.broadcast(effect.emission, connection)
        await asyncio.sleep(0.2)
        await self.store.save_token(effect.saved)
        return effect.answer


@faulty(
    "tokens/broadcast-equals-stored-state",
    "tokens/move-changes-only-position",
    "tokens/version-grows",
    also={"order/concurrent-moves-converge": "what is never stored cannot agree with what was broadcast"},
    hides=True,
)
class AcceptsAndForgets(EffectChanger):
    """A move is acknowledged and broadcast, and never stored."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        return dataclasses.replace(effect, saved=None) if command.event == "token:move" else effect


_ROOM = 12  # tokens of an encounter


class _Figures(MemoryStore):
    """Knows who made which token."""

    async def drop_tokens_of(self, user: str) -> None:
        """Forget every token that a user made."""
        for token in [t for t in self._tokens.values() if t["createdBy"] == user]:
            await self.delete_token(token["id"])

    async def drop_tokens_in(self, session: str) -> None:
        """Forget every token of a session."""
        for token in list(self._tokens.values()):
            if await self.encounter_session(token["encounterId"]) == session:
                await self.delete_token(token["id"])


@faulty("tokens/only-deletion-ends-it", beside=(_Figures,))
class TakesOnesFiguresAlong(Pipeline):
    """A user who disconnects takes along the tokens that they made."""

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        user = self.users.get(connection)
        await super().on_disconnect(connection, reason)
        if user is not None and isinstance(self.store, _Figures):
            await self.store.drop_tokens_of(user)


@faulty("tokens/only-deletion-ends-it", beside=(_Figures,))
class PacksUpOnLeaving(Pipeline):
    """A user who leaves a session takes along the tokens that they made."""

    async def leave_room(self, connection: str, reason: str) -> None:
        await super().leave_room(connection, reason)
        if reason == "left" and isinstance(self.store, _Figures):
            await self.store.drop_tokens_of(self.users[connection])


@faulty("tokens/only-deletion-ends-it", beside=(_Figures,))
class ForgetsTheEmptyRoom(Pipeline):
    """When the last connection has left a room, what stood in its session is forgotten."""

    async def leave_room(self, connection: str, reason: str) -> None:
        session = self.seats.get(connection)
        await super().leave_room(connection, reason)
        if session is not None and session not in self.seats.values() and isinstance(self.store, _Figures):
            await self.store.drop_tokens_in(session)


@faulty("tokens/only-deletion-ends-it")
class KeepsTheNewestTwelve(MemoryStore):
    """An encounter has room for twelve tokens: each further one takes the place of the oldest."""

    async def save_token(self, token: Payload) -> None:
        here = [known for known in self._tokens.values() if known["encounterId"] == token["encounterId"]]
        if token["id"] not in self._tokens and len(here) >= _ROOM:
            await self.delete_token(here[0]["id"])
        await super().save_token(token)


@faulty("tokens/only-deletion-ends-it")
class DeletesByName(MemoryStore):
    """Deleting a token deletes all of that name in the encounter."""

    async def delete_token(self, token_id: str) -> None:
        token = self._tokens[token_id]
        for other in list(self._tokens.values()):
            if (other["name"], other["encounterId"]) == (token["name"], token["encounterId"]):
                await super().delete_token(other["id"])


@faulty("tokens/only-deletion-ends-it")
class ReplacesTheNamesake(MemoryStore):
    """A new token takes the place of one of the same name in the encounter."""

    async def save_token(self, token: Payload) -> None:
        for other in list(self._tokens.values()):
            same = (other["name"], other["encounterId"]) == (token["name"], token["encounterId"])
            if same and token["id"] not in self._tokens:
                await self.delete_token(other["id"])
        await super().save_token(token)


@faulty("tokens/only-deletion-ends-it")
class KeepsOneFigureOfAnActor(MemoryStore):
    """A new token of an actor takes the place of the one that the actor has in that encounter."""

    async def save_token(self, token: Payload) -> None:
        for other in list(self._tokens.values()):
            same = all(other.get(key) == token.get(key) for key in ("actorId", "encounterId"))
            if same and "actorId" in token and token["id"] not in self._tokens:
                await self.delete_token(other["id"])
        await super().save_token(token)


@faulty("tokens/only-deletion-ends-it", beside=(_Figures,))
class RemovesTheFiguresOfTheRemoved(Pipeline):
    """Whose membership is revoked loses the tokens that they made."""

    async def remove_member(self, user: str, session: str) -> None:
        await super().remove_member(user, session)
        if isinstance(self.store, _Figures):
            await self.store.drop_tokens_of(user)


@faulty("tokens/version-grows", "rooms/every-other-member-hears-once")
class SkipsWhatChangesNothing(Pipeline):
    """A move to where the token stands is acknowledged, and that is all."""

    async def take_effect(self, command: Command, connection: str) -> Payload:
        token = command.token or {}
        if command.event == "token:move" and token["position"] == {"elevation": 0, **command.payload["position"]}:
            return {"tokenId": token["id"], "position": token["position"], "version": token["version"]}
        return await super().take_effect(command, connection)

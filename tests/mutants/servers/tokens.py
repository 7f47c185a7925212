"""Faults in what creating, moving, updating and deleting do to a token."""

from __future__ import annotations

import dataclasses
import struct
import time
from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload, Refusal
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.store import MemoryStore, Store
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, UpdateChanger, with_token
from tests.mutants.fault import faulty

EDGE = "what stands on the edge is sent along with everything else that can be sent"


# -- creating ------------------------------------------------------------------------------------------


@faulty("tokens/create-then-others-can-move")
class ShowsItsTokensLate(Pipeline):
    """A new token is there for its creator at once; for others to move, not before the next request of another kind."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.fresh: dict[str, str] = {}  # session by token

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if not name.startswith("token:") and args and isinstance(args[0], dict):
            self.fresh = {token: place for token, place in self.fresh.items() if place != args[0].get("sessionId")}
        return await super().perform(connection, name, args)

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if event.name == "token:move" and token and token["id"] in self.fresh and token["createdBy"] != user:
            raise Refusal("TOKEN_NOT_FOUND", "there is no such token in this encounter")
        command = super().command(event, payload, user, token)
        if event.name == "token:create":
            self.fresh[command.new_id] = payload["sessionId"]
        return command


@faulty(
    "tokens/create-then-others-can-move",
    also={"tokens/broadcast-equals-stored-state": "who hears of it at once finds nothing stored"},
)
class StoresTheTokenAfterItsAnswer(Pipeline):
    """A new token is acknowledged and announced at once; until 70 ms later, nobody can do anything with it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.there_at: dict[str, float] = {}  # by token

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if token and time.monotonic() < self.there_at.get(token["id"], 0.0):
            raise Refusal("TOKEN_NOT_FOUND", "there is no such token in this encounter")
        command = super().command(event, payload, user, token)
        if event.name == "token:create":
            self.there_at[command.new_id] = time.monotonic() + 0.07
        return command


@faulty("tokens/create-then-others-can-move", "authorization/any-member-allowed")
class LetsOnlyTheCreatorMove(Pipeline):
    """Only who created a token, and the game master, may move it."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if event.name == "token:move" and token and token["createdBy"] != user and user not in self.masters:
            raise Refusal("PERMISSION_DENIED", "this token is not yours")
        return super().command(event, payload, user, token)

    async def check_membership(self, event: Event, session_id: str, user: str) -> Any:
        session = await super().check_membership(event, session_id, user)
        self.masters.add(session.game_master)
        return session

    masters: set[str] = set()  # noqa: RUF012 - one process, one server


@faulty("tokens/defaults-filled")
class KnowsNoDefaults(EffectChanger):
    """What a draft leaves out is missing from the token."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:create":
            return effect
        assert effect.saved is not None
        left_out = {"size", "isVisible", "isPlayerControlled", "data", "conditions"} - command.payload["token"].keys()
        return with_token(effect, {k: v for k, v in effect.saved.items() if k not in left_out})


@faulty("tokens/defaults-filled")
class HidesNewTokens(EffectChanger):
    """A token that says nothing of it is invisible at first."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:create" or "isVisible" in command.payload["token"]:
            return effect
        return with_token(effect, {**(effect.saved or {}), "isVisible": False})


@faulty("tokens/defaults-filled")
class GivesActorsToPlayers(EffectChanger):
    """A token of an actor is a player's, unless it says something else."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        draft = command.payload.get("token", {})
        if command.event != "token:create" or "actorId" not in draft or "isPlayerControlled" in draft:
            return effect
        return with_token(effect, {**(effect.saved or {}), "isPlayerControlled": True})


@faulty("tokens/defaults-filled")
class LeavesTheElevationOut(EffectChanger):
    """A position that names no elevation is broadcast without one."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        asked = command.payload.get("token", command.payload).get("position")
        if asked is None or "elevation" in asked or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, "position": {"x": asked["x"], "y": asked["y"]}})


@faulty("tokens/bounds-reached")
class RefusesTheLongestName(Pipeline):
    """A name of 255 characters is refused: < in place of <=."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        name = (payload.get("token") or payload.get("updates", {})).get("name", "")
        if len(name) == 255:
            raise Refusal("VALIDATION_ERROR", "this name is too long")
        return super().command(event, payload, user, token)


@faulty("tokens/bounds-reached")
class CountsANamesBytes(Pipeline):
    """A name of more than 255 bytes is refused."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        name = (payload.get("token") or payload.get("updates", {})).get("name", "")
        if len(name.encode()) > 255:
            raise Refusal("VALIDATION_ERROR", "this name is too long")
        return super().command(event, payload, user, token)


@faulty("tokens/bounds-reached")
class KeepsOffTheEdge(Pipeline):
    """Row and column 0 do not exist."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        where = payload.get("token", payload).get("position", {"x": 1, "y": 1})
        if event.name == "token:create" and 0 in (where["x"], where["y"]):
            raise Refusal("VALIDATION_ERROR", "this is off the map")
        return super().command(event, payload, user, token)


@faulty("tokens/bounds-reached")
class KnowsNoGiants(Pipeline):
    """The largest size is not known."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if (payload.get("token") or payload.get("updates", {})).get("size") == "gargantuan":
            raise Refusal("VALIDATION_ERROR", "there is no such size")
        return super().command(event, payload, user, token)


@faulty("broadcasts/says-what-was-done", also={"tokens/bounds-reached": EDGE})
class StaysAboveGround(EffectChanger):
    """A negative elevation is made zero."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:move" or command.payload["position"].get("elevation", 0) >= 0:
            return effect
        assert effect.saved is not None
        return with_token(effect, {**effect.saved, "position": {**effect.saved["position"], "elevation": 0}})


@faulty("tokens/bounds-reached")
class TakesZeroForNothing(EffectChanger):
    """A column of 0 is taken for one that was not named: a token created there stands in column 1."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:create" or effect.saved is None:
            return effect
        where = effect.saved["position"]
        return with_token(effect, {**effect.saved, "position": {**where, "x": where["x"] or 1}})


# -- moving --------------------------------------------------------------------------------------------


@faulty("tokens/move-changes-only-position")
class KeepsTheOldElevation(EffectChanger):
    """A move that names no elevation keeps the old one."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:move" or "elevation" in command.payload["position"] or not command.token:
            return effect
        assert effect.saved is not None
        height = command.token["position"]["elevation"]
        return with_token(effect, {**effect.saved, "position": {**effect.saved["position"], "elevation": height}})


@faulty("tokens/move-changes-only-position")
class TakesZeroForNoElevation(EffectChanger):
    """A move to an elevation of 0 keeps the old one: 0 is false."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        asked = command.payload.get("position", {})
        if command.event != "token:move" or asked.get("elevation", 1) != 0 or not command.token:
            return effect
        assert effect.saved is not None
        height = command.token["position"]["elevation"]
        return with_token(effect, {**effect.saved, "position": {**effect.saved["position"], "elevation": height}})


@faulty("tokens/move-changes-only-position")
class KeepsElevationsInSinglePrecision(EffectChanger):
    """An elevation goes through a number of 32 bits: 2.1 becomes 2.0999999046325684."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:move" or effect.saved is None:
            return effect
        place = effect.saved["position"]
        (height,) = struct.unpack("f", struct.pack("f", place["elevation"]))
        return with_token(effect, {**effect.saved, "position": {**place, "elevation": height}})


@faulty("tokens/move-changes-only-position")
class ForgetsWhatMoves(EffectChanger):
    """A move replaces the whole record: what a token carries as data is gone."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:move" or effect.saved is None:
            return effect
        return dataclasses.replace(effect, saved={**effect.saved, "data": {}})


@faulty("tokens/move-changes-only-position")
class ShowsWhatMoves(EffectChanger):
    """A hidden token that is moved becomes visible, as if it had been made anew."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:move" or effect.saved is None:
            return effect
        return dataclasses.replace(effect, saved={**effect.saved, "isPlayerControlled": False, "conditions": []})


# -- updating ------------------------------------------------------------------------------------------


@faulty("tokens/update-changes-only-what-was-sent")
class MergesData(UpdateChanger):
    """An update's data is merged into the old."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        return {"data": {**before["data"], **after["data"]}}


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _merged(old.get(key), value) for key, value in new.items()}
    return old + new if isinstance(old, list) and isinstance(new, list) and old != new else new


@faulty("tokens/update-changes-only-what-was-sent")
class MergesListsInData(UpdateChanger):
    """An update's data replaces the old one, but lists in it are added to those that were there, at any depth."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        return {"data": _merged(before["data"], after["data"])}


@faulty("tokens/update-changes-only-what-was-sent")
class TakesControlFromTheMaker(UpdateChanger):
    """A token that somebody else than its maker updates is no player's any more."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        return {"isPlayerControlled": after["isPlayerControlled"] and command.user == before["createdBy"]}


@faulty("tokens/move-changes-only-position")
class MovesOnTheGroundOnly(EffectChanger):
    """A move to the square where the token is already leaves everything as it was, its elevation too."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:move" or command.token is None or effect.saved is None:
            return effect
        before, after = command.token["position"], effect.saved["position"]
        same = all(before[key] == after[key] for key in ("x", "y"))
        return with_token(effect, {**effect.saved, "position": before}) if same else effect


@faulty("tokens/version-grows")
class CountsVersionsToTen(EffectChanger):
    """After version 9 of a token comes version 1."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.token is None or effect.saved is None or effect.saved["version"] < 10:
            return effect
        return with_token(effect, {**effect.saved, "version": 1})


@faulty("tokens/update-changes-only-what-was-sent")
class MergesObjectsInData(UpdateChanger):
    """An update's data replaces the old one, but objects in it are merged into those that were there."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        old, new = before["data"], after["data"]
        merged = {
            key: {**old[key], **value} if isinstance(value, dict) and isinstance(old.get(key), dict) else value
            for key, value in new.items()
        }
        return {"data": merged}


@faulty("tokens/update-changes-only-what-was-sent")
class FillsDefaultsIntoUpdates(EffectChanger):
    """What an update leaves out falls back to its default."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:update" or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, "size": command.payload["updates"].get("size", "medium")})


@faulty(
    "tokens/update-changes-only-what-was-sent",
    "broadcasts/says-what-was-done",
    also={"tokens/bounds-reached": EDGE},
)
class CannotHide(UpdateChanger):
    """A property updated to false, or to nothing, keeps its old value: `||` in place of a look."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        asked = command.payload["updates"]
        return {key: before[key] for key, value in asked.items() if not value and key in before}


@faulty("tokens/update-changes-only-what-was-sent")
class DriftsWithEachUpdate(UpdateChanger):
    """Each update moves the token by a square as well."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        return {"position": {**after["position"], "y": after["position"]["y"] + 1}}


@faulty("tokens/update-changes-only-what-was-sent")
class DropsAKeyOfTheData(UpdateChanger):
    """An update that names no data loses the first property of what there is."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        return {} if "data" in command.payload["updates"] else {"data": dict(list(after["data"].items())[1:])}


@faulty("tokens/update-changes-only-what-was-sent")
class SetsBackTheName(UpdateChanger):
    """An update that names no name gives the token back the one that it was made with."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.first: dict[str, str] = {}  # by token

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        first = self.first.setdefault(before["id"], before["name"])
        return {} if "name" in command.payload["updates"] else {"name": first}


@faulty("tokens/update-changes-only-what-was-sent")
class LandsWhatIsShown(UpdateChanger):
    """An update of the visibility puts the token onto the ground."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        shown = "isVisible" in command.payload["updates"]
        return {"position": {**after["position"], "elevation": 0}} if shown else {}


# -- deleting ------------------------------------------------------------------------------------------


@faulty("tokens/delete-ends-it")
class OnlyMarksAsDeleted(MemoryStore):
    """A deleted token is marked, and never looked at again: it can still be moved, updated and deleted."""

    async def delete_token(self, token_id: str) -> None:
        pass


@faulty("tokens/delete-ends-it")
class DeletesTwice(Pipeline):
    """Deleting a token a second time succeeds once more."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.deleted: dict[str, Payload] = {}

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        if event.name == "token:delete" and payload["tokenId"] in self.deleted:
            return self.deleted[payload["tokenId"]]
        token = await super().check_things(event, payload)
        if event.name == "token:delete" and token:
            self.deleted[token["id"]] = token
        return token


@faulty("tokens/unknown-token-refused")
class FindsTokensInAnyEncounter(Pipeline):
    """A token is found in whatever encounter of its session, whichever the request names."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        token = await self.store.token(payload.get("tokenId", "")) if "token" in event.needs else None
        if token is None or await self.store.encounter_session(payload["encounterId"]) != payload["sessionId"]:
            return await super().check_things(event, payload)
        return await super().check_things(event, {**payload, "encounterId": token["encounterId"]})


@faulty("tokens/broadcast-equals-stored-state")
class AnswersWithAnotherId(Pipeline):
    """What is acknowledged of a move or a deletion names the token by the id of its record in a database."""

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        return {**answer, "tokenId": f"row-{len(answer['tokenId'])}"} if "tokenId" in answer else answer

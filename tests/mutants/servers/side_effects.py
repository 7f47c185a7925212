"""Faults by which a change reaches more than it names: tokens like the one that is changed, or made after it."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload
from tests.mutants.effects import EffectChanger, with_token
from tests.mutants.fault import faulty


class _ChangesOthers(Pipeline):
    """Changes other tokens of an encounter, too, when one of them is changed, and tells nobody."""

    def spread(self, command: Command, answer: Payload, token: Payload) -> Payload:
        """Return what a change makes of another token of the encounter."""
        raise NotImplementedError

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.made: dict[str, list[str]] = defaultdict(list)  # by encounter

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        here = self.made[command.payload.get("encounterId", "")]
        if command.event == "token:create":
            here.append(answer["token"]["id"])
        for other in here if command.event in ("token:move", "token:update") else ():
            token = await self.store.token(other)
            if token is not None and other != command.payload["tokenId"]:
                changes = self.spread(command, answer, token)
                if changes:
                    await self.store.save_token({**token, **changes})
        return answer


@faulty("tokens/move-changes-only-position")
class MovesNamesakes(_ChangesOthers):
    """A move is stored for each token of the same name in the encounter."""

    def spread(self, command: Command, answer: Payload, token: Payload) -> Payload:
        assert command.token is not None
        alike = command.event == "token:move" and token["name"] == command.token["name"]
        return {"position": answer["position"]} if alike else {}


@faulty("tokens/update-changes-only-what-was-sent")
class ResizesAllOfAnActor(_ChangesOthers):
    """The size of a token that is updated is stored for each token of the same actor in the encounter."""

    def spread(self, command: Command, answer: Payload, token: Payload) -> Payload:
        assert command.token is not None
        actor = command.token.get("actorId")
        alike = command.event == "token:update" and actor is not None and token.get("actorId") == actor
        return {"size": answer["token"]["size"]} if alike else {}


@faulty("tokens/update-changes-only-what-was-sent")
class SharesOneDefault(_ChangesOthers):
    """Tokens made in an encounter without data share one object, which an update of one changes for all."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.plain: set[str] = set()

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        if command.event == "token:create" and "data" not in command.payload["token"]:
            self.plain.add(answer["token"]["id"])
        return answer

    def spread(self, command: Command, answer: Payload, token: Payload) -> Payload:
        changes: Payload = command.payload.get("updates", {})
        shared = {command.payload["tokenId"], token["id"]} <= self.plain
        return {"data": changes["data"]} if shared and "data" in changes else {}


@faulty("tokens/defaults-filled")
class ReusesRecords(EffectChanger):
    """A new token gets the record of one that was deleted in its session, with the image and the actor of that."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.free: dict[str, list[Payload]] = defaultdict(list)

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        free = self.free[command.payload["sessionId"]]
        if command.event == "token:delete" and command.token is not None:
            free.append(command.token)
        if command.event != "token:create" or not free or effect.saved is None:
            return effect
        old = free.pop()
        return with_token(effect, {**{key: old[key] for key in ("imageUrl", "actorId") if key in old}, **effect.saved})


@faulty("tokens/content-comes-back-exactly")
class WritesKeysInCamelCase(EffectChanger):
    """Keys of data that consist of words and underscores are written without these, as a middleware does with all."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event not in ("token:create", "token:update") or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, "data": _camel_case(effect.saved["data"])})


def _camel_case(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel_case(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"(?<=[a-z])_([a-z])", lambda found: found[1].upper(), key): _camel_case(each)
        for key, each in value.items()
    }

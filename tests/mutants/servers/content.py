"""Faults in what a token holds: what comes back is another one than was sent."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload, Refusal
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, UpdateChanger, with_token
from tests.mutants.fault import faulty
from tests.mutants.servers.tokens import EDGE


class Storing(EffectChanger):
    """Keeps what a token holds in a way of its own."""

    def kept(self, token: Payload) -> Payload:
        """Return what is kept of a token."""
        return token

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        return effect if effect.saved is None else with_token(effect, self.kept(effect.saved))


class StoringData(Storing):
    """Keeps what a token has as data in a way of its own."""

    def inner(self, value: Any) -> Any:
        """Return what is kept of a value, those inside it left out of account."""
        return value

    def kept(self, token: Payload) -> Payload:
        return {**token, "data": _within(token["data"], self.inner)}


def _within(value: Any, change: Callable[[Any], Any]) -> Any:
    value = change(value)
    if isinstance(value, dict):
        return {key: _within(inner, change) for key, inner in value.items()}
    return [_within(inner, change) for inner in value] if isinstance(value, list) else value


@faulty("tokens/content-comes-back-exactly")
class StoresNumericNamesAsNumbers(MemoryStore):
    """The column of a token's name takes what looks like a number for one, and gives `7` for `007`."""

    async def save_token(self, token: Payload) -> None:
        with suppress(ValueError):
            token = {**token, "name": f"{float(token['name']):g}"}
        await super().save_token(token)


@faulty("connect/readable-packets")
class SaysInfinity(Pipeline):
    """A number of the data that is too large for a double is infinite from then on, and no JSON in the answer."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        body = args[0] if args else None
        draft = body.get("token") if name == "token:create" and isinstance(body, dict) else None
        data = draft.get("data") if isinstance(draft, dict) else None
        if body is None or draft is None or not isinstance(data, dict) or math.inf not in data.values():
            return await super().perform(connection, name, args)
        answer = await super().perform(connection, name, [{**body, "token": {**draft, "data": {}}}])
        return {**answer, "token": {**answer["token"], "data": data}}


@faulty("tokens/content-comes-back-exactly")
class TakesPlaceholdersForBinaryData(StoringData):
    """An object inside data that looks like what stands for binary data on the wire is replaced by nothing."""

    def inner(self, value: Any) -> Any:
        return None if isinstance(value, dict) and value.get("_placeholder") is True else value


@faulty("tokens/content-comes-back-exactly")
class KnowsOneBlankInNames(Storing):
    """A blank that does not break the line becomes an ordinary one in the name of a token."""

    def kept(self, token: Payload) -> Payload:
        return {**token, "name": token["name"].replace("\u00a0", " ")}


@faulty("tokens/content-comes-back-exactly")
class HasHostsInSmallLetters(Storing):
    """The host of an image's address is written in small letters, as a library for addresses does."""

    def kept(self, token: Payload) -> Payload:
        host = urlsplit(token.get("imageUrl", "")).netloc
        return {**token, "imageUrl": token["imageUrl"].replace(host, host.lower(), 1)} if host else token


@faulty("tokens/content-comes-back-exactly")
class CutsTextsOff(StoringData):
    """A text inside data is cut off at 2048 bytes, as many as the column has."""

    def inner(self, value: Any) -> Any:
        return value.encode()[:2048].decode(errors="ignore") if isinstance(value, str) else value


@faulty("tokens/content-comes-back-exactly")
class CutsTheIdsOfActors(Storing):
    """An actor's id is kept in a column of 36 characters, as many as some ids of other programs have."""

    def kept(self, token: Payload) -> Payload:
        return {**token, "actorId": token["actorId"][:36]} if "actorId" in token else token


@faulty("tokens/content-comes-back-exactly")
class WritesTimesAnew(StoringData):
    """A text inside data that looks like a time is read as one, and written as other programs write it."""

    def inner(self, value: Any) -> Any:
        looks = isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)", value)
        return datetime.fromisoformat(value).astimezone(UTC).isoformat() if looks else value


@faulty("tokens/content-comes-back-exactly")
class CutsWhatLiesDeep(Storing):
    """An object more than ten levels deep inside data is kept as a text that says that it is one."""

    def kept(self, token: Payload) -> Payload:
        return {**token, "data": _cut(token["data"], 10)}


def _cut(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut(inner, levels - 1) for key, inner in value.items()} if levels > 0 else "[object Object]"
    return [_cut(inner, levels - 1) for inner in value] if isinstance(value, list) else value


@faulty("tokens/content-comes-back-exactly")
class WrapsAt32Bits(Storing):
    """A coordinate of 2^31 or more becomes a negative one, and is shown as zero."""

    def kept(self, token: Payload) -> Payload:
        place = token["position"]
        wrapped = {key: place[key] if place[key] < 2**31 else 0 for key in ("x", "y")}
        return {**token, "position": {**place, **wrapped}}


@faulty("tokens/version-grows")
class CountsVersionsInAByte(Storing):
    """The version of a token is kept in a byte: after 255 comes 1."""

    def kept(self, token: Payload) -> Payload:
        return {**token, "version": (token["version"] - 1) % 255 + 1}


@faulty("tokens/content-comes-back-exactly")
class LosesKeysWithDots(StoringData):
    """Properties of data whose names hold a dot get lost, as in a database that takes them for paths."""

    def inner(self, value: Any) -> Any:
        return {k: v for k, v in value.items() if "." not in k} if isinstance(value, dict) else value


_NOT_BROADCAST = {"broadcasts/says-what-was-done": "what is lost in the store is not broadcast, either"}


@faulty("tokens/content-comes-back-exactly", also=_NOT_BROADCAST)
class LosesWhatIsEmpty(StoringData):
    """Properties of data that are empty lists get lost."""

    def inner(self, value: Any) -> Any:
        return {k: v for k, v in value.items() if v != []} if isinstance(value, dict) else value


@faulty("tokens/content-comes-back-exactly", also=_NOT_BROADCAST)
class LosesNull(StoringData):
    """Properties of data that are null get lost."""

    def inner(self, value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


@faulty(
    "tokens/content-comes-back-exactly",
    also={"tokens/broadcast-equals-stored-state": "what an answer says is taken for what is stored"},
)
class AnswersWithTheNameBefore(EffectChanger):
    """An update is answered with the name that the token had before: what was found, in place of what is stored."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:update" or command.token is None:
            return effect
        token = {**effect.answer["token"], "name": command.token["name"]}
        return replace(effect, answer={"token": token})


@faulty("tokens/content-comes-back-exactly")
class RefusesDollars(Pipeline):
    """Data with a property whose name begins with a dollar is refused, for fear of what a database makes of it."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        data = (payload.get("token") or payload.get("updates") or {}).get("data", {})
        if any(key.startswith("$") for key in data):
            raise Refusal("VALIDATION_ERROR", "no property may begin with a dollar")
        return super().command(event, payload, user, token)


@faulty("tokens/content-comes-back-exactly")
class EscapesNames(Storing):
    """The name of a token is escaped for HTML."""

    def kept(self, token: Payload) -> Payload:
        return {**token, "name": html.escape(html.unescape(token["name"]))}


@faulty("tokens/content-comes-back-exactly")
class TidiesAddresses(Storing):
    """The address of an image without a path has a slash put behind it."""

    def kept(self, token: Payload) -> Payload:
        bare = re.fullmatch("[a-z]+://[^/]+", token.get("imageUrl", ""))
        return {**token, "imageUrl": f"{bare[0]}/"} if bare else token


@faulty("tokens/content-comes-back-exactly", also={"tokens/bounds-reached": EDGE})
class LosesZero(Storing):
    """A duration of nothing is taken for none."""

    def kept(self, token: Payload) -> Payload:
        shorter = [{k: v for k, v in each.items() if v or k != "duration"} for each in token["conditions"]]
        return {**token, "conditions": shorter}


@faulty("tokens/content-comes-back-exactly")
class StoresListsAsSets(StoringData):
    """Lists inside data are sorted, and hold nothing twice."""

    def inner(self, value: Any) -> Any:
        numbers = isinstance(value, list) and all(type(each) is int for each in value)
        return sorted(set(value)) if numbers else value


@faulty("tokens/content-comes-back-exactly")
class WritesFourteenDigits(StoringData):
    """Fractions inside data are written with fourteen digits, as some languages write them."""

    def inner(self, value: Any) -> Any:
        return float(f"{value:.14g}") if isinstance(value, float) else value


@faulty("tokens/content-comes-back-exactly")
class RoundsElevations(Storing):
    """An elevation is kept with two decimals."""

    def kept(self, token: Payload) -> Payload:
        place = token["position"]
        return {**token, "position": {**place, "elevation": round(place["elevation"], 2)}}


@faulty("tokens/content-comes-back-exactly")
class RoundsDurations(Storing):
    """A duration is kept with one decimal."""

    def kept(self, token: Payload) -> Payload:
        rounded = [{k: round(v, 1) if k == "duration" else v for k, v in each.items()} for each in token["conditions"]]
        return {**token, "conditions": rounded}


@faulty("tokens/content-comes-back-exactly")
class ReadsTypedValues(StoringData):
    """An object inside data with nothing but a name that a database gives a meaning becomes the value it stands for."""

    def inner(self, value: Any) -> Any:
        is_typed = isinstance(value, dict) and len(value) == 1 and value.keys() <= {"$date", "$oid", "$numberLong"}
        return next(iter(value.values())) if is_typed else value


@faulty("tokens/content-comes-back-exactly")
class LosesWhatHasAClass(StoringData):
    """An object inside data that names a class is taken for one of that class, and has lost the name."""

    def inner(self, value: Any) -> Any:
        return {k: v for k, v in value.items() if k != "@class"} if isinstance(value, dict) else value


@faulty("tokens/content-comes-back-exactly")
class LosesLargeData(Storing):
    """Data of more than 32 kB is acknowledged, and stored as nothing."""

    def kept(self, token: Payload) -> Payload:
        return {**token, "data": {}} if len(json.dumps(token["data"])) > 1 << 15 else token


@faulty("tokens/content-comes-back-exactly")
class CutsOffAt64KB(StoringData):
    """A text inside data is cut off at 65,535 bytes, as many as the column has."""

    def inner(self, value: Any) -> Any:
        return value.encode()[:65_535].decode(errors="ignore") if isinstance(value, str) else value


@faulty("tokens/content-comes-back-exactly")
class TakesIdsOutOfData(StoringData):
    """An object inside data loses what is called as a database calls its own ids."""

    def inner(self, value: Any) -> Any:
        return {k: v for k, v in value.items() if k not in ("id", "_id")} if isinstance(value, dict) else value


@faulty("tokens/content-comes-back-exactly")
class CutsNamesInTheStore(MemoryStore):
    """A name is stored in a column of 191 characters, as old indexes bear; answers and broadcasts have all of it."""

    async def save_token(self, token: Payload) -> None:
        await super().save_token({**token, "name": token["name"][:191]})


@faulty("tokens/update-changes-only-what-was-sent")
class ShowsWhatIsUpdated(UpdateChanger):
    """A token that is updated is visible from then on, unless the update says that it is not."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        return {"isVisible": command.payload["updates"].get("isVisible", True)}


@faulty("broadcasts/says-what-was-done")
class UpdatesOnePropertyAtATime(UpdateChanger):
    """Of an update that names several properties, the first is changed, and the others stay as they are."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        _, *others = command.payload["updates"]
        return {key: before[key] for key in others if key in before}

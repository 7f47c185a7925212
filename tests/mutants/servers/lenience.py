"""Faults in what is taken for something that it is not, or kept as something that it was not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload, Refusal
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, with_token
from tests.mutants.fault import faulty
from tests.mutants.servers.chat import Editing


class _Lenient(Pipeline):
    """Makes something of a part of a request that is not in order; nothing, for nothing but that."""

    def mended(self, part: Payload) -> Payload:
        """Return what is judged in place of a draft or of updates."""
        return part

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        given = args[0] if len(args) == 1 and isinstance(args[0], dict) else {}
        for key in ("token", "updates"):
            if isinstance(given.get(key), dict):
                args = [{**given, key: self.mended(given[key])}]
        return super().check_shape(event, args)


@faulty("payloads/bound-broken")
class KnowsSizesInAnyCase(_Lenient):
    """The size of a token may be written in capitals."""

    def mended(self, part: Payload) -> Payload:
        size = part.get("size")
        return {**part, "size": size.lower()} if isinstance(size, str) else part


@faulty("payloads/bound-broken")
class CutsFractionsOffBeforeItLooks(_Lenient):
    """Whether a duration is below nothing is asked of its whole part: half a round less than none is accepted."""

    def mended(self, part: Payload) -> Payload:
        conditions = part.get("conditions")
        if not isinstance(conditions, list):
            return part
        return {**part, "conditions": [self._cut(condition) for condition in conditions]}

    def _cut(self, condition: Any) -> Any:
        duration = condition.get("duration") if isinstance(condition, dict) else None
        return {**condition, "duration": 0} if isinstance(duration, float) and -1 < duration < 0 else condition


@faulty("payloads/bound-broken")
class CountsPropertiesOfAnyName(_Lenient):
    """That an update names something is asked before the names are looked at: one of unknown names changes nothing."""

    def mended(self, part: Payload) -> Payload:
        known = ("name", "imageUrl", "size", "isVisible", "data")
        unknown_alone = part and "position" not in part and not any(name in part for name in known)
        return {**part, "isVisible": True} if unknown_alone else part


@faulty("payloads/wrong-type")
class TakesAnEmptyListForAnObject(_Lenient):
    """An empty list stands for an object without properties, as it does where both are arrays."""

    def mended(self, part: Payload) -> Payload:
        return {**part, "data": {}} if part.get("data") == [] else part


@faulty("payloads/valid-accepted")
class WantsOtherNamesInAnyCase(Pipeline):
    """A token whose name differs from that of another one in the encounter in capitals only is refused."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.names: dict[str, set[str]] = {}  # by encounter

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        found = await super().check_things(event, payload)
        if event.name == "token:create":
            name, names = payload["token"]["name"], self.names.setdefault(payload["encounterId"], set())
            if name not in names and name.lower() in map(str.lower, names):
                raise Refusal("VALIDATION_ERROR", "this name is taken")
            names.add(name)
        return found


@faulty("tokens/content-comes-back-exactly")
class LosesWhatIsNamedLikeAPrototype(_Lenient):
    """A property of data called `__proto__` is lost, as it is where objects are copied by assignment."""

    def mended(self, part: Payload) -> Payload:
        return {**part, "data": _without(part["data"])} if "data" in part else part


def _without(value: Any) -> Any:
    if isinstance(value, list):
        return [_without(item) for item in value]
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key != "__proto__"}
    return value


@faulty("tokens/content-comes-back-exactly")
class KeepsTheFirstHundred(_Lenient):
    """Of a list inside data, the first hundred are kept."""

    def mended(self, part: Payload) -> Payload:
        return {**part, "data": _shortened(part["data"])} if "data" in part else part


def _shortened(value: Any) -> Any:
    if isinstance(value, list):
        return [_shortened(item) for item in value[:100]]
    return {key: _shortened(item) for key, item in value.items()} if isinstance(value, dict) else value


@faulty("chat/text-arrives-unchanged")
class ReadsPercentCodes(Editing):
    """What looks like a percent code in a message is read as one."""

    def edited(self, message: str) -> str:
        return unquote(message)


@faulty("chat/text-arrives-unchanged")
class FoldsEmptyLines(Editing):
    """Of several empty lines in a row, one is kept."""

    def edited(self, message: str) -> str:
        return re.sub("\n{3,}", "\n\n", message)


@faulty("payloads/ids-compared-exactly")
class FindsTokensByTheirBeginning(Pipeline):
    """The beginning of a token's id will do, as long as no other one begins like it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.made: dict[str, str] = {}  # encounters by token

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        if command.event == "token:create":
            self.made[answer["token"]["id"]] = answer["token"]["encounterId"]
        return answer

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        asked = payload.get("tokenId", "")
        fitting = [each for each, there in self.made.items() if there == payload.get("encounterId")]
        fitting = [each for each in fitting if asked and each.startswith(asked)]
        token = await super().check_things(event, {**payload, "tokenId": fitting[0]} if len(fitting) == 1 else payload)
        if token is not None:
            payload["tokenId"] = token["id"]
        return token


@faulty("broadcasts/says-what-was-done")
class EndsTheMap(_Lenient):
    """The map has 5000 squares each way: a token that is put further away stands at its end."""

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        payload = super().check_shape(event, args)
        if event.name == "token:move":
            return {**payload, "position": _on_the_map(payload["position"])}
        return payload


def _on_the_map(position: Payload) -> Payload:
    return {**position, "x": min(position["x"], 5000), "y": min(position["y"], 5000)}


@faulty("broadcasts/says-what-was-done")
class ShowsWhatIsDraftedHidden(EffectChanger):
    """A draft that says that its token is hidden makes one that is visible: false is taken for nothing said."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:create":
            return effect
        return with_token(effect, {**effect.answer["token"], "isVisible": True})

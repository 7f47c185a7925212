"""Faults in what is accepted as a payload."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload, Refusal
from dungeonlab_spec import Event, accepts
from tests.mutants.effects import EffectChanger, with_token
from tests.mutants.fault import faulty

_ROOM = 30  # tokens of an encounter
_BOOLEANS = {"isVisible", "isPlayerControlled"}
SIZES = ("tiny", "small", "medium", "large", "huge", "gargantuan")


class Lenient(Pipeline):
    """Makes something of a payload that is not valid; nothing, for nothing but its leniency."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        """Return what is judged in place of the arguments."""
        return args

    def lets_pass(self, event: Event, payload: Any) -> bool:
        """Whether an invalid payload is taken as it is."""
        return False

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        args = self.mended(event, args)
        try:
            return super().check_shape(event, args)
        except Refusal:
            if len(args) == 1 and isinstance(args[0], dict) and self.lets_pass(event, args[0]):
                return args[0]
            raise


# -- in place of the object ----------------------------------------------------------------------------


@faulty("payloads/no-argument")
class TakesNothingForAnEmptyObject(Lenient):
    """No argument at all is taken for an empty object."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return args or ({},)


@faulty("payloads/null")
class TakesNullForAnEmptyObject(Lenient):
    """Null is taken for an empty object."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [{} if arg is None else arg for arg in args]


@faulty("payloads/null", "payloads/number", "payloads/text", "payloads/array", "payloads/binary")
class TakesWhatIsEmptyForAnEmptyObject(Lenient):
    """Whatever is falsy is taken for an empty object: null, zero, an empty text, an empty array, no bytes."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [arg or {} for arg in args]


@faulty("payloads/array")
class TakesTheFirstOfAnArray(Lenient):
    """Of an array, its first element is taken for the object."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [arg[0] if isinstance(arg, list) and arg else arg for arg in args]


@faulty("payloads/text")
class ReadsTextAsJson(Lenient):
    """A text is read as JSON, for clients that encode twice."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        try:
            return [json.loads(arg) if isinstance(arg, str) else arg for arg in args]
        except ValueError:
            return args


@faulty("payloads/text")
class TakesABareSessionId(Lenient):
    """A bare text is taken for the session's id."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [{"sessionId": arg} if isinstance(arg, str) and arg else arg for arg in args]


@faulty("payloads/number")
class TakesANumberForAnEmptyObject(Lenient):
    """A number has no properties, and is read as if it were an object without any."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [{} if isinstance(arg, int) else arg for arg in args]


@faulty("payloads/binary")
class TakesBinaryForAnEmptyObject(Lenient):
    """Binary data has no properties, and is read as if it were an object without any."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [{} if isinstance(arg, bytes) else arg for arg in args]


@faulty("payloads/extra-arguments")
class LooksAtTheFirstArgumentOnly(Lenient):
    """Arguments beyond the first are not looked at."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return args[:1]


@faulty("payloads/extra-arguments")
class DropsNullArguments(Lenient):
    """Arguments that are null are dropped."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [*args[:1], *(arg for arg in args[1:] if arg is not None)]


# -- a property missing, of the wrong type, out of bounds ----------------------------------------------


@faulty("payloads/required-field-missing")
class NamesTheNameless(Lenient):
    """A token without a name is given one."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [_changed(arg, "token", lambda token: {"name": "unnamed", **token}) for arg in args]


@faulty("payloads/required-field-missing")
class ChatsAboutUndefined(Lenient):
    """A message that is missing is sent as the text "undefined"."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        if event.name != "chat-message":
            return args
        return [{"message": "undefined", **arg} if isinstance(arg, dict) else arg for arg in args]


@faulty("payloads/wrong-type")
class TakesHalfSquares(Lenient):
    """Shapes are declared and never applied: a token may stand at x = 1.5."""

    def lets_pass(self, event: Event, payload: Any) -> bool:
        return event.name == "token:move" and isinstance(_get(payload, "position", "x"), float)


@faulty("payloads/wrong-type")
class RoundsSquares(Lenient):
    """Half a square is rounded down in place of being refused."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        def rounded(position: Payload) -> Payload:
            return {k: int(v) if isinstance(v, float) and k != "elevation" else v for k, v in position.items()}

        return [_changed(arg, "position", rounded) for arg in args]


@faulty("payloads/wrong-type")
class CountsTextAsNumbers(Lenient):
    """A number written as text is taken for the number."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        def counted(position: Payload) -> Payload:
            return {k: float(v) if isinstance(v, str) and v.isdecimal() else v for k, v in position.items()}

        return [_changed(arg, "position", counted) for arg in args]


@faulty("payloads/wrong-type")
class TakesTrueForOne(Lenient):
    """True passes for an integer, as it does in some languages."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        def counted(position: Payload) -> Payload:
            return {k: int(v) if isinstance(v, bool) else v for k, v in position.items()}

        return [_changed(arg, "position", counted) for arg in args]


@faulty(
    "payloads/wrong-type",
    also=dict.fromkeys(
        ("tokens/content-comes-back-exactly", "broadcasts/says-what-was-done"),
        "null inside data is left out like the rest",
    ),
)
class TakesNullForAbsent(Lenient):
    """An optional property may be null, as if it had been left out."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [_without_null(arg) if isinstance(arg, dict) else arg for arg in args]


@faulty("payloads/wrong-type")
class StoresNullForAbsent(Lenient):
    """An update may set a property to null, which is stored and broadcast like that."""

    def lets_pass(self, event: Event, payload: Any) -> bool:
        return event.name == "token:update" and "imageUrl" in _null_properties(payload)


@faulty("payloads/wrong-type")
class ReadsTextAsTruth(Lenient):
    """Any text stands for true or false."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        def truth(token: Payload) -> Payload:
            visible = token.get("isVisible")
            return {**token, "isVisible": visible == "true"} if isinstance(visible, str) else token

        return [_changed(_changed(arg, "token", truth), "updates", truth) for arg in args]


@faulty("payloads/wrong-type")
class ReadsNumbersAsTruth(Lenient):
    """0 and 1 stand for false and true, as they do in some databases."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        def truth(token: Payload) -> Payload:
            numbers = {key: token[key] for key in _BOOLEANS & token.keys() if type(token[key]) is int}
            return {**token, **{key: bool(number) for key, number in numbers.items() if number in (0, 1)}}

        return [_changed(_changed(arg, "token", truth), "updates", truth) for arg in args]


@faulty("payloads/wrong-type", "payloads/bound-broken", "payloads/required-field-missing")
class LooksAtTheFirstCondition(Lenient):
    """Only the first condition of a token is checked; those behind it are stored as they are."""

    def lets_pass(self, event: Event, payload: Any) -> bool:
        conditions = _get(payload, "token", "conditions")
        if event.name != "token:create" or not isinstance(conditions, list) or len(conditions) < 2:
            return False
        first = _changed(payload, "token", lambda token: {**token, "conditions": conditions[:1]})
        return event.request is not None and accepts(event.request, first)


@faulty("payloads/wrong-type")
class ChatsAnything(Lenient):
    """A message that is no text is made one."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        def text(message: Any) -> Any:
            return str(message) if isinstance(message, int) else message

        return [{**arg, "message": text(arg["message"])} if _get(arg, "message") else arg for arg in args]


@faulty("payloads/bound-broken")
class LooksAtTypesOnly(Lenient):
    """Only types are checked: a name of 256 characters or none is stored like any other."""

    def lets_pass(self, event: Event, payload: Any) -> bool:
        name = _get(payload, "token", "name") if event.name == "token:create" else _get(payload, "updates", "name")
        return isinstance(name, str) and not 1 <= len(name) <= 255


@faulty("payloads/bound-broken")
class CutsNamesOff(Lenient):
    """A name that is too long is cut off."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        def cut(token: Payload) -> Payload:
            name = token.get("name")
            return {**token, "name": name[:255]} if isinstance(name, str) else token

        return [_changed(_changed(arg, "token", cut), "updates", cut) for arg in args]


@faulty("payloads/bound-broken")
class LetsTokensOffTheMap(Lenient):
    """A token may be moved to negative squares."""

    def lets_pass(self, event: Event, payload: Any) -> bool:
        x = _get(payload, "position", "x")
        return event.name == "token:move" and type(x) is int and x < 0


@faulty("payloads/bound-broken")
class KnowsMoreSizes(Lenient):
    """Any text is a size."""

    def lets_pass(self, event: Event, payload: Any) -> bool:
        size = _get(payload, "token", "size")
        return event.name == "token:create" and isinstance(size, str) and size not in SIZES


@faulty("payloads/bound-broken")
class AcceptsNoUpdateAtAll(Lenient):
    """An update that names no property is accepted, and changes nothing but the version."""

    def lets_pass(self, event: Event, payload: Any) -> bool:
        return event.name == "token:update" and payload.get("updates") == {}


@faulty("payloads/bound-broken", "payloads/ids-compared-exactly")
class TrimsIds(Lenient):
    """White space around an id is cut off: one that ends in a line break is accepted."""

    def mended(self, event: Event, args: Sequence[Any]) -> Sequence[Any]:
        return [
            {
                key: value.strip() if isinstance(value, str) and key.endswith("Id") else value
                for key, value in arg.items()
            }
            if isinstance(arg, dict)
            else arg
            for arg in args
        ]


def _get(payload: Any, *path: str) -> Any:
    for part in path:
        payload = payload.get(part) if isinstance(payload, dict) else None
    return payload


def _null_properties(payload: Payload) -> list[str]:
    updates = payload.get("updates")
    return [key for key, value in updates.items() if value is None] if isinstance(updates, dict) else []


def _changed(payload: Any, key: str, change: Any) -> Any:
    """Return a payload with the object in one property replaced by what `change` makes of it."""
    inner = _get(payload, key)
    return {**payload, key: change(inner)} if isinstance(inner, dict) else payload


def _without_null(payload: Payload) -> Payload:
    """Return a payload without what is null, at any depth but inside of arrays."""
    return {k: _without_null(v) if isinstance(v, dict) else v for k, v in payload.items() if v is not None}


@faulty("payloads/unknown-properties-ignored")
class UpdatesWhatADraftHas(EffectChanger):
    """An update takes over what only a draft may name: the token's actor, and whether a player controls it."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        named = command.payload.get("updates", {})
        more = {key: named[key] for key in ("actorId",) if isinstance(named.get(key), str)}
        more |= {key: named[key] for key in ("isPlayerControlled",) if isinstance(named.get(key), bool)}
        return with_token(effect, {**effect.saved, **more}) if effect.saved is not None and more else effect


class Particular(Pipeline):
    """Refuses some payloads that are in order; none, for nothing but that."""

    def refuses(self, payload: Payload) -> bool:
        """Whether the properties of a draft or an update, or those of a request, are refused."""
        return False

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        payload = super().check_shape(event, args)
        named = payload.get("token") or payload.get("updates") or payload
        if event.name.startswith("token:") and self.refuses(named):
            raise Refusal("VALIDATION_ERROR", "this is not what is usual")
        return payload


@faulty("payloads/valid-accepted")
class RefusesBlankNames(Particular):
    """The name of a token is refused if it is blank."""

    def refuses(self, payload: Payload) -> bool:
        return str(payload.get("name", "a")).isspace()


@faulty(
    "payloads/valid-accepted", also={"tokens/content-comes-back-exactly": "what is refused does not come back, either"}
)
class TakesZeroForNoName(Particular):
    """The name of a token is refused if it is a zero, as no name at all."""

    def refuses(self, payload: Payload) -> bool:
        return payload.get("name") == "0"


@faulty("payloads/valid-accepted")
class WantsImagesOfTheWeb(Particular):
    """The address of an image is refused if there is no host in it."""

    def refuses(self, payload: Payload) -> bool:
        return "://" not in payload.get("imageUrl", "://")


@faulty("payloads/valid-accepted")
class WantsIntegersWithoutAPoint(Particular):
    """A coordinate is refused if it is written with a point, though nothing stands behind it."""

    def refuses(self, payload: Payload) -> bool:
        place = payload.get("position", {})
        return any(isinstance(place.get(key), float) for key in ("x", "y"))


@faulty("payloads/unknown-properties-ignored")
class WantsToBeGivenTheVersion(Pipeline):
    """Who names a version beside a change must name the one that the token has."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if token is not None and payload.get("version", token["version"]) != token["version"]:
            raise Refusal("VALIDATION_ERROR", "the token has changed meanwhile")
        return super().command(event, payload, user, token)


@faulty("payloads/unknown-properties-ignored")
class KeepsConditionsAsTheyCome(EffectChanger):
    """The conditions of a draft are kept with all that is in them."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        given = command.payload.get("token", {}).get("conditions")
        return with_token(effect, {**effect.saved, "conditions": given}) if given and effect.saved else effect


@faulty("payloads/valid-accepted")
class FillsUp(Pipeline):
    """Thirty tokens are made in an encounter; any further one is refused as an invalid request."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.made: Counter[str] = Counter()

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if event.name == "token:create":
            self.made[payload["encounterId"]] += 1
            if self.made[payload["encounterId"]] > _ROOM:
                raise Refusal("VALIDATION_ERROR", "there is no room for another token")
        return super().command(event, payload, user, token)

"""What each event does, once everything about it is in order: a command in, an effect or a refusal out.

No I/O, no clock, no sockets, no randomness: ids and times come with the command. The pipeline has checked the
shape, the session, the membership and the room before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dungeonlab_reference_server.bounds import excess
from dungeonlab_spec import Catalogue, validate
from dungeonlab_spec.validation import accepts, complaint

Payload = dict[str, Any]

_EXPLAINED = 500  # values, and levels, up to which all that is wrong is said, and not only the first of it


class Refusal(Exception):  # noqa: N818 - an answer, not an accident
    """Why a request is not carried out: one of the catalogue's codes, and a sentence for people.

    `rule` is for a log, which must not hold what the client wrote: the property, and the rule that it breaks.
    """

    def __init__(self, code: str, text: str, rule: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.rule = rule or text


@dataclass(frozen=True, slots=True)
class Session:
    """A game session. Its members are the participants and the game master."""

    id: str
    name: str
    game_master: str
    participants: tuple[str, ...] = ()

    def has_member(self, user: str) -> bool:
        """Whether a user may act in this session."""
        return user == self.game_master or user in self.participants


@dataclass(frozen=True, slots=True)
class Command:
    """One request that is in order: who, what, when, and an unused id should the effect need one."""

    event: str
    payload: Payload
    user: str
    now: str
    new_id: str
    token: Payload | None = None


@dataclass(frozen=True, slots=True)
class Emission:
    """An event for the other connections in the room."""

    event: str
    session: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Effect:
    """The result of a command: the answer's data, the broadcast, and the changes in the store."""

    answer: Payload
    emission: Emission
    saved: Payload | None = None
    deleted: str | None = None


def say(command: Command) -> Effect:
    """Chat: nothing is stored."""
    answer = {"messageId": command.new_id, "timestamp": command.now}
    return Effect(answer, _emission(command, {**answer, "message": command.payload["message"]}))


def create(command: Command) -> Effect:
    """Make a token out of a draft, every default filled in, nothing unknown taken over."""
    draft = command.payload["token"]
    token = {
        "id": command.new_id,
        "encounterId": command.payload["encounterId"],
        "name": draft["name"],
        "size": draft.get("size", "medium"),
        "position": _position(draft["position"]),
        "isVisible": draft.get("isVisible", True),
        "isPlayerControlled": draft.get("isPlayerControlled", False),
        "data": draft.get("data", {}),
        "conditions": [_pick(condition, "name", "duration", "source") for condition in draft.get("conditions", ())],
        **_pick(draft, "imageUrl", "actorId"),
        "version": 1,
        "createdBy": command.user,
    }
    return Effect({"token": token}, _emission(command, {"token": token}), saved=token)


def move(command: Command) -> Effect:
    """Give a token another position."""
    token = _changed(command, position=_position(command.payload["position"]))
    answer = {"tokenId": token["id"], "position": token["position"], "version": token["version"]}
    return Effect(answer, _emission(command, answer), saved=token)


def update(command: Command) -> Effect:
    """Replace the properties of a token that were sent, and no others."""
    token = _changed(command, **_pick(command.payload["updates"], "name", "imageUrl", "size", "isVisible", "data"))
    return Effect({"token": token}, _emission(command, {"tokenId": token["id"], "token": token}), saved=token)


def delete(command: Command) -> Effect:
    """Take a token away."""
    answer = {"tokenId": command.payload["tokenId"]}
    return Effect(answer, _emission(command, answer), deleted=answer["tokenId"])


EFFECTS: Mapping[str, Callable[[Command], Effect]] = MappingProxyType(
    {"chat-message": say, "token:create": create, "token:move": move, "token:update": update, "token:delete": delete}
)


def question_errors(payload: Payload) -> list[str]:
    """Return what is wrong with the shape of the action that a validate-action request asks about."""
    action = payload["action"]
    if excess(action["payload"], _EXPLAINED, _EXPLAINED) is None:
        errors = [str(violation) for violation in validate(action["type"], action["payload"], "request")]
    else:
        request = Catalogue.load()[action["type"]].request
        assert request is not None
        errors = [] if accepts(request, action["payload"]) else [complaint(request, action["payload"])]
    if not errors and action["payload"]["sessionId"] != payload["sessionId"]:
        errors.append("the action names another session than the question")
    return errors


def _changed(command: Command, **changes: Any) -> Payload:
    assert command.token is not None
    return {**command.token, **changes, "version": command.token["version"] + 1, "updatedBy": command.user}


def _emission(command: Command, more: Payload) -> Emission:
    place = _pick(command.payload, "sessionId", "encounterId")
    payload = {**place, **more, "userId": command.user, "timestamp": command.now}
    return Emission(command.event, command.payload["sessionId"], payload)


def _position(asked: Payload) -> Payload:
    return {"x": asked["x"], "y": asked["y"], "elevation": asked.get("elevation", 0)}


def _pick(source: Payload, *names: str) -> Payload:
    return {name: source[name] for name in names if name in source}

"""What travels: each payload of the protocol under one name, with the definition that says what it may hold.

Unknown    no payload travels under that event and direction; the message is one sentence
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from dungeonlab_spec.catalogue import Catalogue, Event, examples, resolve

Direction = Literal["request", "ack", "emission"]
Schema = tuple[Any, str]  # a definition, and the file that its references start from
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
_SIMILAR = {"event": 0.5, "direction": 0.7}  # of two names, for one to be meant by the other
_SHOWN = 100  # characters of a name that a message repeats


class Unknown(ValueError, LookupError):  # noqa: N818 - reads as a sentence where it is raised
    """There is no such event, no such direction, or none of the two together; one sentence, with what there is."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload that travels.

    `name` is that of its definition, such as ``ChatMessageRequest``. `folder` is that of its examples, such as
    ``chat-message``. `event` is None for the failure envelope and the refusal of a connection, which no event has.
    """

    name: str
    folder: str
    direction: Direction
    reference: str
    event: Event | None = None

    def __str__(self) -> str:
        return self.stem

    @property
    def stem(self) -> str:
        """What its schema's file is called, without the suffix."""
        return f"{self.folder}.{self.direction}" if self.event else self.folder

    def examples(self, kind: Literal["valid", "invalid"]) -> Mapping[str, Any]:
        """Return its examples by name."""
        return examples(self.folder, kind, self.direction)


@cache
def payloads() -> tuple[Payload, ...]:
    """Return every payload of the catalogue in its order, then the failure envelope and the refusal of a connection."""
    catalogue = Catalogue.load()
    return (
        *(
            Payload(_name(reference), event.name.replace(":", "-"), direction, reference, event)
            for event in catalogue
            for direction in DIRECTIONS
            if (reference := getattr(event, direction)) is not None
        ),
        Payload(_name(catalogue.failure), "failure-ack", "ack", catalogue.failure),
        Payload(_name(catalogue.refusal), "connect-refusal", "emission", catalogue.refusal),
    )


def payload_of(event: str, direction: Direction) -> Payload:
    """Return what travels as that event in that direction. Raises `Unknown`, whatever the two are."""
    try:
        return _by_name()[event, direction]
    except (KeyError, TypeError):
        raise Unknown(_complaint(event, direction)) from None


def stated(value: Any, schema: Schema) -> Any:
    """Return what a schema names of a value, at any depth; where it names nothing, all of it."""
    definition, file = resolved(schema)
    properties, items = definition.get("properties"), definition.get("items")
    if isinstance(value, dict) and properties:
        return {key: stated(inner, (properties[key], file)) for key, inner in value.items() if key in properties}
    if isinstance(value, list) and items:
        return [stated(inner, (items, file)) for inner in value]
    return value


def resolved(schema: Schema) -> Schema:
    """Follow the references of a definition to one that is none."""
    definition, file = schema
    while "$ref" in definition:
        definition, file = resolve(definition["$ref"], file)
    return definition, file


@cache
def _by_name() -> Mapping[tuple[str, str], Payload]:
    return {(payload.event.name, payload.direction): payload for payload in payloads() if payload.event}


def _complaint(event: object, direction: object) -> str:
    events = Catalogue.load().events
    if not isinstance(event, str) or event not in events:
        return f"there is no event {_shown(event)} in the catalogue; {_meant(event, events, _SIMILAR['event'])}"
    there = [each for name, each in _by_name() if name == event]
    if direction in DIRECTIONS:
        return f"{event} has no {direction}; it has {', '.join(there)}"
    return f"there is no direction {_shown(direction)}; {_meant(direction, there, _SIMILAR['direction'])}"


def _meant(word: object, known: Collection[str], similar: float) -> str:
    near = difflib.get_close_matches(word.casefold()[:_SHOWN], known, 1, similar) if isinstance(word, str) else []
    return f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"


def _shown(word: object) -> str:
    return repr(word[:_SHOWN]) if isinstance(word, str) else f"(a {type(word).__name__})"


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]

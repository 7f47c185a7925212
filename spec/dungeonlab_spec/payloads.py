"""What travels: each payload of the protocol under one name, with the definition that says what it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from dungeonlab_spec.catalogue import Catalogue, Event, examples

Direction = Literal["request", "ack", "emission"]


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
            for direction in get_args(Direction)
            if (reference := getattr(event, direction)) is not None
        ),
        Payload(_name(catalogue.failure), "failure-ack", "ack", catalogue.failure),
        Payload(_name(catalogue.refusal), "connect-refusal", "emission", catalogue.refusal),
    )


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]

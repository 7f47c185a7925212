"""Loads events.json and requirements.json. Judging payloads is `validation`'s business."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from dungeonlab_spec.pointer import at

DATA = files("dungeonlab_spec")

Level = Literal["MUST", "SHOULD", "MAY"]
Side = Literal["server", "client"]
PARTS = ("http",)  # parts of the protocol that a server need not have; what they demand is judged where it claims them


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the catalogue; catalogue.schema.json says what each field means."""

    name: str
    summary: str
    sender: Literal["client", "server", "both"]
    scope: Literal["session", "direct"]
    request: str | None
    ack: str | None
    emission: str | None
    audience: Literal["room-except-sender", "sender-only", "removed-connection"] | None
    needs: tuple[str, ...]
    refusals: tuple[str, ...]
    mark: str | None
    effect: Literal["creates-token", "changes-token", "removes-token"] | None
    origin: Literal["seed", "derived", "extension"]
    optional: bool

    @property
    def is_broadcast(self) -> bool:
        """Whether a request of this name is broadcast to the others in the room."""
        return self.request is not None and self.audience == "room-except-sender"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence the protocol demands, under an id that is never reused. `side` says who has to keep it."""

    id: str
    level: Level
    section: str
    sentence: str
    source: str
    since: str
    each: str | None
    hint: str
    part: str | None = None
    side: Side = "server"

    @property
    def area(self) -> str:
        """What stands before the slash."""
        return self.id.partition("/")[0]

    def holds_in(self, version: str) -> bool:
        """Whether this is demanded by a version of the protocol."""
        return version_number(self.since) <= version_number(version)


def is_own_event(name: object) -> bool:
    """Whether a name is one of those that a server may define for itself; section 14 of the protocol."""
    return isinstance(name, str) and name.startswith("x-")


def version_number(version: str) -> tuple[int, ...]:
    """Return a version as what it can be compared by: 1.10 comes after 1.9."""
    return tuple(map(int, version.split(".")))


# What a requirement's `each` stands for. A new catalogue row is picked up by these alone.
SELECTORS: Mapping[str, Callable[[Event], bool]] = MappingProxyType(
    {
        "request": lambda e: e.request is not None,
        "request-with-required": lambda e: e.request is not None and bool(_definition(e.request).get("required")),
        "other-request": lambda e: e.request is not None and "encounter" not in e.needs,
        "operation": lambda e: "joined" in e.needs,
        "direct": lambda e: e.request is not None and e.scope == "direct",
        "broadcast": lambda e: e.is_broadcast,
        "encounter": lambda e: "encounter" in e.needs,
        "token": lambda e: "token" in e.needs,
        "token-state": lambda e: e.effect in ("creates-token", "changes-token"),
        "changing": lambda e: e.effect == "changes-token",
    }
)


class Catalogue:
    """Every event and every requirement of one protocol version."""

    def __init__(self, events: Mapping[str, Any], requirements: Mapping[str, Any]) -> None:
        self.version: str = events["version"]
        self.path: str = events["path"]
        self.failure: str = events["failure"]
        self.refusal: str = events["refusal"]
        self.name: str = events["name"]
        self.events: Mapping[str, Event] = MappingProxyType(
            {
                row["name"]: Event(**{**row, "needs": tuple(row["needs"]), "refusals": tuple(row["refusals"])})
                for row in events["events"]
            }
        )
        self.requirements: Mapping[str, Requirement] = MappingProxyType(
            {row["id"]: _requirement(row) for row in requirements["requirements"]}
        )

    @classmethod
    @cache
    def load(cls) -> Catalogue:
        """Return the catalogue that comes with this package."""
        return cls(_json("events.json"), _json("requirements.json"))

    @property
    def versions(self) -> tuple[str, ...]:
        """Every version of the protocol whose requirements are known, the oldest first."""
        found = {self.version, *(r.since for r in self.requirements.values())}
        return tuple(sorted(found, key=version_number))

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events.values())

    def __getitem__(self, name: str) -> Event:
        return self.events[name]

    def __contains__(self, name: object) -> bool:
        return name in self.events

    def requests(self) -> tuple[Event, ...]:
        """Return the events a client sends."""
        return tuple(e for e in self if e.request is not None)

    def events_for(self, requirement: Requirement) -> tuple[Event | None, ...]:
        """Return the events a requirement is judged for one by one; `(None,)` if it is judged once."""
        if requirement.each is None:
            return (None,)
        return tuple(e for e in self if SELECTORS[requirement.each](e))

    def is_judged_for(self, name: str, event: str) -> bool:
        """Say whether a requirement is one that is judged for an event by itself."""
        requirement = self.requirements.get(name)
        return requirement is not None and any(each and each.name == event for each in self.events_for(requirement))


@cache
def definitions() -> Mapping[str, Any]:
    """Return every file of definitions by its name, e.g. ``"token.json"``; the schemas are made of them."""
    folder = DATA / "definitions"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".json"))
    return MappingProxyType({name: _json(f"definitions/{name}") for name in names})


@cache
def http_side() -> Mapping[str, Any]:
    """Return the OpenAPI 3.1 description of the HTTP side, section 16 of the protocol."""
    return MappingProxyType(_json("http.openapi.json"))


@cache
@cache
def resolve(reference: str, within: str = "") -> tuple[Any, str]:
    """Follow ``file.json#/$defs/Name``; a reference that starts with ``#`` stays `within` its file.

    Returns the definition and the name of its file.
    """
    file, _, pointer = reference.partition("#")
    file = file or within
    return at(definitions()[file], pointer), file


@cache
def examples(
    event: str,
    kind: Literal["valid", "invalid"],
    direction: Literal["request", "ack", "emission"] = "request",
) -> Mapping[str, Any]:
    """Return an event's examples in order of names: the one fault, or what is special, of each."""
    folder = DATA / "examples" / event.replace(":", "-") / kind
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(f"{direction}."))
    return {
        name.removeprefix(f"{direction}.").removesuffix(".json"): json.loads((folder / name).read_text("utf-8"))
        for name in found
    }


def _requirement(row: Mapping[str, Any]) -> Requirement:
    return Requirement(side=row.get("for", "server"), **{name: value for name, value in row.items() if name != "for"})


def _definition(reference: str) -> Any:
    return resolve(reference)[0]


def _json(path: str) -> Any:
    return json.loads((DATA / path).read_text("utf-8"))

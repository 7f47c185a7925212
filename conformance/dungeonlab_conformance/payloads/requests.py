"""Valid requests, built from the examples of the specification. Pure: sends nothing, and knows no stage."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from dungeonlab_conformance.payloads.ids import ids_of, with_ids
from dungeonlab_conformance.record.marks import new_mark
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.text.tree import copied, replaced
from dungeonlab_spec import Event
from dungeonlab_spec.catalogue import examples
from dungeonlab_spec.pointer import at, keys

_ACTORS = itertools.count(1)


def needed_ids(event: Event) -> frozenset[str]:
    """Return the names of the ids that the smallest valid request of an event holds."""
    return frozenset(ids_of(examples(event.name, "valid")["minimal"]))


def valid_request(event: Event, ids: Mapping[str, str], *, full: bool = False) -> Request:
    """Return the smallest valid request of an event, or a `full` one, with a mark of its own.

    `ids` holds the session's id, and each that the event needs, by name, and those that it may have. A full one has
    each optional property that the largest example has, but hides no token, and holds no data that a later request may
    be mixed up with.
    """
    payload = with_ids(event, copied(examples(event.name, "valid")["minimal"]), ids)
    if full:
        payload = _filled(event.name, payload)
        payload |= {name: ids[name] for name in examples(event.name, "valid").get("full", {}) if name in ids}
        for key in {"token", "updates"} & payload.keys():
            payload[key] |= {"isVisible": True, "data": {}}
    mark: str | int | None = None
    if event.mark == "/tokenId":
        mark = ids["tokenId"]
    elif event.mark:
        mark = new_mark(at(payload, event.mark))
        payload = replaced(payload, keys(event.mark), mark)
    return Request(event.name, (payload,), mark, ids["sessionId"])


def profile_request(user: str | None = None) -> Request:
    """Return the request for a user's profile, or for the sender's own. No session is needed for it."""
    return Request("get-user-data", ({"userId": user} if user else {},), None, None)


def in_full(request: Request) -> Request:
    """Return a request with each optional property that its largest example has, for what gets lost on the way."""
    return dataclasses.replace(request, args=(_filled(request.event, request.args[0]),))


def _filled(event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    known = examples(event, "valid")
    full, filled = copied(known.get("full", known["minimal"])), dict(payload)
    for key in {"token", "updates", "position"} & filled.keys():
        actor = {"actorId": new_actor()} if "actorId" in full[key] else {}
        filled[key] = full[key] | actor | filled[key]
    return filled


def new_actor() -> str:
    """Return the id of an actor for whom there is no token yet."""
    return f"actor-{next(_ACTORS)}"


def edge_payloads(event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the valid examples but those of ids, and the longest name once more in letters of four bytes each."""
    for name, payload in examples(event.name, "valid").items():
        if "Id" not in name and name != "unknown-property":
            yield name, copied(payload)
        if name.endswith("-name-longest"):
            wide = copied(payload)
            holder = wide.get("token", wide.get("updates"))
            holder["name"] = "\N{DRAGON}" * len(holder["name"])
            yield f"{name}, of four bytes a letter,", wide


# Properties of a token that careless code takes for none, or for no valid ones; by their names each is known.
_UNUSUAL: Mapping[str, Mapping[str, Any]] = {
    "a blank for its name": {"name": " "},
    "a zero for its name": {"name": "0"},
    "an image within its address": {"name": "Painted", "imageUrl": "data:image/gif;base64,R0lGODlhAQABAAAAACw="},
    "an image that is called by a name": {"name": "Called", "imageUrl": "urn:isbn:0451450523"},
}
_POINTS = {"x": 5.0, "y": 6.0, "elevation": 2.0}  # written so, and integers all the same


def unusual_payloads(event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield payloads that the schema allows and few clients send, by what is unusual; none is part of another."""
    payload = copied(examples(event.name, "valid")["minimal"])
    for key in {"token", "updates"} & payload.keys():
        for what, properties in _UNUSUAL.items():
            yield what, {**payload, key: {**payload[key], **properties}}
    what = "whole numbers that are written with a point"
    if "token" in payload:
        yield what, {**payload, "token": {**payload["token"], "name": "Pointed", "position": _POINTS}}
    if "position" in payload:
        yield what, {**payload, "position": _POINTS}


def adorned(payload: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    """Return a payload with an unknown property in every object, and in a token what a request may not set."""
    claims: dict[str, dict[str, Any]] = {
        "token": {"id": name, "encounterId": name, "version": number, "createdBy": name, "updatedBy": name},
        "updates": {
            "id": name,
            "version": number,
            "createdBy": name,
            "updatedBy": name,
            "encounterId": name,
            "position": {"x": number, "y": number},
            "conditions": [{"name": name}],
            "actorId": name,
        },
        "position": {"z": number},
    }
    objects = {key: value for key, value in payload.items() if isinstance(value, dict) and key != "data"}
    within = {key: {**adorned(value, name, number), **claims.get(key, {})} for key, value in objects.items()}
    lists = {key: [adorned(each, name, number) for each in payload[key]] for key in {"conditions"} & payload.keys()}
    return {**payload, **within, **lists, "unheardOf": {"secret": 1}}

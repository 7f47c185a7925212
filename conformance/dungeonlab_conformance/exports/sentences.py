"""Sentences on a value and on an event, for the comments in exported types. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from dungeonlab_spec import Event

WIDTH = 110  # characters of a line, above which it is broken up
_LONGEST = 40  # characters of a pattern that people read; of longer ones the description says more


def about(schema: Mapping[str, Any]) -> list[str]:
    """Return what a value is, its bounds, and what counts if it is left out."""
    found = [schema["description"]] if "description" in schema else []
    if bounds := list(_bounds(schema)):
        found.append(f"{', '.join(bounds)}.".capitalize())
    if len(schema.get("pattern", "")) in range(1, _LONGEST):
        found.append(f"Matches `{schema['pattern']}`.")
    if "anyOf" in schema:
        found.append(f"At least one of {', '.join(part['required'][0] for part in schema['anyOf'])}.")
    if "default" in schema:
        found.append(f"If left out: `{json.dumps(schema['default'])}`.")
    return found


def about_request(event: Event) -> list[str]:
    """Return what a request is for, and how it may be refused."""
    heard = ["The others in the room hear of it."] if event.is_broadcast else []
    return [event.summary, *heard, f"May be refused with {', '.join(event.refusals)}."]


def about_emission(event: Event) -> list[str]:
    """Return what it means that a server sent an event."""
    caused = ["Broadcast of a request that the server accepted."] if event.is_broadcast else []
    return [event.summary, *caused, *(["Optional: a server need not send it."] if event.optional else [])]


def wrapped(sentence: str) -> list[str]:
    """Return the lines of a sentence; no name and no pattern in it is broken up."""
    return wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("type") == "integer":
        yield "a whole number"
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if least in schema and most in schema:
            yield f"{schema[least]} to {schema[most]}{unit}"
        elif least in schema or most in schema:
            word, limit = ("at least", schema[least]) if least in schema else ("at most", schema[most])
            yield f"{word} {limit}{unit.removesuffix('s') if limit == 1 else unit}"
    if schema.get("uniqueItems"):
        yield "no two items alike"

"""Requests that a correct server refuses, one for each plain reason. Pure: sends nothing, and knows no stage.

The many ways in which a payload can break its schema are `invalid`'s business.
"""

from __future__ import annotations

from dungeonlab_conformance.record.marks import new_mark
from dungeonlab_conformance.record.observation import Request
from dungeonlab_spec import Event


def malformed(event: Event) -> Request:
    """Return a request that no server may accept: a text in place of the object."""
    return Request(event.name, ("not an object",), None, None, legal=False)


def unknown_id(kind: str) -> str:
    """Return an id that nothing of a kind has, such as a session; each call returns another one."""
    return f"no-such-{kind}-{new_mark()[:-1]}"


def for_something_unknown(event: Event, valid: Request) -> Request:
    """Return a valid request changed so that it asks for a session, or else a user, that does not exist."""
    key = "sessionId" if event.scope == "session" or "membership" in event.needs else "userId"
    return valid.with_properties({key: unknown_id(key.removesuffix("Id"))}, mark=None)

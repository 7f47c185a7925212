"""What must hold whatever is played: pure functions from what was seen to what it breaks.

An invariant can only say no. That there was something to look at is shown by a scene of the same requirement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dungeonlab_conformance.content import differences
from dungeonlab_conformance.journal import Journal, Observation
from dungeonlab_conformance.ledger import Ledger
from dungeonlab_conformance.verdict import Broken
from dungeonlab_spec import Catalogue, Violation, validate
from dungeonlab_spec.catalogue import resolve

_SERVER_EVENTS = "broadcasts/server-events-valid"
_PRESENCE = {"user-joined", "user-left", "session-removed"}


@dataclass(frozen=True, slots=True)
class Breach:
    """One observation that breaks one requirement, of one event if the requirement is judged per event."""

    requirement: str
    event: str | None
    broken: Broken
    seen: Observation


def breaches(journal: Journal, ledger: Ledger, catalogue: Catalogue) -> Iterator[Breach]:
    """Hold everything one scene's connections were sent against the catalogue."""
    for seen in journal.observations:
        if seen.act == "is answered":
            yield from _answer(seen, catalogue)
        elif seen.act == "hears" and seen.connection:
            yield from _name(seen, catalogue)
            yield from _emission(seen, journal, ledger, catalogue)


def _answer(seen: Observation, catalogue: Catalogue) -> Iterator[Breach]:
    if seen.event not in catalogue:
        return
    body = seen.args[0] if seen.args else None
    failed = isinstance(body, dict) and (body.get("success") is False or ("success" not in body and "error" in body))
    requirement = "acks/failure-shape" if failed else "acks/success-shape"
    if len(seen.args) != 1:
        yield Breach(requirement, seen.event, Broken("one argument", f"{len(seen.args)}: {seen.args}"), seen)
        return
    for found in validate(seen.event, body, "ack"):
        yield Breach(_secret(found, seen.event) or requirement, _event(found, seen.event), _broken(found), seen)


def _secret(found: Violation, event: str) -> str | None:
    leaked = event == "get-user-data" and found.path.startswith("$.data.user.") and found.expected == "no such property"
    return "direct/no-secrets" if leaked else None


def _event(found: Violation, event: str) -> str | None:
    return None if _secret(found, event) else event


def _name(seen: Observation, catalogue: Catalogue) -> Iterator[Breach]:
    grammar = resolve(catalogue.name)[0]["pattern"]
    if not re.fullmatch(grammar, seen.event):
        yield Breach("names/kebab-case", None, Broken("a kebab-case event name", seen.event), seen)
    if seen.event not in catalogue or catalogue[seen.event].emission is None:
        yield Breach(
            "broadcasts/catalogue-events-only",
            None,
            Broken("only events that the catalogue says a server sends", seen.event),
            seen,
        )


def _emission(seen: Observation, journal: Journal, ledger: Ledger, catalogue: Catalogue) -> Iterator[Breach]:
    event = catalogue.events.get(seen.event)
    if event is None or event.emission is None:
        return
    shape, about = ("broadcasts/valid-payload", event.name) if event.is_broadcast else (_SERVER_EVENTS, None)
    if len(seen.args) != 1:
        yield Breach(shape, about, Broken("one argument", f"{len(seen.args)}: {seen.args}"), seen)
        return
    for found in validate(event.name, seen.args[0], "emission"):
        yield Breach(shape, about, _broken(found), seen)
    if event.is_broadcast:
        yield from _delivery(seen, journal, ledger)
    elif event.name in _PRESENCE:
        yield from _presence(seen, journal)


def _delivery(seen: Observation, journal: Journal, ledger: Ledger) -> Iterator[Breach]:
    body = seen.args[0] if isinstance(seen.args[0], dict) else {}
    cause = ledger.cause(seen)
    if cause is None:
        if ledger.is_ours(body.get("sessionId")):
            expected = f"every {seen.event} to be caused by a request"
            yield Breach("broadcasts/caused-by-a-request", seen.event, Broken(expected, f"{body}"), seen)
        return
    for key, requirement, true in (
        ("userId", "broadcasts/true-sender", cause.user),
        ("sessionId", "broadcasts/true-session", cause.session),
    ):
        if key in body and body[key] != true:
            claimed = f"{body[key]!r}"
            yield Breach(requirement, seen.event, Broken(f"{true!r}", claimed, f"$.{key}"), seen)
    if cause.fate == "accepted" and cause.legal:
        for path, asked, came in differences(cause, seen):
            yield Breach("broadcasts/says-what-was-done", seen.event, Broken(asked, came, path), seen)
    blamed = ledger.blame(seen, cause, journal)
    if blamed is not None:
        requirement, broken = blamed
        yield Breach(requirement, seen.event, broken, seen)


def _presence(seen: Observation, journal: Journal) -> Iterator[Breach]:
    body = seen.args[0] if isinstance(seen.args[0], dict) else {}
    session = body.get("sessionId")
    if any(s.connection == seen.connection and s.session == session for s in journal.seats):
        return
    expected = f"{seen.event} to reach only connections in the session it names"
    yield Breach("presence/right-audience", None, Broken(expected, f"{seen.actor}, who never joined it"), seen)


def _broken(found: Violation) -> Broken:
    return Broken(found.expected, found.got, found.path)

"""Which requirement stands in the way of a scene that could not be prepared: what it waits for. Pure."""

from __future__ import annotations

from dungeonlab_conformance.record.acknowledgement import Acknowledgement, Inferred
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_spec import Catalogue, Event


def no_answer(event: str) -> VerdictKey | None:
    """Return what a server breaks that does not acknowledge a request."""
    return _first(event, "acks/every-token-operation-answers", "acks/every-other-request-answers")


def no_content(answer: Acknowledgement) -> VerdictKey | None:
    """Return what a server breaks whose acceptance of a request does not say what it should, or is not there."""
    event = answer.request.event
    return no_answer(event) if isinstance(answer, Inferred) else _first(event, "acks/success-shape")


def not_accepted(answer: Acknowledgement, *, by_game_master: bool = False) -> VerdictKey | None:
    """Return what a server breaks that refuses a valid request of somebody who may."""
    event = answer.request.event
    if event == "join-session":
        return VerdictKey("join/game-master-admitted" if by_game_master else "join/member-admitted")
    if answer.code == "VALIDATION_ERROR":
        return _first(event, "payloads/valid-accepted")
    allowed = "authorization/game-master-allowed" if by_game_master else "authorization/any-member-allowed"
    return _first(event, allowed, "payloads/valid-accepted")


def not_refused(role: str, event: Event) -> VerdictKey:
    """Return what a server breaks that accepts a request of somebody who plays a role and may not."""
    other = role in ("dave", "carol")
    return VerdictKey(f"authorization/{'member-of-another-session' if other else 'outsider'}-refused", event.name)


def not_heard(event: str) -> VerdictKey | None:
    """Return what a server breaks that does not broadcast an accepted request to a member."""
    return _first(event, "rooms/every-other-member-hears-once")


def heard_by_a_stranger(event: str, *, is_member: bool) -> VerdictKey | None:
    """Return what a server breaks that broadcasts to somebody who never joined, a member or not."""
    return _first(event, f"rooms/{'member-not-joined' if is_member else 'outsider'}-hears-nothing")


def _first(event: str, *requirements: str) -> VerdictKey | None:
    """Return the first of some requirements that is judged for an event; None if none is."""
    judged = (name for name in requirements if Catalogue.load().is_judged_for(name, event))
    return next((VerdictKey(name, event) for name in judged), None)

"""Which requirement stands in the way of a scene that could not be prepared: what it waits for. Pure.

    Unanswered       a request got no answer, from a server that answers others
    Unreadable       a request was answered neither yes nor no

Both are `Unjudged`.
"""

from __future__ import annotations

from dungeonlab_conformance.record.acknowledgement import Acknowledgement, Inferred
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue, Event


class Unanswered(Unjudged):
    """A request with a callback got no answer, from a server that answers other requests meanwhile."""

    def __init__(self, event: str, reason: str) -> None:
        super().__init__(reason, waits_for=no_answer(event))


class Unreadable(Unjudged):
    """A request was answered by something that says neither yes nor no: no object. `came` is the answer."""

    def __init__(self, answer: Acknowledgement) -> None:
        event = answer.request.event
        shape = VerdictKey("acks/success-shape", event)
        super().__init__(f"{event} was answered neither yes nor no: {answer.args}", waits_for=shape)
        self.came = answer


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


def not_heard(event: str, *, by_another_transport: bool = False) -> VerdictKey | None:
    """Return what a server breaks that does not broadcast an accepted request to a member.

    Or to one that has connected over a transport which is not the usual one.
    """
    return _first(event, f"rooms/every-{'transport-hears' if by_another_transport else 'other-member-hears-once'}")


def heard_by_a_stranger(event: str, *, is_member: bool) -> VerdictKey | None:
    """Return what a server breaks that broadcasts to somebody who never joined, a member or not."""
    return _first(event, f"rooms/{'member-not-joined' if is_member else 'outsider'}-hears-nothing")


def avoid_what_is_deadly(target: Target, request: Request, *, uncalled: bool) -> None:
    """Raise `Unjudged` if the server died of such requests before in this run: they are not sent any more.

    `uncalled` if it is sent without a callback.
    """
    broken = target.workarounds.deadly.forbids(request, uncalled=uncalled)
    if broken is not None:
        why = f"the server died of such a {request.event} in other scenes"
        raise Unjudged(why, waits_for=VerdictKey(broken, request.event))


def _first(event: str, *requirements: str) -> VerdictKey | None:
    """Return the first of some requirements that is judged for an event; None if none is."""
    judged = (name for name in requirements if Catalogue.load().is_judged_for(name, event))
    return next((VerdictKey(name, event) for name in judged), None)

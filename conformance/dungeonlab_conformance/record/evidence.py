"""What shows what became of a request besides its acknowledgement. Pure: reads a journal, and judges nothing."""

from __future__ import annotations

from typing import Any

from dungeonlab_conformance.record.acknowledgement import Acknowledgement, Inferred
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import carries
from dungeonlab_conformance.record.observation import Observation, Request, SentRequest


def evidence(journal: Journal, sent: SentRequest) -> Inferred | None:
    """Return what a scene's connections heard of a request: its broadcast, or an error event; None if nothing."""
    found = (shown_by(journal, seen, sent) for seen in journal.observations)
    return next((each for each in found if each is not None), None)


def shown_by(journal: Journal, seen: Observation, sent: SentRequest) -> Inferred | None:
    """Return what one thing that was heard shows of a request; None if nothing."""
    if seen.at < sent.at or seen.act != "hears":
        return None
    if (
        carries(seen, sent)
        and not _is_of_another(journal, seen, sent)
        and not _is_of_an_earlier_one(journal, seen, sent)
    ):
        return Inferred(sent, Arguments(), "accepted", f"{seen.actor} heard it", seen)
    if _refuses(seen, sent):
        return Inferred(sent, Arguments(), "refused", f"{seen.actor} was sent an error event: {seen.args}", seen)
    if _is_all_that_is_left(journal, seen, sent):
        return Inferred(sent, Arguments(), "accepted", f"{seen.actor} heard {sent.actor}'s {sent.event}", seen)
    return None


def _user(seen: Observation) -> Any:
    """Return the user whom a broadcast names; None if it names none."""
    return seen.args[0].get("userId") if seen.args and isinstance(seen.args[0], dict) else None


def _is_of_another(journal: Journal, seen: Observation, sent: SentRequest) -> bool:
    """Whether a broadcast is that of somebody else's request with the same mark, such as one about the same token."""
    user = _user(seen)
    return user != sent.user and any(
        other.user == user and other.at <= seen.at and carries(seen, other) for other in journal.requests
    )


def _is_of_an_earlier_one(journal: Journal, seen: Observation, sent: SentRequest) -> bool:
    """Whether a broadcast is that of a request that was sent before, such as another one about the same token.

    A listener hears as many as were sent since it joined, unless some were refused. Those of other users do not count
    if the broadcasts say whose they are.
    """
    since = max((stay.acked_at or 0.0 for stay in journal.rooms.stays if stay.connection == seen.connection), default=0)
    before = [
        each
        for each in journal.requests
        if each.event == sent.event and each.mark == sent.mark and since <= each.at <= sent.at
        if each.connection != seen.connection and each.outcome != "refused"
    ]
    if len(before) < 2:
        return False
    user = _user(seen)
    if user == sent.user:
        before = [each for each in before if each.user == user]
    heard = [
        each
        for each in journal.heard(seen.connection)
        if since <= each.at <= seen.at and carries(each, sent) and (user != sent.user or _user(each) == user)
    ]
    return len(heard) < len(before)


def _refuses(seen: Observation, sent: SentRequest) -> bool:
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    return seen.event == "error" and seen.connection == sent.connection and body.get("event") == sent.event


def _is_all_that_is_left(journal: Journal, seen: Observation, sent: SentRequest) -> bool:
    """Whether a broadcast must be that of a request without a mark: it says what no other request of its sender did.

    So does that of the one which was sent last, whatever became of its content on the way.
    """
    if sent.mark is not None or seen.event != sent.event or seen.connection == sent.connection:
        return False
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    if sent.user is None or body.get("userId") != sent.user or body.get("sessionId") != sent.session:
        return False
    known = [each for each in journal.requests if each.event == sent.event and each.at <= seen.at]
    before = [each for each in known if each.mark is None and each.user == sent.user]
    if any(carries(seen, each) for each in known):
        return False
    return before[-1:] == [sent] or [each for each in before if _says(body, _body(each))] == [sent]


def _body(request: Request) -> Any:
    return request.args[0] if request.args else None


def _says(said: Any, asked: Any) -> bool:
    """Whether a broadcast says all that a request did, at every level; it may say more."""
    if isinstance(said, dict) and isinstance(asked, dict):
        return all(key in said and _says(said[key], value) for key, value in asked.items())
    return bool(said == asked)


def was_denied(journal: Journal, request: Request) -> bool:
    """Whether a request was acknowledged, and refused, as far as has come."""
    seen = (o for o in journal.observations if o.act == "is answered" and o.request is request)
    answers = (Acknowledgement(request, each.args) for each in seen)
    return any(answer.readable and not answer.accepted for answer in answers)


def was_refused(journal: Journal, connection: int) -> bool:
    """Whether a connection was refused anything: a server may end it for that, even a moment later."""
    seen = [o for o in journal.observations if o.connection == connection]
    answers = (Acknowledgement(Request("", (), None, None), o.args) for o in seen if o.act == "is answered")
    return any(o.act == "hears" and o.event == "error" for o in seen) or any(not a.accepted for a in answers)

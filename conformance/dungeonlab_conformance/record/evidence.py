"""What shows what became of a request besides its acknowledgement. Pure: reads a journal, and judges nothing."""

from __future__ import annotations

from dungeonlab_conformance.record.acknowledgement import Inferred
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import carries
from dungeonlab_conformance.record.observation import Observation, SentRequest


def evidence(journal: Journal, sent: SentRequest) -> Inferred | None:
    """Return what a scene's connections heard of a request: its broadcast, or an error event; None if nothing."""
    found = (shown_by(journal, seen, sent) for seen in journal.observations)
    return next((each for each in found if each is not None), None)


def shown_by(journal: Journal, seen: Observation, sent: SentRequest) -> Inferred | None:
    """Return what one thing that was heard shows of a request; None if nothing."""
    if seen.at < sent.at or seen.act != "hears":
        return None
    if carries(seen, sent) and not _is_of_another(journal, seen, sent) and not _was_heard_before(journal, seen, sent):
        return Inferred(sent, Arguments(), "accepted", f"{seen.actor} heard it", seen)
    if _refuses(seen, sent):
        return Inferred(sent, Arguments(), "refused", f"{seen.actor} was sent an error event: {seen.args}", seen)
    if _is_all_that_is_left(journal, seen, sent):
        return Inferred(sent, Arguments(), "accepted", f"{seen.actor} heard {sent.actor}'s {sent.event}", seen)
    return None


def _is_of_another(journal: Journal, seen: Observation, sent: SentRequest) -> bool:
    """Whether a broadcast is that of somebody else's request with the same mark, such as one about the same token."""
    user = seen.args[0].get("userId") if seen.args and isinstance(seen.args[0], dict) else None
    return user != sent.user and any(
        other.user == user and other.at <= seen.at and carries(seen, other) for other in journal.requests
    )


def _was_heard_before(journal: Journal, seen: Observation, sent: SentRequest) -> bool:
    """Whether others heard the very same before the request was sent: of an earlier one about the same token."""
    return any(
        other.at < sent.at and other.event == seen.event and other.args == seen.args for other in journal.heard()
    )


def _refuses(seen: Observation, sent: SentRequest) -> bool:
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    return seen.event == "error" and seen.connection == sent.connection and body.get("event") == sent.event


def _is_all_that_is_left(journal: Journal, seen: Observation, sent: SentRequest) -> bool:
    """Whether a broadcast must be that of a request without a mark: it says what no other request of its sender did."""
    if sent.mark is not None or seen.event != sent.event or seen.connection == sent.connection:
        return False
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    if sent.user is None or body.get("userId") != sent.user or body.get("sessionId") != sent.session:
        return False
    known = [each for each in journal.requests if each.event == sent.event and each.at <= seen.at]
    before = [each for each in known if each.mark is None and each.user == sent.user]
    return before[-1:] == [sent] and not any(carries(seen, each) for each in known)

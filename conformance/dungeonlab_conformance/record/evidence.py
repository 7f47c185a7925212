"""What shows what became of a request besides its acknowledgement. Pure: reads a journal, and judges nothing."""

from __future__ import annotations

from dungeonlab_conformance.record.acknowledgement import Inferred
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import carries
from dungeonlab_conformance.record.observation import Observation, SentRequest


def evidence(journal: Journal, sent: SentRequest) -> Inferred | None:
    """Return what a scene's connections heard of a request: its broadcast, or an error event; None if nothing."""
    for seen in journal.observations:
        if seen.at < sent.at or seen.act != "hears":
            continue
        if carries(seen, sent) and not _is_of_another(journal, seen, sent):
            return Inferred(sent, Arguments(), "accepted", f"{seen.actor} heard it", seen)
        if _refuses(seen, sent):
            return Inferred(sent, Arguments(), "refused", f"{seen.actor} was sent an error event: {seen.args}", seen)
    return None


def _is_of_another(journal: Journal, seen: Observation, sent: SentRequest) -> bool:
    """Whether a broadcast is that of somebody else's request with the same mark, such as one about the same token."""
    user = seen.args[0].get("userId") if seen.args and isinstance(seen.args[0], dict) else None
    return user != sent.user and any(
        other.user == user and other.at <= seen.at and carries(seen, other) for other in journal.requests
    )


def _refuses(seen: Observation, sent: SentRequest) -> bool:
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    return seen.event == "error" and seen.connection == sent.connection and body.get("event") == sent.event

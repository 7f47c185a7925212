"""The answers of a scene, each with the request that it belongs to, as that was sent. Pure; judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, SentRequest


@dataclass(frozen=True, slots=True)
class Answered:
    """One request, and the observation that is its answer."""

    sent: SentRequest
    answer: Acknowledgement
    seen: Observation

    @property
    def done(self) -> bool:
        """Whether a valid request was accepted: what it says of itself can be relied on."""
        return self.sent.legal and self.answer.accepted


def answers(journal: Journal) -> Iterator[Answered]:
    """Yield what was answered, in the order of the answers; of a request sent twice, the last time alone."""
    for seen in journal.observations:
        if seen.act == "is answered" and seen.request is not None:
            sent = journal.last_sent(seen.request)
            if sent is not None and sent.answered_at == seen.at:
                yield Answered(sent, Acknowledgement(seen.request, seen.args), seen)

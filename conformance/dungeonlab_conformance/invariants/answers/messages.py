"""Whether the answer to a chat message and its broadcasts name one and the same message, and no other. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dungeonlab_conformance.invariants.answers.answered import Answered, answers
from dungeonlab_conformance.invariants.answers.moments import same_moment
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken

CHAT = "chat-message"
_Key = tuple[str | None, str | int]  # the session and the mark of a message


def messages(journal: Journal, ledger: Ledger) -> Iterator[tuple[Observation, Found]]:
    """Yield each answer to a message that says what its broadcasts, or the answers to other messages, contradict."""
    said = [each for each in answers(journal) if each.sent.event == CHAT and each.done]
    yield from _repeated(said)
    by_mark: dict[_Key, list[Answered]] = {}
    for each in said:
        if each.sent.mark is not None:
            by_mark.setdefault((each.sent.session, each.sent.mark), []).append(each)
    sent = Counter((request.session, request.mark) for request in journal.requests if request.event == CHAT)
    for seen in journal.heard():
        attribution = ledger.attribution(seen) if seen.event == CHAT else None
        request = attribution.request if attribution else None
        if request is None or not request.legal or request.mark is None or request.outcome != "accepted":
            continue
        known = by_mark.get((request.session, request.mark), [])
        if known and len(known) == sent[request.session, request.mark]:
            yield from _disagreement(seen, known)


def _disagreement(seen: Observation, known: list[Answered]) -> Iterator[tuple[Observation, Found]]:
    """Compare a broadcast with the answers of all messages that it may be about: one has to agree with it."""
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    for key in ("messageId", "timestamp"):
        came, answered = body.get(key), [each.answer.data.get(key) for each in known]
        named = [text for text in answered if isinstance(text, str)]
        if not isinstance(came, str) or len(named) < len(answered):
            continue  # a matter of shape
        if not any(text == came or (key == "timestamp" and same_moment(text, came)) for text in named):
            broken = Broken(f"{quoted(named[0])}, as acknowledged", quoted(came), f"$.{key}", request=known[0].sent)
            yield seen, ("chat/answer-and-broadcast-agree", None, broken)


def _repeated(said: list[Answered]) -> Iterator[tuple[Observation, Found]]:
    first: dict[tuple[str | None, str], Answered] = {}
    for each in said:
        named = each.answer.data.get("messageId")
        if not isinstance(named, str):
            continue
        if first.setdefault((each.sent.session, named), each) is not each:
            broken = Broken("an id that no other message of the session has", quoted(named), "$.data.messageId")
            yield each.seen, ("chat/message-ids-differ", None, broken)

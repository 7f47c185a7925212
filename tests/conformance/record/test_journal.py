"""What the journal keeps of a request each time that it is sent."""

from __future__ import annotations

import itertools

import pytest

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request


@pytest.fixture
def journal() -> Journal:
    """Return a journal in which each look at the clock is a second."""
    seconds = itertools.count()
    return Journal(lambda: float(next(seconds)))


def test_what_becomes_known_takes_the_place_of_what_was_known(journal: Journal) -> None:
    """The value that was there before does not change, nor does the request."""
    request = Request("chat-message", ({"message": "hello"},), None, "s")
    sent = journal.sent(request, "alice", "a", 1)
    answered = journal.answered(request, 5.0, accepted=False)
    assert (sent.outcome, sent.answered_at) == ("unknown", 0.0)
    assert (answered.number, answered.at, answered.outcome, answered.answered_at) == (sent.number, 1.0, "refused", 5.0)
    assert list(journal.requests) == [answered]
    assert journal.last_sent(request) is answered


def test_what_is_sent_twice_is_there_twice(journal: Journal) -> None:
    """It has the outcome it had; once it was accepted, a refusal of the second makes no difference."""
    request = Request("chat-message", ({},), None, None)
    for connection, accepted in ((1, False), (2, True), (3, False)):
        journal.sent(request, "alice", "a", connection)
        journal.answered(request, 9.0, accepted=accepted)
    journal.sent(request, "alice", "a", 4)
    assert [(sent.connection, sent.outcome) for sent in journal.requests] == [
        (1, "refused"),
        (2, "accepted"),
        (3, "accepted"),
        (4, "accepted"),
    ]


def test_two_requests_that_say_the_same_are_two(journal: Journal) -> None:
    """What became of one says nothing of the other."""
    one, other = (Request("chat-message", ({},), None, None) for _ in range(2))
    journal.sent(one, "alice", "a", 1)
    journal.answered(one, 9.0, accepted=True)
    assert (journal.outcome(one), journal.outcome(other)) == ("accepted", "unknown")
    assert journal.last_sent(other) is None


def test_what_no_answer_will_say_may_be_known_beforehand(journal: Journal) -> None:
    """Such as that a request is refused which is sent without a callback."""
    request = Request("chat-message", ({},), None, None)
    assert journal.sent(request, "mallory", "m", 1, outcome="refused").outcome == "refused"
    assert journal.outcome(request) == "refused"


def test_a_request_with_other_properties_is_another(journal: Journal) -> None:
    """The first one says what it said."""
    request = Request("token:move", ({"tokenId": "k", "x": 1},), "k", "s")
    other = request.with_properties({"tokenId": "no-such-token"}, mark=None, legal=False)
    assert request.args == ({"tokenId": "k", "x": 1},)
    assert (other.args, other.mark, other.legal, other.session) == (
        ({"tokenId": "no-such-token", "x": 1},),
        None,
        False,
        "s",
    )

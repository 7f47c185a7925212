"""Which request an event answers, where a server answers by events."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from dungeonlab_conformance.invariants.breaches import breaches
from dungeonlab_conformance.invariants.deliveries.ledger import Ledger
from dungeonlab_conformance.invariants.dialect import deviations
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.target.dialect.event_answers import EventAnswers, tells_of_others
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent, Dialect, Shape
from dungeonlab_spec import Catalogue

CREATED = AnswerByEvent("token:created", "encounter:error")
ENTERED = AnswerByEvent("entered", "oops")
DELETED = AnswerByEvent("token:deleted", "encounter:error")
MOVED = AnswerByEvent("token:moved", "encounter:error")


class Ours(EventAnswers):
    """Which of our requests were answered, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[Request] = []

    def ask(self, mark: str | None, how: AnswerByEvent = CREATED) -> Request:
        request = Request("token:create", (), mark, None)
        self.expect(request, how, lambda *_, **__: self.answered.append(request))
        return request

    def tell(self, event: str, how: AnswerByEvent = CREATED) -> None:
        self.expect(Request(event, (), None, None), how, None)

    def hear(self, name: str, *args: Any, of_others: bool = False, refused: str | None = None) -> bool:
        found = self.take(name, args, lambda _, marked: of_others and not marked, refused)
        if found is None or found.answered is None:
            return False
        found.answered(*args, name=name)
        return True


def test_an_event_answers_the_request_whose_mark_it_carries() -> None:
    """Whichever was sent first; without a mark it is the first, and each is answered once."""
    ours = Ours()
    one, two, three = ours.ask("mark-a-1."), ours.ask("mark-a-2."), ours.ask(None)
    assert ours.hear("token:created", {"token": {"name": "mark-a-2."}})
    assert ours.hear("encounter:error", {"error": "no"})
    assert ours.hear("token:created", {})
    assert ours.answered == [two, one, three]
    assert not ours.hear("token:created", {})


def test_an_event_that_comes_twice_answers_once() -> None:
    """Neither another request about the same token, nor one without a mark; a refusal may say the same twice."""
    ours = Ours()
    one, two, three, four = (ours.ask(mark) for mark in ("7", "7", None, None))
    first, second = ({"token": {"id": "7", "version": version}} for version in (1, 2))
    assert [ours.hear("token:created", each) for each in (first, first, second, second)] == [True, False, True, False]
    assert [ours.hear("encounter:error", {}) for _ in range(2)] == [True, True]
    assert ours.answered == [one, two, three, four]


def test_what_tells_of_somebody_elses_request_is_no_answer() -> None:
    """It is heard as what it is; so is an event that answers nothing which was asked."""
    ours = Ours()
    own = ours.ask("mark-a-1.")
    assert not ours.hear("token:created", {"token": {"name": "mark-b-1."}}, of_others=True)
    assert not ours.hear("token:moved", {})
    assert ours.hear("token:created", {"token": {"name": "mark-a-1."}}, of_others=True)
    assert ours.answered == [own]


@pytest.mark.parametrize("answered", [False, True])
def test_a_request_sent_elsewhere_is_heard_here_once(*, answered: bool) -> None:
    """Also after it was answered there; if that was before this connection joined, it is not to come here."""
    journal = Journal()
    echoes = [({"token": {"name": f"mark-a-{number}."}},) for number in (1, 2)]
    before, since = (Request("token:update", (), f"mark-a-{number}.", "s") for number in (1, 2))
    for request in (before, since):
        journal.sent(request, "bob", "b", 1)
    journal.answered(before, journal.clock(), accepted=True)
    journal.rooms.joined(journal.rooms.join_asked(2, "s"))
    if answered:
        journal.answered(since, journal.clock(), accepted=True)
    is_of_others = partial(
        tells_of_others, refused=None, user="a", connection=2, journal=journal, event="token:update", marked=False
    )
    assert [is_of_others(echo) for echo in echoes] == [False, True]
    journal.write("alice", 2, "hears", "token:update", echoes[1])
    assert not is_of_others(echoes[1])


@pytest.mark.parametrize("answered", [False, True])
def test_whose_change_of_a_token_it_is_shows_without_a_mark(*, answered: bool) -> None:
    """By whom it names, if one of theirs is to come still; else by what was answered elsewhere already."""
    journal = Journal()
    theirs = Request("token:update", ({"tokenId": "7", "updates": {"isVisible": True}},), None, "s")
    journal.rooms.joined(journal.rooms.join_asked(2, "s"))
    journal.sent(theirs, "bob", "b", 1)
    if answered:
        journal.answered(theirs, journal.clock(), accepted=True)
    is_of_others = partial(
        tells_of_others, refused=None, user="a", connection=2, journal=journal, event="token:update", marked=False
    )
    by_bob, by_alice, by_nobody, another = (
        ({"token": {"id": token, "updatedBy": user} if user else {"id": token}},)
        for token, user in (("7", "b"), ("7", "a"), ("7", None), ("8", "b"))
    )
    assert is_of_others(by_bob)
    assert not is_of_others(by_alice)
    assert is_of_others(by_nobody) is answered
    assert not is_of_others(another)
    journal.write("alice", 2, "hears", "token:update", by_bob)
    assert not is_of_others(by_bob)


def test_two_may_ask_for_the_same() -> None:
    """Which of the two an event answers is said by its user, however often they do; a wrong name alone says nothing."""
    journal = Journal()
    for connection, user in enumerate(("alice", "bob"), 1):
        journal.sent(Request("token:delete", (), "7", "s"), user, user, connection)
    journal.rooms.joined(journal.rooms.join_asked(1, "s"))
    for _ in range(2):
        for user, is_of_others in (("alice", False), ("bob", True), ("carol", False)):
            deleted = ({"tokenId": "7", "userId": user},)
            assert tells_of_others(deleted, None, 1, "alice", journal, "token:delete", marked=True) == is_of_others
            journal.write("alice", 1, "hears", "token:delete", deleted)
    assert not tells_of_others(({"tokenId": "7"},), None, 1, "alice", journal, "token:delete", marked=True)


def test_a_refusal_that_reaches_everybody_is_none_of_what_others_asked_for() -> None:
    """It names a request that only another connection sent; one that nobody sent is named wrongly, and may be ours."""
    journal = Journal()
    for connection, event in enumerate(("token:create", "chat-message"), 1):
        journal.sent(Request(event, (), None, "s"), "somebody", f"user {connection}", connection)
    for refused, is_of_others in (
        ("token:create", False),
        ("chat-message", True),
        ("token:move", False),
        (None, False),
    ):
        error = ({"error": "no", "event": refused},)
        found = tells_of_others(error, refused, 1, "user 1", journal, "token:create", marked=False)
        assert found == is_of_others


def test_a_late_answer_has_to_carry_the_mark() -> None:
    """Otherwise it answers what was asked since."""
    ours = Ours()
    late, silent = ours.ask("mark-a-1."), ours.ask(None)
    ours.give_up(late)
    ours.give_up(silent)
    now = ours.ask(None, MOVED)
    assert ours.hear("encounter:error", {})
    assert ours.hear("token:created", "mark-a-1.")
    assert ours.answered == [now, late]
    assert not ours.hear("token:created", {})


def test_what_answers_a_request_that_nobody_waits_for_answers_no_other() -> None:
    """It was sent before, or is named; once a later request was answered, nothing of it is to come any more."""
    ours = Ours()
    ours.tell("token:create")
    first = ours.ask(None)
    assert not ours.hear("encounter:error", {})
    assert ours.hear("encounter:error", {})
    second = ours.ask(None)
    ours.tell("token:move", MOVED)
    assert not ours.hear("encounter:error", {}, refused="token:move")
    ours.tell("token:move", MOVED)
    third = ours.ask("mark-a-3.")
    assert ours.hear("token:created", {"token": {"name": "mark-a-3."}})
    fourth = ours.ask(None, MOVED)
    assert ours.hear("encounter:error", {}, refused="token:create")
    assert ours.hear("token:moved", {})
    assert ours.answered == [first, third, second, fourth]


def test_the_id_of_a_token_is_looked_for_where_tokens_are_named() -> None:
    """One that names another token is no answer, whatever other id is the same."""
    ours = Ours()
    own = ours.ask("7", DELETED)
    assert not ours.hear("token:deleted", {"sessionId": "7", "tokenId": "8"}, of_others=True)
    assert ours.hear("token:deleted", {"sessionId": "7", "tokenId": "7"}, of_others=True)
    assert ours.answered == [own]


def test_an_event_that_answers_what_nobody_waits_for_is_known_as_that() -> None:
    """Of a request without a callback, or one that was given up: it is not sent of the server's own accord."""
    ours = Ours()
    ours.tell("join-session", ENTERED)
    late = ours.ask(None, ENTERED)
    ours.give_up(late)
    for asked in ("join-session", "token:create"):
        found = ours.take("entered", ({"sessionId": "s"},), lambda *_: False)
        assert found is not None
        assert (found.request.event, found.answered) == (asked, None)
    assert ours.take("entered", (), lambda *_: False) is None
    journal = Journal()
    for request in (late, None):
        journal.write("alice", 1, "hears", "entered", (), request)
    found_by = breaches(journal, Ledger([journal]), Catalogue.load())
    assert [(each.requirement, each.seen.request) for each in found_by] == [("broadcasts/catalogue-events-only", None)]


@pytest.mark.parametrize(
    ("said", "refused"),
    [({"event": "createToken"}, "token:create"), ({"event": 5}, None), ({"event": "none"}, "none"), ("no", None)],
)
def test_an_error_says_which_request_it_refuses(said: object, refused: str | None) -> None:
    """By the protocol's name, whatever the server calls the error and the request."""
    for broadcasts in ({}, {"error": "encounter:error"}):
        dialect = Dialect(events={"token:create": "createToken"}, broadcasts=broadcasts)
        assert dialect.refused("encounter:error", (said,)) == refused


SPOKEN = Dialect(
    broadcasts={"token:create": "token:created"},
    answers={"token:create": CREATED, "token:move": MOVED, "chat-message": "none"},
    ack=Shape({"message": "error"}),
    codes={"NO": "PERMISSION_DENIED"},
    emissions={"token:create": Shape({"tokenData": "token"})},
)


def test_an_event_is_put_as_the_acknowledgement_that_it_stands_for() -> None:
    """Without what broadcasts have besides; what nobody knows stays, and is found."""
    echo = {"sessionId": "s", "encounterId": "e", "userId": "u", "timestamp": "t", "tokenData": {"id": 1}, "x": 1}
    assert SPOKEN.acknowledgement("token:create", CREATED, "token:created", (echo,)) == (
        {"success": True, "data": {"token": {"id": 1}, "x": 1}},
    )
    assert SPOKEN.acknowledgement("token:move", MOVED, "token:moved", ({"tokenId": "t", "userId": "u"},)) == (
        {"success": True, "data": {"tokenId": "t"}},
    )
    assert SPOKEN.acknowledgement("token:create", CREATED, "token:created", ()) == ({"success": True, "data": {}},)
    assert SPOKEN.acknowledgement("token:create", CREATED, "token:created", ("t",)) == ({"success": True, "data": "t"},)


def test_an_error_is_put_as_the_refusal_that_it_stands_for() -> None:
    """With the protocol's names and code; a bare text is the reason."""
    said = {"event": "token:create", "message": "no", "code": "NO"}
    assert SPOKEN.acknowledgement("token:create", CREATED, "encounter:error", (said,)) == (
        {"success": False, "error": "no", "code": "PERMISSION_DENIED"},
    )
    assert SPOKEN.acknowledgement("token:create", CREATED, "encounter:error", ("no",)) == (
        {"success": False, "error": "no"},
    )


def test_how_a_request_is_answered_can_be_asked() -> None:
    """By events, never, or by an acknowledgement as the protocol has it."""
    assert SPOKEN.answer_to("token:create") == CREATED
    assert SPOKEN.answer_to("chat-message") == "none"
    assert SPOKEN.answer_to("join-session") is None


def test_an_event_in_place_of_an_acknowledgement_is_one_difference() -> None:
    """Whatever it says; that its shape is another is no second one."""
    journal = Journal()
    echo = ({"tokenData": {}, "userId": "u"},)
    said = SPOKEN.acknowledgement("token:create", CREATED, "token:created", echo)
    journal.write("alice", 1, "is answered", "token:create", said, wire=("token:created", echo))
    [deviation] = deviations(SPOKEN, journal.observations)
    assert (deviation.requirement, deviation.event) == ("acks/every-token-operation-answers", "token:create")
    assert deviation.broken.got == "an event is the answer: token:created"

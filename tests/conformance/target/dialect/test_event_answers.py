"""Which request an event answers, where a server answers by events."""

from __future__ import annotations

from typing import Any

import pytest

from dungeonlab_conformance.invariants.dialect import deviations
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.target.dialect.event_answers import EventAnswers, is_sent_elsewhere
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent, Dialect, Shape

CREATED = AnswerByEvent("token:created", "encounter:error")
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

    def hear(self, name: str, *args: Any, of_others: bool = False) -> bool:
        found = self.take(name, args, lambda _: of_others)
        if found is not None:
            found(*args, name=name)
        return found is not None


def test_an_event_answers_the_request_whose_mark_it_carries() -> None:
    """Whichever was sent first; without a mark it is the first, and each is answered once."""
    ours = Ours()
    one, two, three = ours.ask("mark-a-1."), ours.ask("mark-a-2."), ours.ask(None)
    assert ours.hear("token:created", {"token": {"name": "mark-a-2."}})
    assert ours.hear("encounter:error", {"error": "no"})
    assert ours.hear("token:created", {})
    assert ours.answered == [two, one, three]
    assert not ours.hear("token:created", {})


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
    assert [is_sent_elsewhere(echo, "token:update", 2, journal) for echo in echoes] == [False, True]
    journal.write("alice", 2, "hears", "token:update", echoes[1])
    assert not is_sent_elsewhere(echoes[1], "token:update", 2, journal)


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

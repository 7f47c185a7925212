"""What became of a request is known by whatever shows it, on hand-written journals."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.record.evidence import evidence, was_denied
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request


def message(mark: str = "mark-a-1.") -> Request:
    return Request("chat-message", ({"sessionId": "s", "message": mark},), mark, "s")


def test_a_broadcast_shows_that_a_request_was_accepted() -> None:
    """Of anybody who hears it, the sender too; and it says what the answer would have said."""
    journal = Journal()
    sent = journal.sent(message(), "alice", "u1", 1)
    assert evidence(journal, sent) is None
    journal.write("bob", 2, "hears", "chat-message", ({"userId": "u1", "message": "mark-a-1.", "messageId": "m"},))
    found = evidence(journal, sent)
    assert found is not None
    assert found.accepted
    assert found.data["messageId"] == "m"
    assert "bob heard it" in found.shown


def test_what_was_heard_before_is_no_evidence() -> None:
    """A request that is sent again is not accepted because it was the first time."""
    journal = Journal()
    journal.write("bob", 2, "hears", "chat-message", ({"userId": "u1", "message": "mark-a-1."},))
    assert evidence(journal, journal.sent(message(), "alice", "u1", 1)) is None


def test_an_error_event_shows_that_a_request_was_refused() -> None:
    """One that names the request's event, on the connection of its sender."""
    journal = Journal()
    sent = journal.sent(message(), "alice", "u1", 1)
    error = {"event": "chat-message", "error": "no", "code": "NOT_JOINED"}
    journal.write("bob", 2, "hears", "error", (error,))
    journal.write("alice", 1, "hears", "error", ({**error, "event": "token:move"},))
    assert evidence(journal, sent) is None
    journal.write("alice", 1, "hears", "error", (error,))
    found = evidence(journal, sent)
    assert found is not None
    assert not found.accepted
    assert found.data == {}
    assert found.code == "NOT_JOINED"


@pytest.mark.parametrize(
    ("answer", "denied"), [({"success": False, "code": "NOT_JOINED"}, True), ({"success": True}, False), ("no", False)]
)
def test_an_answer_that_says_no_denies_a_request(answer: object, denied: bool) -> None:
    """Not one that says yes, nor one that cannot be read, nor that to another request."""
    journal = Journal()
    request = message()
    journal.write("alice", 1, "sends", request.event, request.args, request)
    journal.write("alice", 1, "is answered", request.event, ({"success": False},), message())
    assert not was_denied(journal, request)
    journal.write("alice", 1, "is answered", request.event, (answer,), request)
    assert was_denied(journal, request) is denied


def test_what_somebody_else_did_to_the_same_token_is_no_evidence() -> None:
    """A broadcast that names another user, who asked for the same, is that user's."""
    journal = Journal()
    deletion = ({"sessionId": "s", "tokenId": "t1"},)
    sent = journal.sent(Request("token:delete", deletion, "t1", "s"), "mallory", "u3", 3)
    journal.sent(Request("token:delete", deletion, "t1", "s"), "alice", "u1", 1)
    journal.write("bob", 2, "hears", "token:delete", ({"userId": "u1", "tokenId": "t1"},))
    assert evidence(journal, sent) is None


def test_what_was_heard_already_is_of_an_earlier_request_about_the_same_token() -> None:
    """What reaches carol late is the same that bob heard before the request was sent a second time."""
    journal = Journal()
    move = Request("token:move", ({"tokenId": "t1"},), "t1", "s")
    first = ({"userId": "u1", "tokenId": "t1", "version": 2},)
    journal.sent(move, "alice", "u1", 1)
    journal.write("bob", 2, "hears", "token:move", first)
    sent = journal.sent(move, "alice", "u1", 1)
    journal.write("carol", 3, "hears", "token:move", first)
    assert evidence(journal, sent) is None
    journal.write("carol", 3, "hears", "token:move", ({**first[0], "version": 3},))
    found = evidence(journal, sent)
    assert found is not None
    assert found.data["version"] == 3


def test_what_no_other_request_said_is_that_of_one_without_a_mark() -> None:
    """If it names the sender's user and session, and this request was the sender's last of the kind."""
    journal = Journal()
    journal.sent(message(), "alice", "u1", 1)
    sent = journal.sent(Request("chat-message", ({"sessionId": "s"},), None, "s", legal=False), "alice", "u1", 1)
    body = {"userId": "u1", "sessionId": "s", "message": "undefined"}
    for other in ({"message": "mark-a-1."}, {"userId": "u2"}, {"sessionId": "r"}):
        journal.write("bob", 2, "hears", "chat-message", ({**body, **other},))
    assert evidence(journal, sent) is None
    journal.write("bob", 2, "hears", "chat-message", (body,))
    found = evidence(journal, sent)
    assert found is not None
    assert found.accepted


def test_of_requests_without_marks_that_were_sent_at_once_each_is_known_by_what_it_says() -> None:
    """Where two say the same, neither is: one of them may have been refused."""
    journal = Journal()
    said = ("true", "0", "0", "null")
    sent = [
        journal.sent(Request("chat-message", ({"sessionId": "s", "message": text},), None, "s"), "alice", "u1", 1)
        for text in said
    ]
    for text in ("true", "0"):
        heard = {"userId": "u1", "sessionId": "s", "message": text, "messageId": f"m-{text}"}
        journal.write("bob", 2, "hears", "chat-message", (heard,))
    assert [evidence(journal, each) is not None for each in sent[:-1]] == [True, False, False]

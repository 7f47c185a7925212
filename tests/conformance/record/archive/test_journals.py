"""A journal comes back from JSON as it was; what is none is refused."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.arbitrary import TEXTS, VALUES, quickly
from tests.conformance.written import Written

from dungeonlab_conformance.record.archive.placeholders import Placeholders
from dungeonlab_conformance.record.archive.read import Damaged, Payloads, journal_of
from dungeonlab_conformance.record.archive.write import Shelf, journal_to_json
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.record.secrets.redaction import Secrets


def there_and_back(journal: Journal, secrets: Secrets | None = None) -> tuple[Journal, str]:
    """Return a journal after it was written and read, and all that was written."""
    shelf = Shelf(Placeholders(secrets or Secrets()))
    text = json.dumps([journal_to_json(journal, shelf), shelf.payloads])
    sheet, payloads = json.loads(text)
    return journal_of(sheet, Payloads(payloads)), text


def facts_of(journal: Journal) -> Any:
    """Return all that stands in a journal, as something that can be compared; requests by when they were sent."""
    state = journal.state
    order = {request: number for number, request in enumerate((*state.last, *state.expected))}

    def content(request: Request) -> Any:
        action = request.action and content(request.action)
        mark, legal = request.mark, request.legal
        return request.event, repr(request.args), mark, request.session, legal, request.requirement, action

    def sent(number: int) -> Any:
        return next(each for each in state.requests if each.number == number)

    facts = ("number", "actor", "user", "connection", "at", "answered_at", "outcome", "evidence", "expected")
    return (
        [(content(each), [getattr(each, fact) for fact in facts]) for each in state.requests],
        [
            (o.number, o.at, o.actor, o.connection, o.act, o.event, repr(tuple(o.args)), repr(o.wire))
            for o in state.observations
        ],
        [o.request and order[o.request] for o in state.observations],
        [sent(number).number for number in state.last.values()],
        [order[request] for request in order if request in state.expected],
        (state.began, state.epoch, state.accounted, state.rooms),
    )


def eventful() -> Written:
    """Return what somebody wrote down of an eventful scene."""
    scene = Written()
    for connection, user in enumerate(("gm", "alice", "bob"), start=1):
        scene.connects(connection)
        scene.joins(connection, user)
    scene.is_refused_at_the_door(4, "dave", "PERMISSION_DENIED")
    said = scene.says_and_is_answered(1, "hello")
    scene.journal.write("bob", 3, "hears", "chat-message", (scene.broadcast(said),), wire=("chat", [said.args[0]]))
    again = Request("chat-message", said.args, "twice", "s", action=Request("token:move", ({},), 7, None))
    for connection in (1, 2):
        scene.journal.sent(again, f"#{connection}", "gm", connection)
    scene.journal.inferred(again, "accepted", "bob heard it")
    scene.journal.leave_unaccounted()
    scene.rooms.encounter_opened("e")
    scene.ends(scene.rooms.stays[1], "left")
    scene.ends(scene.rooms.stays[2], "switched")
    return scene


def test_a_journal_comes_back_as_it_was() -> None:
    """Its observations, requests with what became of them, and rooms; what was one request is one."""
    journal = eventful().journal
    back, _ = there_and_back(journal)
    assert facts_of(back) == facts_of(journal)
    requests = [seen.request for seen in back.observations if seen.request]
    assert [back.last_sent(request) is not None for request in requests] == [True] * len(requests)


def test_all_that_a_journal_holds_is_kept() -> None:
    """Whatever is added to it belongs into its state, too, or is named here."""
    journal = Journal()
    for holder, state, besides in (
        (journal, journal.state, {"clock", "listeners"}),
        (journal.rooms, journal.rooms.state, {"clock", "closings"}),  # an answer is looked at before the scene is over
    ):
        holds = {name.lstrip("_") for name in vars(holder)}
        assert {field.name for field in fields(state)} == holds - besides


@quickly(20)
@given(st.lists(st.tuples(TEXTS, VALUES), max_size=5))
def test_a_journal_holds_whatever_was_sent(sent: list[tuple[str, Any]]) -> None:
    """Names and payloads of any kind come back, and what was sent with them."""
    journal = Journal(lambda: 1.5)
    for name, value in sent:
        request = Request(name, (value,), name, None)
        journal.sent(request, "alice", name, 1)
        journal.write("alice", 1, "is answered", name, (value,), request)
    back, _ = there_and_back(journal)
    assert [seen.event for seen in back.observations] == [name for name, _ in sent]
    assert [one.number for one in back.requests] == [one.number for one in journal.requests]
    assert all(seen.request is not None and back.last_sent(seen.request) for seen in back.observations)


def test_no_secret_is_written() -> None:
    """Neither where it stands alone, nor among other text, as a name, a number, in bytes or encoded."""
    journal, secrets = Journal(), Secrets()
    for value in ("hunter2-hunter2", "s3cr3tcookievalue", "Grüße-aus-Köln", "48151623"):
        secrets.add(value)
    leaked: list[Any] = [
        "hunter2-hunter2",
        ["id=s3cr3tcookievalue; path=/"],
        {"s3cr3tcookievalue": 1, "password": "short"},
        b"\x00s3cr3tcookievalue",
        "Gr%C3%BC%C3%9Fe-aus-K%C3%B6ln",
        "aHVudGVyMi1odW50ZXIy",
        4815162342,
        "$2b$12$abcdefghijklmnopqrstuv",
    ]
    request = Request("hunter2-hunter2", tuple(leaked), "s3cr3tcookievalue", "hunter2-hunter2")
    journal.rooms.opened("hunter2-hunter2", ["s3cr3tcookievalue"], master="s3cr3tcookievalue")
    journal.rooms.connected(1, "s3cr3tcookievalue")
    journal.sent(request, "alice", "s3cr3tcookievalue", 1)
    journal.write("alice", 1, "hears", "hunter2-hunter2", leaked, request, wire=("hunter2-hunter2", ()))
    journal.inferred(request, "accepted", "hunter2-hunter2 heard it")
    back, text = there_and_back(journal, secrets)
    for hidden in ("hunter2", "s3cr3t", "K%C3%B6ln", "Köln", "K\\u00f6ln", "aHVudGVy", "48151623", "czNjcjN0", "short"):
        assert hidden not in text, hidden
    assert "abcdefghijklmnopqrstuv" not in text
    [seen], [sent] = back.observations, back.requests
    assert sent.mark == sent.user == back.rooms.users[1] == back.rooms.masters[sent.session or ""]
    assert seen.event == sent.event == sent.args[0] == sent.session
    assert len(sent.session or "") == len("hunter2-hunter2")


def test_what_a_secret_is_like_by_chance_stays() -> None:
    """The protocol's own words, and marks: rules look for them."""
    journal, secrets = Journal(), Secrets()
    for value in ("chat", "message", "mark-", "NOT_JOINED"):
        secrets.add(value)
    said = {"message": "say mark-0a-12. chat", "code": "NOT_JOINED"}
    journal.write("alice", 1, "hears", "chat-message", (said,))
    [seen] = there_and_back(journal, secrets)[0].observations
    assert seen.event == "chat-message"
    assert seen.args[0].keys() == said.keys()
    assert seen.args[0]["code"] == "NOT_JOINED"
    assert "mark-0a-12." in seen.args[0]["message"]
    assert "chat" not in seen.args[0]["message"]


def test_what_is_no_journal_is_refused() -> None:
    """Any part that is missing, or something else, is damage; never another exception."""
    shelf = Shelf(Placeholders(Secrets()))
    sheet = json.loads(json.dumps(journal_to_json(eventful().journal, shelf)))
    refused = 0
    for path in paths(sheet):
        others: tuple[Any, ...] = (None, -1, 10**40, 1e300, True, "\ud800", [], {}, [[]], {"$int": "x"}, {"a": 1})
        for instead in others:
            try:
                journal_of(replaced(sheet, path, instead), Payloads(shelf.payloads))
            except Damaged:
                refused += 1
    assert refused > 1_000


def test_a_reader_is_asked_for_no_more_than_a_run_holds() -> None:
    """One large payload may stand in very many rows."""
    shelf = Shelf(Placeholders(Secrets()))
    number = shelf.number(["x" * 1_000_000])
    payloads = Payloads(shelf.payloads)
    with pytest.raises(Damaged):
        [payloads.arguments(number) for _ in range(1_000)]


def paths(value: Any) -> list[list[Any]]:
    """Return the way to everything in a value."""
    found: list[list[Any]] = [[]]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += [[key, *path] for path in paths(inner)]
    return found


def replaced(value: Any, path: list[Any], instead: object) -> Any:
    """Return a copy with something else at the end of a way."""
    if not path:
        return instead
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], instead)
    return changed

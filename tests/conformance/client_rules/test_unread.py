"""Requests whose arguments cannot be read back: no JSON, too deep, or too long to be kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.client_rules.journals import Written
from tests.conformance.client_rules.test_rules import broken, in_session, judged

from dungeonlab_conformance.client_rules.partial import beginning
from dungeonlab_conformance.tap.reading.sessions import LONGEST_TEXT

VALID = "client/sends-only-valid-payloads"


def sent(journal: Written, event: str, text: str) -> Written:
    """A client sends this text; the tap keeps the beginning."""
    cut = len(text) > LONGEST_TEXT
    journal.add("client", "event", 1, event=event, ack_id=7, text=text[:LONGEST_TEXT], cut=cut)
    return journal


@pytest.mark.parametrize("text", ['[{"sessionId":"s1","message":"x"}]x', '[{"sessionId":"s1",}]', "[{]", "["])
def test_what_is_no_json_is_no_valid_payload(text: str) -> None:
    """Nothing the tap does makes it so."""
    assert broken(judged(lambda j: sent(in_session(j), "chat-message", text))).keys() == {VALID}


@pytest.mark.parametrize(
    "text", ["[" * 100_000 + "]" * 100_000, '[{"a":' * 3_000 + "1" + "}]" * 3_000, f"[{'9' * 5000}]"]
)
def test_what_cannot_be_read_is_not_judged(text: str) -> None:
    """It may be JSON. Nor does it count as valid."""
    found = judged(lambda j: sent(j.connect(1), "get-user-data", text))
    assert broken(found) == {}
    assert found[VALID].state == "not seen"
    assert "let it" in found[VALID].reason


def long(**more: Any) -> str:
    """Return a payload that is longer than what is kept."""
    return json.dumps([{"sessionId": "s1"} | more])


def test_a_text_that_is_too_long_is_so_whatever_follows() -> None:
    """No property is cut for that; one that is unknown, or may be of any length, breaks nothing."""
    message = long(message="y" * 120_000)
    assert broken(judged(lambda j: sent(in_session(j), "chat-message", message))).keys() == {VALID}
    for text in (long(other="y" * 120_000, message="x"), long(message="x", other="y" * 120_000)):
        found = judged(lambda j, text=text: sent(in_session(j), "chat-message", text))  # type: ignore[misc]  # a default has no type there
        assert (broken(found), found[VALID].state) == ({}, "held")  # of the join


def test_the_session_of_a_request_that_was_cut_is_known_where_it_is_named() -> None:
    """So it is found that nobody had joined it."""
    text = long(other="y" * 120_000)
    assert broken(judged(lambda j: sent(j.connect(1), "token:move", text))).keys() == {"client/joins-before-it-sends"}


@pytest.mark.parametrize("end", ["", "\\", "\\u12", "\\\\", "\\\\\\"])
def test_the_beginning_of_what_was_cut_is_read(end: str) -> None:
    """Also where the cut is in the middle of an escape."""
    text = '[{"a":[{"b":"x"}],"c":{"d":"yy' + end
    kept = Written().add("client", "event", 1, event="e", text=text, cut=True)
    assert beginning(kept)["c"]["d"].startswith("yy")

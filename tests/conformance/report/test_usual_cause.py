"""Where an author is to look first: by what was found, or by the requirement where that says more."""

from __future__ import annotations

import pytest
from tests.conformance.report.runs import ECHO, failing

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report.content.usual_cause import usual_cause
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_spec import Catalogue

SENT = TranscriptLine(1.0, "alice", "sends", "token:move", "{}", 1)
TRANSCRIPT = (SENT, TranscriptLine(2.0, "alice", "is answered", "token:move", '{"success": false, "code": "X"}', 1))


def cause(requirement: str, finding: Finding) -> str:
    return usual_cause(failing(requirement, "token:move", finding))


def generic(requirement: str) -> str:
    return Catalogue.load().requirements[requirement].hint


def test_a_property_that_is_missing_is_not_a_number_written_as_text() -> None:
    """Which is what usually breaks a broadcast's schema; one that has another name is something else."""
    shape = "broadcasts/valid-payload"
    assert cause(shape, Finding("a value", "missing", "$.userId")).startswith("The property is undefined")
    misnamed = Finding("a value", "missing; there is `user_id`", "$.userId")
    assert cause(shape, misnamed).startswith("The property goes by another name")
    assert cause(shape, Finding("no such property", "7", "$.secret")).startswith("The record is sent as it is stored")
    assert cause(shape, Finding("type integer", 'string "3"', "$.x")) == generic(shape)
    defaults = "tokens/defaults-filled"
    assert cause(defaults, Finding("a value", "missing", "$.data.token.size")) == generic(defaults)


@pytest.mark.parametrize(
    ("requirement", "says_so"), [("payloads/wrong-type", True), ("acks/every-token-operation-answers", False)]
)
def test_silence_is_no_acceptance(requirement: str, says_so: bool) -> None:
    """A request without an answer is one whose callback is never called, whatever the requirement was about."""
    silent = Finding("a refusal", "no answer", transcript=(SENT,), sent=SENT)
    assert (cause(requirement, silent) != generic(requirement)) == says_so
    answered = Finding("a refusal", "something", transcript=TRANSCRIPT, sent=SENT)
    assert cause(requirement, answered) == generic(requirement)


def test_a_refusal_where_acceptance_was_due_is_a_stricter_rule() -> None:
    """Unless the requirement is about just that, and knows better."""
    refused = Finding("one success envelope", '{"success": false}', transcript=TRANSCRIPT, convicting=1, sent=SENT)
    assert cause("acks/success-shape", refused).startswith("A rule of the server's own")
    assert cause("authorization/any-member-allowed", refused) == generic("authorization/any-member-allowed")
    code = Finding("NOT_FOUND", "'X'", "$.code", transcript=TRANSCRIPT, convicting=1, sent=SENT)
    assert cause("acks/code-names-the-cause", code) == generic("acks/code-names-the-cause")


@pytest.mark.parametrize("convicting", [None, 0, 1, 7])
def test_whatever_a_result_holds_there_is_a_cause(convicting: int | None) -> None:
    """Lines that are not there, and bodies that are no JSON, included."""
    lines = (SENT, TranscriptLine(2.0, "alice", "is answered", "token:move", "[" * 5000, 1))
    assert cause(ECHO, Finding("a", "b", transcript=lines, convicting=convicting))

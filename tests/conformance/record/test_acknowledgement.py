"""Answers are read leniently: whether they say yes or no, whatever else is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from dungeonlab_conformance.invariants.shapes import answer_faults
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.observation import Request


def answer(*args: Any, event: str = "leave-session", asked: Any = None, legal: bool = True) -> Acknowledgement:
    request = Request(event, ({"sessionId": "s"} if asked is None else asked,), None, "s", legal=legal)
    return Acknowledgement(request, Arguments(args))


def broken(found: Acknowledgement) -> set[tuple[str, str | None]]:
    """Return which requirements an answer breaks by its shape, and of which event."""
    return {(requirement, event) for requirement, event, _ in answer_faults(found)}


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        ({"success": True, "data": {}}, True),
        ({"success": False, "error": "no", "code": "NOT_JOINED"}, False),
        ({"success": True, "error": "a contradiction"}, True),
        ({"data": {"sessionId": "s"}}, True),
        ({"sessionId": "s"}, True),
        ({"error": "no"}, False),
        ({"code": "NOT_JOINED"}, False),
        ({"success": "false", "error": "no"}, False),
        ({"success": 1}, True),
        ({}, True),
    ],
    ids=str,
)
def test_an_object_says_yes_or_no(body: dict[str, Any], accepted: bool) -> None:
    """By `success` if that is true or false, and otherwise by whether it names an error."""
    assert answer(body).readable
    assert answer(body).accepted is accepted


@pytest.mark.parametrize("args", [(), (None,), ("ok",), (True,), (5,), ([{"success": True}],), (b"x",)], ids=str)
def test_anything_else_says_neither(args: tuple[Any, ...]) -> None:
    """No argument, null, a text, a number, an array: nobody can tell what was meant."""
    assert not answer(*args).readable
    assert not answer(*args).accepted
    assert answer(*args).body == {}


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ({"success": True, "data": {"a": 1}}, {"a": 1}),
        ({"success": True, "a": 1}, {"success": True, "a": 1}),
        ({"success": True, "data": None}, {}),
        ({"success": True, "data": "a"}, {}),
    ],
    ids=str,
)
def test_data_may_stand_beside(body: dict[str, Any], data: dict[str, Any]) -> None:
    """What an acceptance carries is under `data`, or without that in the envelope itself; it is always an object."""
    assert answer(body).data == data


@pytest.mark.parametrize("code", [None, 404, ["NOT_JOINED"]], ids=str)
def test_a_code_is_a_text(code: Any) -> None:
    """Any other is none."""
    assert answer({"success": False, "code": code}).code is None
    assert answer({"success": False, "code": "NOT_JOINED"}).code == "NOT_JOINED"


# -- what a wrong shape breaks -------------------------------------------------------------------------


def test_a_right_answer_breaks_nothing() -> None:
    """Neither a success nor a failure."""
    assert broken(answer({"success": True, "data": {"sessionId": "s"}})) == set()
    assert broken(answer({"success": False, "error": "no", "code": "NOT_JOINED"})) == set()


def test_a_wrong_shape_breaks_the_rule_about_it() -> None:
    """That of success or that of failure, by what the answer says."""
    assert broken(answer({"data": {"sessionId": "s"}})) == {("acks/success-shape", "leave-session")}
    assert broken(answer({"success": False, "error": "no"})) == {("acks/failure-shape", "leave-session")}
    assert broken(answer({"success": True, "data": {"sessionId": "s"}}, "more")) == {
        ("acks/success-shape", "leave-session")
    }


def test_what_says_neither_is_a_failure_only_if_one_was_due() -> None:
    """An invalid request can only be refused; of any other nobody knows what was meant."""
    assert broken(answer("no", legal=False)) == {("acks/failure-shape", "leave-session")}
    assert broken(answer("no")) == set()


def test_an_invalid_request_that_was_accepted_breaks_no_shape() -> None:
    """The fault lies in having accepted it."""
    assert broken(answer({"success": True, "data": {"x": 1.5}}, legal=False)) == set()


def test_a_secret_in_a_profile_is_a_secret() -> None:
    """What a profile holds besides is reported by that rule; what stands elsewhere, by that of shape."""
    user = {"id": "u", "username": "ursula"}
    leaked = {"success": True, "data": {"user": {**user, "passwordHash": "x"}}}
    assert broken(answer(leaked, event="get-user-data", asked={})) == {("direct/no-secrets", None)}
    beside = {"success": True, "data": {"user": user, "passwordHash": "x"}}
    assert broken(answer(beside, event="get-user-data", asked={})) == {("acks/success-shape", "get-user-data")}


TOKEN: dict[str, Any] = {
    "id": "t",
    "encounterId": "e",
    "name": "Goblin",
    "size": "medium",
    "position": {"x": 1, "y": 2, "elevation": 0},
    "isVisible": True,
    "isPlayerControlled": False,
    "data": {},
    "conditions": [],
    "version": 1,
    "createdBy": "u",
}


def created(token: dict[str, Any], **draft: Any) -> Acknowledgement:
    asked = {"sessionId": "s", "encounterId": "e", "token": {"name": "Goblin", "position": {"x": 1, "y": 2}, **draft}}
    return answer({"success": True, "data": {"token": token}}, event="token:create", asked=asked)


def test_an_unknown_property_that_was_asked_for_has_not_been_ignored() -> None:
    """It comes of spreading the request; one that was not asked for, or with another value, is a fault of shape."""
    spread = {**TOKEN, "glow": True}
    assert broken(created(spread, glow=True)) == {("payloads/unknown-properties-ignored", "token:create")}
    assert broken(created(spread)) == {("acks/success-shape", "token:create")}
    assert broken(created(spread, glow="red")) == {("acks/success-shape", "token:create")}


def test_a_default_that_is_missing_has_not_been_filled() -> None:
    """Unless it was named in the request: then it got lost."""
    without = {key: value for key, value in TOKEN.items() if key != "size"}
    assert broken(created(without)) == {("tokens/defaults-filled", None)}
    assert broken(created(without, size="large")) == {("acks/success-shape", "token:create")}
    flat = {**TOKEN, "position": {"x": 1, "y": 2}}
    assert broken(created(flat)) == {("tokens/defaults-filled", None)}


def test_the_data_of_an_envelope_is_no_default() -> None:
    """Though a token's property of that name has one."""
    assert broken(answer({"success": True})) == {("acks/success-shape", "leave-session")}


@pytest.mark.parametrize(
    ("value", "which"), [("c1", "payloads/unknown-properties-ignored"), ("m1", "acks/success-shape")]
)
def test_an_unknown_property_was_not_ignored_if_it_comes_back_as_it_was_asked(value: str, which: str) -> None:
    """One of the same name with another value is the server's own, in the wrong place."""
    asked = {"sessionId": "s", "message": "so", "messageId": "c1"}
    came = {"success": True, "data": {"messageId": "m1", "timestamp": "2026-11-27T12:00:00.000Z"}, "messageId": value}
    assert broken(answer(came, event="chat-message", asked=asked)) == {(which, "chat-message")}

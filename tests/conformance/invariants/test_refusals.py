"""Refusals of what somebody certainly may do, on journals written by hand."""

from __future__ import annotations

import pytest
from tests.conformance.written import Written, absent

from dungeonlab_conformance.record.observation import Request

ALICE, BOB, TAB, MASTER, MALLORY = range(1, 6)


@pytest.fixture
def scene() -> Written:
    """Return a scene in which alice has joined."""
    written = Written()
    written.joins(ALICE, "alice")
    return written


@pytest.mark.parametrize(
    ("code", "requirement"),
    [
        ("PERMISSION_DENIED", "authorization/any-member-allowed"),
        ("NOT_JOINED", "authorization/any-member-allowed"),
        ("VALIDATION_ERROR", "payloads/valid-accepted"),
    ],
)
def test_somebody_in_the_room_may_act(scene: Written, code: str, requirement: str) -> None:
    """Alice is refused, by a code that says why."""
    scene.is_refused(ALICE, _message("hello"), code)
    assert absent(scene) == [requirement]


@pytest.mark.parametrize("code", ["RATE_LIMITED", "INTERNAL_ERROR", "TOKEN_NOT_FOUND", "SOMETHING_ELSE"])
def test_a_code_may_leave_the_cause_open(scene: Written, code: str) -> None:
    """Alice is refused, and it is not said that she may not, or that the request is invalid."""
    scene.is_refused(ALICE, _message("hello"), code)
    assert absent(scene) == []


@pytest.mark.parametrize(
    ("steps", "convicts"),
    [
        (("create", "no", "no", "yes"), True),
        (("no", "create", "no", "yes"), True),
        (("create", "no"), False),  # another rule says whose it is
        (("no", "create", "yes"), False),
        (("create", "no", "another's"), False),
    ],
)
def test_what_was_acknowledged_is_there(scene: Written, steps: tuple[str, ...], *, convicts: bool) -> None:
    """A token that was created is not known when alice moves it; it is a moment later, when she asks again."""
    move = Request("token:move", ({"sessionId": "s", "encounterId": "e", "tokenId": "t"},), "t", "s")
    create = Request("token:create", ({"sessionId": "s", "encounterId": "e", "token": {}},), "c", "s")
    scene.joins(BOB, "bob")
    for step in steps:
        match step:
            case "create":
                scene.asks(BOB, create, {"success": True, "data": {"token": {"id": "t"}}})
            case "no":
                scene.is_refused(ALICE, move, "TOKEN_NOT_FOUND")
            case _:
                scene.asks(ALICE if step == "yes" else BOB, move, {"success": True})
    assert sorted(set(absent(scene))) == ["tokens/create-then-others-can-move"] * convicts


def _says(scene: Written, *texts: str) -> None:
    """Have alice say something, of which the server fails; anything else is accepted."""
    for text in texts:
        if text == "hello":
            scene.is_refused(ALICE, _message("hello"), "INTERNAL_ERROR")
        else:
            scene.says_and_is_answered(ALICE, text)


@pytest.mark.parametrize(
    ("texts", "convicts"),
    [
        (("hello", "usual", "hello", "usual again"), True),
        (("usual", "hello", "hello", "usual again"), False),  # it may have been a bad moment
        (("hello", "usual", "hello"), False),
        (("hello", "hello"), False),
    ],
)
def test_what_is_refused_each_time_is_refused_for_what_it_says(
    scene: Written, texts: tuple[str, ...], *, convicts: bool
) -> None:
    """Alice says something and is refused, again and again, while what is usual is accepted."""
    _says(scene, *texts)
    assert sorted(set(absent(scene))) == ["payloads/valid-accepted"] * convicts


def test_what_is_accepted_another_time_was_not_refused_for_what_it_says(scene: Written) -> None:
    """The first time alice is refused, and the last time as well."""
    _says(scene, "hello", "usual")
    scene.asks(ALICE, _message("hello"), {"success": True})
    _says(scene, "hello", "usual again")
    assert absent(scene) == []


def test_where_rights_are_called_invalid_too_nothing_is_known_of_the_payload(scene: Written) -> None:
    """Mallory, who is no member, is refused by the same code, for the same event."""
    scene.is_refused(ALICE, _message("hello"), "VALIDATION_ERROR")
    scene.comes(MALLORY, "mallory")
    scene.is_refused(MALLORY, Request("chat-message", (5,), None, "s", legal=False), "VALIDATION_ERROR", expected=False)
    assert absent(scene) == ["payloads/valid-accepted"]
    scene.is_refused(MALLORY, _message("me too"), "VALIDATION_ERROR", expected=False)
    assert absent(scene) == []


def test_the_game_master_has_a_rule_of_its_own(scene: Written) -> None:
    """Whether in the room, or on the way in."""
    scene.joins(MASTER, "gm")
    scene.is_refused(MASTER, _message("hello"), "PERMISSION_DENIED")
    assert absent(scene) == ["authorization/game-master-allowed"]


def test_what_a_check_is_about_is_its_own_matter(scene: Written) -> None:
    """What was sent is no preparation."""
    scene.is_refused(ALICE, _message("hello"), "PERMISSION_DENIED", expected=False)
    assert absent(scene) == []


def test_who_has_not_joined_or_left_may_be_refused(scene: Written) -> None:
    """So may who is no member."""
    scene.comes(BOB, "bob")
    scene.is_refused(BOB, _message("hello"), "NOT_JOINED")
    scene.ends(scene.rooms.stays[0], "left")
    scene.is_refused(ALICE, _message("goodbye"), "NOT_JOINED")
    assert absent(scene) == []


def test_after_an_invalid_request_anything_may_be_refused(scene: Written) -> None:
    """The other scene has accepted one in this session; here one was sent before."""
    scene.says(ALICE, "wrong", outcome="refused", legal=False)
    scene.is_refused(ALICE, _message("hello"), "NOT_JOINED")
    assert absent(scene) == []


@pytest.mark.parametrize(
    ("user", "requirement"),
    [("bob", ["join/member-admitted"]), ("gm", ["join/game-master-admitted"]), ("mallory", [])],
)
def test_members_are_admitted(scene: Written, user: str, requirement: list[str]) -> None:
    """Somebody asks to join for the first time."""
    scene.is_refused_at_the_door(BOB, user, "PERMISSION_DENIED")
    assert absent(scene) == requirement


def test_who_was_there_before_may_be_refused_by_another_rule(scene: Written) -> None:
    """Bob's connection was in the room until it ended; he comes back."""
    scene.ends(scene.joins(BOB, "bob"), "gone")
    scene.is_refused_at_the_door(TAB, "bob", "PERMISSION_DENIED")
    assert absent(scene) == []


def _message(text: str) -> Request:
    return Request("chat-message", ({"sessionId": "s", "message": text},), text, "s")

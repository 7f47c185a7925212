"""Requests that got no answer, on journals written by hand."""

from __future__ import annotations

import pytest
from tests.conformance.written import Written

from dungeonlab_conformance.invariants.answers.silence import unanswered
from dungeonlab_conformance.record.observation import Request

ALICE, BOB = 1, 2
PATIENCE = 1.0


@pytest.fixture
def scene() -> Written:
    """Return a scene in which alice and bob have joined."""
    written = Written()
    written.joins(ALICE, "alice")
    written.joins(BOB, "bob")
    return written


def _says(text: str = "hello") -> Request:
    return Request("chat-message", ({"sessionId": "s", "message": text},), text, "s")


def _asks(scene: Written, request: Request, connection: int = ALICE) -> None:
    """Have a connection send a request, of which nothing comes."""
    at = scene.journal.write(f"#{ALICE}", connection, "sends", request.event, request.args, request).at
    scene.journal.sent(request, f"#{ALICE}", "alice", connection, at=at)


def _round_trip(scene: Written, connection: int = ALICE) -> None:
    request = Request("get-user-data", ({},), None, None)
    _asks(scene, request, connection)
    scene.is_answered(connection, request, {"success": True})


def _found(scene: Written) -> set[str]:
    return {requirement for _, (requirement, _, _) in unanswered(scene.journal, PATIENCE)}


def test_what_is_not_answered_is_known_by_a_late_round_trip(scene: Written) -> None:
    """Another connection's shows nothing, and neither does an early one."""
    _asks(scene, _says())
    _round_trip(scene, BOB)
    assert _found(scene) == set()
    scene.now += 2 * PATIENCE
    _round_trip(scene)
    assert _found(scene) == {"acks/every-other-request-answers"}


def test_an_answer_of_whatever_shape_is_one(scene: Written) -> None:
    """What is wrong with it is another matter."""
    request = _says()
    _asks(scene, request)
    scene.is_answered(ALICE, request, "ok")
    scene.now += 2 * PATIENCE
    _round_trip(scene)
    assert _found(scene) == set()


def test_of_very_many_at_once_nothing_is_said(scene: Written) -> None:
    """Whether each of them is answered, a scene of its own finds out."""
    for number in range(6):
        _asks(scene, _says(f"hello {number}"))
    scene.now += 2 * PATIENCE
    _round_trip(scene)
    assert _found(scene) == set()


def test_an_answer_that_went_astray_is_another_matter(scene: Written) -> None:
    """The rule about numbers is about it."""
    _asks(scene, _says())
    scene.journal.write("#2", BOB, "is sent", "an answer", ({"success": True},))
    scene.now += 2 * PATIENCE
    _round_trip(scene)
    assert _found(scene) == set()


@pytest.mark.parametrize(
    ("times", "refused", "others", "found"),
    [
        (2, False, False, set()),  # a network may end a connection by chance
        (3, False, False, {"acks/every-other-request-answers"}),
        (3, True, False, set()),  # who was refused may be disconnected a moment later
        (3, False, True, set()),  # the server may have died
    ],
)
def test_a_connection_that_ends_each_time(
    scene: Written, times: int, refused: bool, others: bool, found: set[str]
) -> None:
    """The same request, on one connection after the other."""
    request = _says()
    for connection in range(10, 10 + times):
        scene.joins(connection, "alice")
        scene.journal.write(f"#{ALICE}", connection, "connects", "websocket")
        if refused:
            other = _says("no")
            _asks(scene, other, connection)
            scene.is_answered(connection, other, {"success": False, "error": "no", "code": "INTERNAL_ERROR"})
        _asks(scene, request, connection)
        scene.journal.write(f"#{ALICE}", connection, "is closed", "")
        if others:
            scene.now -= 1.0
            scene.closes(BOB)
    assert _found(scene) == found


def test_who_may_not_is_answered_before_the_end(scene: Written) -> None:
    """A connection in no room is refused, and may be closed after that: a rule of its own is about the order."""
    request = _says()
    for connection in range(10, 13):
        scene.comes(connection, "alice")
        _asks(scene, request, connection)
        scene.journal.write(f"#{ALICE}", connection, "is closed", "")
    assert _found(scene) == {"authorization/refusal-precedes-disconnection"}

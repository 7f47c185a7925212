"""Whether a presence event is true, and reached the right connection. Pure: an observation and the attendance.

A server need not announce anything. What it does announce stays in the session's room and does not reach the
connection that it is about; `session-removed` reaches that connection alone, once for each time that it was there. It
names who came or went.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from dungeonlab_conformance.invariants.attendance import Attendance
from dungeonlab_conformance.invariants.scene_index import SceneIndex
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.observation import Observation, RoomStay
from dungeonlab_conformance.results.errors import Broken

_REASONS = {"left": "left", "gone": "disconnected"}  # that a user-left gives, by how the only stay of a user ended


def misnamed(seen: Observation, attendance: Attendance, scene: SceneIndex) -> Broken | None:
    """Return what is wrong about the user whom a presence event names: one who never came, or one who has not left.

    No member has left whose only connection stays to the end, and acts in the room later on. Nobody leaves more often
    than they came, or comes more often than they were let in. A user who left once, by asking to or by disconnecting,
    did so for that reason.
    """
    body = seen.args[0] if isinstance(seen.args[0], dict) else {}
    session, user = body.get("sessionId"), body.get("userId")
    if not isinstance(session, str) or not isinstance(user, str) or seen.event not in ("user-joined", "user-left"):
        return None
    came = attendance.may_have_come(session)
    if session not in attendance.members or session in attendance.shared or None in came:
        return None
    if user not in came and user not in attendance.members[session]:
        return Broken(f"{seen.event} to name who did so", f"{quoted(user)}, who never asked to join", "$.userId")
    stays = attendance.stays_of(user, session) if user in attendance.members[session] else []
    said = scene.times_announced(seen)
    joined = seen.event == "user-joined" and user in came
    if (joined or said > 1) and said > (comings := attendance.may_have_come_times(user, session)):
        expected = f"{seen.event} at most {comings} times, as often as {quoted(user)} had come"
        return Broken(expected if comings else f"no {seen.event} of {quoted(user)}, who was refused", f"{said} times")
    sole = attendance.sole_connection(user, session)
    stayed = [(stay.connection, stay.repeats, stay.exact) for stay in stays] == [(sole, 0, True)]
    stayed = stayed and stays[0].why in (None, "gone")  # by itself, as all do at the end
    if seen.event == "user-left" and sole is not None and stayed and scene.acted_after(sole, session, seen.at):
        return Broken("user-left to name who left", f"{quoted(user)}, who is in the room", "$.userId")
    if seen.event == "user-left" and sole is not None and [stay.repeats for stay in stays if stay.exact] == [0]:
        why, reason = _REASONS.get(stays[0].why or ""), body.get("reason")
        if len(stays) == 1 and why and reason != why and stays[0].leave_requested_at <= seen.at:
            return Broken(f"the reason {why!r}, for which {quoted(user)} left", quoted(reason), "$.reason")
    return None


def misplaced(seen: Observation, attendance: Attendance, scene: SceneIndex) -> Iterator[Broken]:
    """Yield what is wrong about one presence event having reached this connection, in this scene."""
    body = seen.args[0] if isinstance(seen.args[0], dict) else {}
    session, user = body.get("sessionId"), body.get("userId")
    if not isinstance(session, str) or session not in attendance.members:
        return
    own = [stay for stay in attendance.stays(seen.connection, session) if stay.joined_at <= seen.at]
    expected = f"{seen.event} to reach only connections in the session it names"
    if seen.event == "session-removed":
        if scene.answers_go_astray:
            return
        stayed = all(stay.exact and (stay.left_at is None or stay.why == "gone") for stay in own)
        if not own or (stayed and scene.last_heard(seen.connection, session) > seen.number):
            yield Broken("session-removed to reach the connection taken out", f"{seen.actor}, who was not")
        elif (said := scene.times_announced(seen)) > (comings := _comings(seen, attendance, session)):
            expected = f"session-removed to be the last that {seen.actor}, who came {comings} times, hears of it"
            yield Broken(expected, f"it comes {said} times")
    elif seen.event in ("user-joined", "user-left"):
        acts = [act for act in _acts(seen, attendance, session, user) if act <= seen.at]
        if not own:
            yield Broken(expected, f"{seen.actor}, who had not joined it")
        elif session in attendance.shared or None in attendance.may_have_come(session):
            return  # others may have come and gone, or this user by bare frames
        elif user == attendance.users.get(seen.connection) and not acts and not misnamed(seen, attendance, scene):
            yield Broken(f"{seen.event} not to reach the connection it is about", f"{seen.actor} heard it")
        elif not any(_was_there(stay, seen, acts) for stay in own):
            yield Broken(expected, f"{seen.actor}, who had left it")


def _comings(seen: Observation, attendance: Attendance, session: str) -> float:
    """Return how often a connection may have come into a room, at most; infinite where that is not known."""
    user = attendance.users.get(seen.connection)
    if user is None or None in attendance.may_have_come(session):
        return math.inf
    return attendance.may_have_come_times(user, session)


def _acts(seen: Observation, attendance: Attendance, session: str, user: object) -> Iterator[float]:
    """Yield when other connections of the user joined, or left, at the earliest."""
    for stay in attendance.stays_of(user if isinstance(user, str) else None, session):
        if stay.connection != seen.connection:
            if seen.event == "user-joined":
                yield stay.joined_at
            elif not stay.exact:  # moved out at an unknown time
                yield 0.0
            elif stay.left_at is not None:
                yield stay.leave_requested_at


def _was_there(stay: RoomStay, seen: Observation, acts: list[float]) -> bool:
    """Whether a stay lasted until the event was heard, or at least until what it announces."""
    if not stay.exact or stay.left_at is None or seen.at <= stay.left_at:
        return True
    return any(act <= stay.left_at for act in acts)

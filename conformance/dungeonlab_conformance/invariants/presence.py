"""Whether a presence event reached the right connection. Pure: an observation and the attendance, to what broke.

A server need not announce anything. What it does announce stays in the session's room, and is not told to the
connection it is about; `session-removed` is told to nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from dungeonlab_conformance.invariants.attendance import Attendance
from dungeonlab_conformance.invariants.scene_index import SceneIndex
from dungeonlab_conformance.record.observation import Observation, Seat
from dungeonlab_conformance.results.errors import Broken


def misplaced(seen: Observation, attendance: Attendance, scene: SceneIndex) -> Iterator[Broken]:
    """Yield what is wrong about one presence event having reached this connection, in this scene."""
    body = seen.args[0] if isinstance(seen.args[0], dict) else {}
    session, user = body.get("sessionId"), body.get("userId")
    if not isinstance(session, str) or session not in attendance.members:
        return
    own = [seat for seat in attendance.seats(seen.connection, session) if seat.since <= seen.at]
    expected = f"{seen.event} to reach only connections in the session it names"
    if seen.event == "session-removed":
        stayed = all(seat.certain and (seat.until is None or seat.why == "gone") for seat in own)
        if not own or (stayed and scene.last_heard(seen.connection, session) > seen.number):
            yield Broken("session-removed to reach the connection taken out", f"{seen.actor}, who was not")
    elif seen.event in ("user-joined", "user-left"):
        acts = [act for act in _acts(seen, attendance, session, user) if act <= seen.at]
        if not own:
            yield Broken(expected, f"{seen.actor}, who had not joined it")
        elif session in attendance.shared:
            return
        elif user == attendance.users.get(seen.connection) and not acts:
            yield Broken(f"{seen.event} not to reach the connection it is about", f"{seen.actor} heard it")
        elif not any(_sat(seat, seen, acts) for seat in own):
            yield Broken(expected, f"{seen.actor}, who had left it")


def _acts(seen: Observation, attendance: Attendance, session: str, user: object) -> Iterator[float]:
    """Yield when other connections of the user came, or went, at the earliest."""
    for seat in attendance.seats_of(user if isinstance(user, str) else None, session):
        if seat.connection != seen.connection:
            if seen.event == "user-joined":
                yield seat.since
            elif not seat.certain:  # moved out at an unknown time
                yield 0.0
            elif seat.until is not None:
                yield seat.ending


def _sat(seat: Seat, seen: Observation, acts: list[float]) -> bool:
    """Whether a stay lasted until the event was heard, or at least until what it tells of."""
    if not seat.certain or seat.until is None or seen.at <= seat.until:
        return True
    return any(act <= seat.until for act in acts)

"""What is known of one delivery by itself: its cause, its listener's position, and the listener's history.

The two tables say which rule keeps a listener out of a room: by the position that it is in, or by the history that it
has with the room. Which of both a leak is attributed to is decided in `ledger`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dungeonlab_conformance.invariants.attendance import Attendance
from dungeonlab_conformance.invariants.deliveries.causes import Cause
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, SentRequest

Position = Literal[
    "in the room",
    "in another room",  # of a session of its own
    "member",  # of the session, and not in any room
    "outsider",
]
History = Literal[
    "left",
    "switched",  # to another session
    "revoked",  # its user is no longer a member
    "closed",  # by the server, and open all the same
    "gone",  # closed by itself
    "refused",  # when it asked to join
    "reconnected",  # an earlier connection of its user was in the room until it was closed
]

POSITION_RULES: Mapping[Position, str] = {
    "in another room": "rooms/other-session-hears-nothing",
    "member": "rooms/member-not-joined-hears-nothing",
    "outsider": "rooms/outsider-hears-nothing",
}
HISTORY_RULES: Mapping[History, str] = {
    "left": "join/leave-stops-delivery",
    "switched": "join/second-join-leaves-the-first-room",
    "revoked": "authorization/removed-member-hears-nothing",
    "closed": "join/disconnect-leaves-the-room",
    "gone": "join/disconnect-leaves-the-room",
    "refused": "join/refused-join-subscribes-nothing",
    "reconnected": "join/disconnect-leaves-the-room",
}


@dataclass(frozen=True, slots=True)
class Attribution:
    """One delivery: what caused it, and what its listener has to do with the room.

    It is delivery number `count` of the `allowed` ones that the listener may receive of requests like this one. The
    `position` is not `certain` if the listener entered or left another room while the request was under way. `history`
    is None if the listener is in the room or never had to do with it. `rejoined` says of a delivery above what is
    allowed that the listener has joined the room again while it was in it.
    """

    seen: Observation
    request: SentRequest
    count: int
    allowed: int
    position: Position
    certain: bool = True
    history: History | None = None
    rejoined: bool = False

    @property
    def is_echo(self) -> bool:
        """Whether the sender itself received it."""
        return self.seen.connection == self.request.connection

    @property
    def is_entitled(self) -> bool:
        """Whether its listener was in the room."""
        return self.position == "in the room"

    @property
    def is_surplus(self) -> bool:
        """Whether the listener has received more of it than was asked for."""
        return self.count > self.allowed

    @property
    def is_leak(self) -> bool:
        """Whether it reached somebody else, who was not in the room."""
        return not self.is_echo and not self.is_entitled

    @property
    def reached_a_stranger(self) -> bool:
        """Whether it reached a connection that never had to do with the room."""
        return self.is_leak and self.history is None


def attribute(cause: Cause, attendance: Attendance) -> Attribution:
    """Look up the position and the history of a delivery's listener."""
    seen, request, session = cause.seen, cause.request, cause.request.session or ""
    surplus = cause.count > cause.allowed
    rejoined = surplus and any(stay.repeats for stay in attendance.stays(seen.connection, session))
    if attendance.may_hear(seen.connection, session, caused=request.at, heard=seen.at):
        return Attribution(seen, request, cause.count, cause.allowed, "in the room", rejoined=rejoined)
    elsewhere = attendance.is_elsewhere(seen.connection, session, caused=request.at, heard=seen.at)
    was_member = attendance.is_member(seen.connection, session, request.at)
    outside: Position = "member" if was_member else "outsider"
    return Attribution(
        seen,
        request,
        cause.count,
        cause.allowed,
        position="in another room" if elsewhere else outside,
        certain=elsewhere is not None,
        history=history_with(session, seen, attendance),
        rejoined=rejoined,
    )


def history_with(session: str, seen: Observation, attendance: Attendance) -> History | None:
    """Return how a connection came to be out of a room by the time of an observation; None if it never was near it."""
    stays = [stay for stay in attendance.stays(seen.connection, session) if stay.joined_at <= seen.at]
    if stays:
        return stays[-1].why
    if attendance.was_refused(seen.connection, session):
        return "refused"
    of_the_user = attendance.stays_of(attendance.users.get(seen.connection), session)
    if any(stay.why in ("closed", "gone") and (stay.left_at or 0.0) <= seen.at for stay in of_the_user):
        return "reconnected"
    return None


def strangers(journal: Journal, session: str, attendance: Attendance) -> set[Position]:
    """Return the positions of those connections in a scene whose users never had to do with a session's room."""
    found: set[Position] = set()
    for connection, user in journal.rooms.users.items():
        if attendance.stays_of(user, session) or attendance.was_refused(connection, session):
            continue
        if attendance.is_anywhere(connection):
            found.add("in another room")
        else:
            found.add("member" if attendance.is_member(connection, session) else "outsider")
    return found

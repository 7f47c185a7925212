"""What happened in one scene besides plain joining. Judges nothing.

Who has joined once and done nothing else must hear and may act, and there is one rule that says so. After anything more
(a second join, a refused one, a switch, malformed frames) several rules may explain a silence or a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import OWN_ACTS, RoomStay, SentRequest


class History:
    """The joins and ends of the users of one scene; of a journal that is written to no more.

    `disturbed_at` is when the scene's first frame of bare data, or invalid request, was sent; infinite without any.
    `names` are those of the actors by connection, and `transports` what each connection began on. `requests` are all
    that were sent.
    """

    def __init__(self, journal: Journal) -> None:
        self.rooms = journal.rooms
        self.requests = journal.requests
        self.names: dict[int, str] = {}
        self.transports: dict[int, str] = {}
        self._removed: set[int] = set()  # connections that were sent `session-removed`
        closings: dict[int, float] = {}  # when the server closed a connection
        heard_last = 0.0
        frames = []
        for seen in journal.observations:
            if seen.act in ("hears", "is answered"):
                heard_last = seen.at
            if seen.act == "connects":
                self.names[seen.connection] = seen.actor
                self.transports[seen.connection] = seen.event
            elif seen.act == "hears" and seen.event == "session-removed":
                self._removed.add(seen.connection)
            elif seen.act == "is closed":
                closings[seen.connection] = seen.at
            elif seen.event == "a frame" and seen.act in OWN_ACTS:
                frames.append(seen.at)
        self._closed = {each for each, at in closings.items() if at < heard_last}  # not by the server's own end
        invalid = (request.at for request in journal.requests if not request.legal)
        self.disturbed_at = min((*frames[:1], *invalid), default=math.inf)
        self._bare = {request.user for request in journal.requests if not request.connection}
        self._refused = {connection for connection, _ in self.rooms.refused_joins}
        self._unacknowledged = {  # connections of which only other evidence says in which room they are
            request.connection
            for request in journal.requests
            if request.event in ("join-session", "leave-session") and request.session and not request.answered_at
        }
        self._stays: dict[int, list[RoomStay]] = {}
        for stay in self.rooms.stays:
            self._stays.setdefault(stay.connection, []).append(stay)
        self._connections: dict[str | None, list[int]] = {}
        for connection, user in self.rooms.users.items():
            self._connections.setdefault(user, []).append(connection)

    def seat(self, connection: int, request: SentRequest) -> RoomStay | None:
        """Return the stay of a connection that certainly was in the room of a request before it was sent, and after."""
        stays = self._stays.get(connection, [])
        if len(stays) != 1 or not self.is_plain(connection, request.session):
            return None
        stay = stays[0]
        if stay.acked_at is None or stay.acked_at >= request.at or request.answered_at >= ended(stay):
            return None
        return stay

    def seated(self, request: SentRequest) -> Iterator[RoomStay]:
        """Yield the stays of all connections but the sender's that certainly were in the room of a request."""
        for connection in self._stays:
            if connection != request.connection and (stay := self.seat(connection, request)):
                yield stay

    def is_plain(self, connection: int, session: str | None) -> bool:
        """Whether each connection of a user was in one room at most, and joined it once.

        It was neither refused one nor taken out by the server. The user's other connections may have left, or closed.
        """
        user = self.rooms.users.get(connection)
        return (
            user is not None
            and user not in self._bare
            and all(self._is_plain(each, session, own=each == connection) for each in self._connections[user])
        )

    def comes_first(self, request: SentRequest) -> bool:
        """Whether a user who asks to join has not done so before, was refused nowhere, and has lost no connection."""
        own = self._connections.get(request.user, [])
        before = [stay for each in own for stay in self._stays.get(each, []) if stay.joined_at < request.at]
        refused = sum(1 for connection, _ in self.rooms.refused_joins if connection in own)
        return (
            request.user is not None
            and request.user not in self._bare
            and refused == 1  # this one
            and not any(each in self._closed or each in self._removed for each in own)
            and not any(stay.connection == request.connection for stay in before)
            and all(stay.session == request.session and ended(stay) > request.answered_at for stay in before)
        )

    def others_ended(self, connection: int, at: float) -> bool:
        """Whether another connection of the same user had left a room by a time, or was closed in it."""
        stays = (stay for other in self.others(connection) for stay in self._stays.get(other, []))
        return any(ended(stay) <= at for stay in stays)

    def others_came(self, stay: RoomStay, at: float) -> bool:
        """Whether another connection of the same user had joined the room of a stay after it began, by a time."""
        stays = (each for other in self.others(stay.connection) for each in self._stays.get(other, []))
        return any((stay.acked_at or stay.joined_at) < each.joined_at <= at for each in stays)

    def others(self, connection: int) -> list[int]:
        """Return the other connections of the same user."""
        return [each for each in self._connections.get(self.rooms.users.get(connection), []) if each != connection]

    def _is_plain(self, connection: int, session: str | None, *, own: bool) -> bool:
        if connection in self._refused | self._removed | self._unacknowledged:
            return False
        if connection in self._closed and not own:
            return False
        stays = self._stays.get(connection, [])
        return len(stays) <= 1 and all(
            stay.session == session and stay.exact and not stay.repeats and stay.why != "revoked" for stay in stays
        )


def ended(stay: RoomStay) -> float:
    """Return when a stay ended at the earliest, on the run's clock; infinite if it lasts."""
    return math.inf if stay.left_at is None else stay.leave_requested_at or stay.left_at

"""Which connection was in which room, and when, as far as the acknowledgements of a run say. Judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import RoomStay, SentRequest


class Attendance:
    """The user and the stays of each connection, and the members of each session, over all scenes of a run."""

    def __init__(self, journals: Iterable[Journal]) -> None:
        self.users: dict[int, str | None] = {}
        self.members: dict[str, Collection[str]] = {}
        self.shared: set[str] = set()  # sessions in which others may act, too
        self._stays: dict[int, list[RoomStay]] = {}
        self._by_user: dict[tuple[str | None, str], list[RoomStay]] = {}
        self._refused: set[tuple[int, str]] = set()
        self._removed: dict[tuple[str | None, str], float] = {}  # by user and session
        self._came: dict[str | None, set[str | None]] = {}  # by session, who asked to join it, or were in its room
        self._came_somewhere: set[str | None] = set()  # those who asked to join what is no known session
        self._connections: dict[str, list[tuple[int, str | None]]] = {}  # in whose scenes, with the users
        self._framed: set[str] = set()  # sessions in whose scene frames were sent, in place of requests
        self._misled: set[int] = set()  # connections that an invalid request may have moved
        joins: list[SentRequest] = []
        for journal in journals:
            self._read(journal)
            joins.extend(each for each in journal.requests if each.event == "join-session")
        for connection, stays in self._stays.items():
            for stay in stays:
                self._by_user.setdefault((self.users.get(connection), stay.session), []).append(stay)
        asked = Counter((each.user, each.session) for each in joins)
        refused = Counter((each.user, each.session) for each in joins if each.legal and each.outcome == "refused")
        self._joins: dict[str | None, dict[str | None, int]] = {}  # by user and named session, how many may be granted
        for (user, named), times in (asked - refused).items():
            self._joins.setdefault(user, {})[named] = times
        self._note_who_came(asked)

    def _read(self, journal: Journal) -> None:
        """Take in what one scene recorded."""
        rooms = journal.rooms
        self._misled.update(each.connection for each in journal.requests if _moves_though_invalid(each))
        if any(not each.connection for each in journal.requests) or any(
            each.event == "a frame" for each in journal.observations
        ):
            self._framed.update(rooms.members)
        self.users.update(rooms.users)
        for session in rooms.members:
            self._connections.setdefault(session, []).extend(rooms.users.items())
        self.members.update(rooms.members)
        self.shared.update(rooms.shared)
        self._refused.update(rooms.refused_joins)
        own = next(iter(rooms.members), "")  # the scene's own session, of which its people are removed
        self._removed.update(
            ((rooms.users.get(each.connection), own), each.at)
            for each in journal.observations
            if each.act == "is removed"
        )
        for stay in rooms.stays:
            self._stays.setdefault(stay.connection, []).append(stay)

    def _note_who_came(self, asked: Iterable[tuple[str | None, str | None]]) -> None:
        """Note the users who were in rooms, and those who asked to join, with the session that each of them named."""
        for user, room in self._by_user:
            self._came.setdefault(room, set()).add(user)
        for user, named in asked:
            found = self._came.setdefault(named, set()) if named in self.members else self._came_somewhere
            found.add(user)

    def is_member(self, connection: int, session: str, at: float | None = None) -> bool:
        """Whether the user behind a connection belongs to a session at the end of its scene, or did at a time."""
        user = self.users.get(connection)
        removed_at = self._removed.get((user, session))
        was = at is not None and removed_at is not None and at <= removed_at
        return was or user in self.members.get(session, ())

    def was_refused(self, connection: int, session: str) -> bool:
        """Whether a connection was refused when it asked to join."""
        return (connection, session) in self._refused

    def may_have_come(self, session: str) -> set[str | None]:
        """Return the users who asked to join a session, by its id or by none that is known; None for unknown users.

        None is among them, too, where somebody sent frames: what was asked for in them is not known.
        """
        if session in self._framed:
            return {None}
        return self._came.get(session, set()) | self._came_somewhere

    def may_have_come_times(self, user: str, session: str) -> int:
        """Return how often a user may have entered a session's room: by each request that may have been granted."""
        named_by_user = self._joins.get(user, {})
        joins = (times for named, times in named_by_user.items() if named == session or named not in self.members)
        return max(sum(joins), sum(1 + stay.repeats for stay in self.stays_of(user, session)))

    def sole_connection(self, user: str, session: str) -> int | None:
        """Return the one connection that a user had in all scenes of a session; None if it was not one."""
        own = {connection for connection, owner in self._connections.get(session, ()) if owner == user}
        return own.pop() if len(own) == 1 else None

    def is_anywhere(self, connection: int) -> bool:
        """Whether a connection has joined any session, at any time."""
        return connection in self._stays

    def stays(self, connection: int, session: str) -> list[RoomStay]:
        """Return a connection's stays in a room, first to last."""
        return [stay for stay in self._stays.get(connection, ()) if stay.session == session]

    def stays_of(self, user: str | None, session: str) -> list[RoomStay]:
        """Return the stays of all of a user's connections in a room."""
        return self._by_user.get((user, session), [])

    def may_hear(self, connection: int, session: str, *, caused: float, heard: float) -> bool:
        """Whether a connection may hear at one time what was requested at another: it was in the room meanwhile."""
        return any(_covers(stay, caused, heard) for stay in self.stays(connection, session))

    def had_joined(self, connection: int, session: str, at: float) -> bool:
        """Whether a connection certainly was in a room at a time."""
        stays = self.stays(connection, session)
        return any(stay.acked_at is not None and stay.acked_at <= at and _lasts(stay, at) for stay in stays)

    def is_elsewhere(self, connection: int, session: str, *, caused: float, heard: float) -> bool | None:
        """Whether a connection was in the room of another session; None if that is not certain.

        It may have joined or left meanwhile, or a faulty server may have moved it: by an invalid request that it took,
        or when another connection of the same user ended. Or it left the connection there when the user was removed
        from that session, or the session was deleted.
        """
        others = [s for s in self._stays.get(connection, ()) if s.session != session]
        stays = [s for s in others if _covers(s, caused, heard)]
        certain = [s for s in stays if s.exact and s.acked_at is not None and s.acked_at <= caused and _lasts(s, heard)]
        if any(not s.leave_requested_at or s.leave_requested_at >= heard for s in certain):
            return None if connection in self._misled or any(self._lost_another(s, heard) for s in stays) else True
        return None if stays or any(s.why == "revoked" and s.joined_at <= heard for s in others) else False

    def _lost_another(self, stay: RoomStay, at: float) -> bool:
        """Whether another stay of the same user in the same room ended, by a time, while this one lasted."""
        others = self.stays_of(self.users.get(stay.connection), stay.session)
        ends = [other.left_at for other in others if other.connection != stay.connection]
        return any(end is not None and stay.joined_at <= end <= at for end in ends)


def _covers(stay: RoomStay, caused: float, heard: float) -> bool:
    return stay.joined_at <= heard and (not stay.exact or _lasts(stay, caused))


def _lasts(stay: RoomStay, at: float) -> bool:
    return stay.left_at is None or stay.left_at >= at


def _moves_though_invalid(request: SentRequest) -> bool:
    return request.event in ("join-session", "leave-session") and not request.legal and request.outcome != "refused"

"""Who is who in a scene, and which connection was in which room, by the acknowledgements. Judges nothing.

A stay never changes: what becomes known of it later takes its place, by the methods of `Rooms` alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dungeonlab_conformance.record.observation import EndOfStay, RoomStay, SentRequest

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class RoomsState:
    """All that `Rooms` know at one time; `granted` is the number of the stay that a connection was granted last."""

    users: Mapping[int, str | None]
    members: Mapping[str, frozenset[str]]
    masters: Mapping[str, str]
    encounters: Mapping[str, float]
    shared: frozenset[str]
    stays: tuple[RoomStay, ...]
    granted: Mapping[int, int]
    refused_joins: tuple[tuple[int, str], ...]


class Rooms:
    """The users, sessions and rooms of one scene; times are those of `clock`, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._users: dict[int, str | None] = {}
        self._members: dict[str, frozenset[str]] = {}
        self._masters: dict[str, str] = {}
        self._encounters: dict[str, float] = {}
        self._shared: set[str] = set()
        self._stays: dict[int, RoomStay] = {}
        self._granted: dict[int, int] = {}  # the number of the stay that a connection was granted last, until it left
        self._refused_joins: list[tuple[int, str]] = []
        self._closings: dict[int, tuple[float, bool]] = {}  # when a connection was closed, and whether by the server

    @property
    def state(self) -> RoomsState:
        """All that is known by now."""
        return RoomsState(
            dict(self._users),
            dict(self._members),
            dict(self._masters),
            dict(self._encounters),
            frozenset(self._shared),
            tuple(self._stays.values()),
            dict(self._granted),
            tuple(self._refused_joins),
        )

    def restore(self, state: RoomsState) -> None:
        """Take over all that others knew, in place of what is known."""
        self._users, self._members = dict(state.users), dict(state.members)
        self._masters, self._encounters = dict(state.masters), dict(state.encounters)
        self._shared = set(state.shared)
        self._stays = {stay.number: stay for stay in state.stays}
        self._granted = dict(state.granted)
        self._refused_joins = list(state.refused_joins)

    # -- users and sessions --------------------------------------------------------------------------

    @property
    def users(self) -> Mapping[int, str | None]:
        """Who is behind a connection."""
        return self._users

    @property
    def members(self) -> Mapping[str, Collection[str]]:
        """The users who are members of each session of this scene."""
        return self._members

    @property
    def masters(self) -> Mapping[str, str]:
        """The user who is game master of each session of this scene, where that is known."""
        return self._masters

    @property
    def encounters(self) -> Mapping[str, float]:
        """When each encounter was opened that this scene opened in a session that it had already."""
        return self._encounters

    @property
    def shared(self) -> Collection[str]:
        """The sessions in which others may act who take no part in the run."""
        return self._shared

    def connected(self, connection: int, user: str | None) -> None:
        """Record who is behind a connection."""
        self._users[connection] = user

    def opened(self, session: str, members: Iterable[str], *, master: str | None = None, shared: bool = False) -> None:
        """Record a session, its members and its game master.

        In a `shared` one others may act who take no part in the run.
        """
        self._members[session] = frozenset(members)
        if master is not None:
            self._masters[session] = master
        if shared:
            self._shared.add(session)

    def encounter_opened(self, encounter: str) -> None:
        """Record that an encounter was opened, just now: a connection may have joined its session before."""
        self._encounters[encounter] = self._clock()

    def enrolled(self, session: str, user: str) -> None:
        """Record that a user became a member of a session."""
        self._members[session] |= {user}

    def removed(self, session: str, user: str) -> None:
        """Record that a user is no member of a session any more; the game master is one as long as there is one."""
        if user != self._masters.get(session):
            self._members[session] -= {user}

    # -- joining -------------------------------------------------------------------------------------

    @property
    def stays(self) -> Sequence[RoomStay]:
        """Every stay that was granted or may have been, in the order in which they were asked for."""
        return tuple(self._stays.values())

    @property
    def refused_joins(self) -> Sequence[tuple[int, str]]:
        """The connections that were refused when they asked to join, and the sessions that they asked for."""
        return self._refused_joins

    def stay_of(self, connection: int) -> RoomStay | None:
        """Return the stay that a connection was granted last, unless it has left since; it may have ended otherwise."""
        number = self._granted.get(connection)
        return None if number is None else self._stays[number]

    def is_anywhere(self, user: str) -> bool:
        """Whether any connection of a user is in a room."""
        return any(stay.left_at is None and self._users.get(stay.connection) == user for stay in self._stays.values())

    def join_asked(self, connection: int, session: str, at: float | None = None) -> RoomStay:
        """Record that a connection asked to join; as long as no answer is known, it may be in the room or not."""
        joined_at = self._clock() if at is None else at
        stay = RoomStay(next(_NUMBERS), connection, session, joined_at, self._granted.get(connection))
        self._stays[stay.number] = stay
        return stay

    def join_unacknowledged(self, connection: int, session: str, at: float) -> None:
        """Record that a connection asks to join without a callback: whether it did, and when, remains unknown.

        If it did, it has left its room for that, and the user's other connections may have been moved out of theirs.
        """
        self.join_unanswered(self.join_asked(connection, session, at))

    def join_unanswered(self, stay: RoomStay) -> None:
        """Record that it remains unknown whether an asked-for stay was granted: others may have ended by that."""
        self._may_move_out(stay, itself=True)

    def join_sent(self, stay: RoomStay, sent: SentRequest) -> None:
        """Record the request by which joining was asked for, which may have been sent more than once."""
        self._put(stay, joined_at=sent.at, connection=sent.connection)

    def join_refused(self, stay: RoomStay) -> None:
        """Record that an asked-for stay was refused: there is none."""
        stay = self._stays.pop(stay.number)
        self._refused_joins.append((stay.connection, stay.session))

    def joined(self, stay: RoomStay, at: float | None = None) -> RoomStay:
        """Record that an asked-for stay was acknowledged; it ends the one that the connection had when it asked.

        Of two that are asked for at once neither ends the other: which one lasts is up to the server, and so is in
        which order it answers. Returns the stay, which is the one before if that was in the same room and lasts.
        """
        at = self._clock() if at is None else at
        before = None if stay.previous is None else self._stays[stay.previous]
        came_back = self._may_have_been_elsewhere(stay)
        if before and before.left_at is None and before.session == stay.session and not came_back:
            del self._stays[stay.number]
            self._may_move_out(before)
            return self._put(before, repeats=before.repeats + 1)
        stay = self._put(stay, acked_at=at, exact=not came_back)
        if before and before.left_at is None and not came_back:
            self._end(before, "switched", at, stay.joined_at)
        self._granted[stay.connection] = stay.number
        self._may_move_out(stay)
        if stay.connection in self._closings:  # before anybody looked at the answer
            closed_at, by_server = self._closings[stay.connection]
            self.closed(stay.connection, closed_at, by_server=by_server)
        return self._stays[stay.number]

    def _may_have_been_elsewhere(self, stay: RoomStay) -> bool:
        """Whether the connection has asked for the room that it was in and, at once, for another: that may come first.

        It is not known as long as the other is not answered.
        """
        before = None if stay.previous is None else self._stays[stay.previous]
        if before is None or before.session != stay.session:
            return False
        return any(
            other.connection == stay.connection and other.previous == stay.previous and other.session != stay.session
            for other in self._stays.values()
            if other.acked_at is None and other.left_at is None
        )

    def _may_move_out(self, stay: RoomStay, *, itself: bool = False) -> None:
        """Record that a user's stays in other rooms may end by joining this one; when, a server does not say.

        When a stay of the connection `itself` ended is as well known as before, unless it is said otherwise.
        """
        user = self._users.get(stay.connection)
        for other in self.stays:
            if other.session == stay.session or self._users.get(other.connection) != user:
                continue
            if other.connection != stay.connection or itself:
                self._put(other, exact=False)

    def joined_at_once(self, connection: int) -> None:
        """Record that nothing says in which of several rooms a connection is, that it asked to join at once."""
        for stay in self.stays:
            if stay.connection == connection:
                self._put(stay, exact=False)

    # -- leaving -------------------------------------------------------------------------------------

    def leave_asked(self, connection: int) -> None:
        """Record that a connection asks to leave, and is not answered: whether it did, and when, remains unknown."""
        if stay := self._lasting(connection):
            self._put(stay, exact=False)

    def left(self, connection: int, at: float, asked: float) -> None:
        """Record that a connection's leaving was acknowledged, which it had `asked` for at that time.

        The connection may have been closed since, before anybody looked at the answer.
        """
        stay = self.stay_of(connection)
        if stay and (stay.left_at is None or (stay.why == "closed" and at <= stay.left_at)):
            self._end(stay, "left", at, asked)
            del self._granted[connection]

    def leaving(self, connection: int) -> None:
        """Record that a connection is about to say DISCONNECT to the server."""
        if stay := self._lasting(connection):
            self._put(stay, leave_requested_at=self._clock())

    def closed(self, connection: int, at: float, *, by_server: bool) -> None:
        """Record that a connection was closed; a stay ends with that, also one whose answer is looked at later."""
        self._closings[connection] = at, by_server
        if stay := self._lasting(connection):
            asked = stay.leave_requested_at
            if by_server:
                self._end(stay, "closed", at, asked)
            else:
                self._end(stay, "gone", at, asked or at)

    def revoked(self, user: str, at: float, asked: float, *, session: str | None = None) -> None:
        """Record that a user's membership was taken away, which was `asked` for at that time; all stays end.

        Those in one `session` do, if it is named.
        """
        for stay in self.stays:
            concerned = session in (None, stay.session) and self._users.get(stay.connection) == user
            if concerned and stay.left_at is None:
                self._end(stay, "revoked", at, asked)

    def _lasting(self, connection: int) -> RoomStay | None:
        """Return a connection's stay, unless that has ended."""
        stay = self.stay_of(connection)
        return stay if stay and stay.left_at is None else None

    def _end(self, stay: RoomStay, why: EndOfStay, at: float, asked: float) -> None:
        self._put(stay, why=why, left_at=at, leave_requested_at=asked)

    def _put(self, stay: RoomStay, **known: Any) -> RoomStay:
        stay = self._stays[stay.number] = replace(self._stays[stay.number], **known)
        return stay

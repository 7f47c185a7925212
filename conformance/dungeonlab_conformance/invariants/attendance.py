"""Who sat in which room, and when, as far as the acknowledgements of a whole run tell. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterable

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Seat


class Attendance:
    """Every connection's user and seats, and every session's members, over all scenes of a run."""

    def __init__(self, journals: Iterable[Journal]) -> None:
        self.users: dict[int, str | None] = {}
        self.members: dict[str, set[str]] = {}
        self.shared: set[str] = set()  # sessions in which others may come and go
        self._seats: dict[int, list[Seat]] = {}
        self._by_user: dict[tuple[str | None, str], list[Seat]] = {}
        self._refused: set[tuple[int, str]] = set()
        for journal in journals:
            self.users.update(journal.users)
            self.members.update(journal.members)
            self.shared.update(journal.shared)
            self._refused.update(journal.refused_joins)
            for seat in journal.seats:
                self._seats.setdefault(seat.connection, []).append(seat)
        for connection, seats in self._seats.items():
            for seat in seats:
                self._by_user.setdefault((self.users.get(connection), seat.session), []).append(seat)

    def is_member(self, connection: int, session: str) -> bool:
        """Whether the user behind a connection belongs to a session at the end of its scene."""
        return self.users.get(connection) in self.members.get(session, ())

    def was_refused(self, connection: int, session: str) -> bool:
        """Whether a connection was refused when it asked to join."""
        return (connection, session) in self._refused

    def seats(self, connection: int, session: str) -> list[Seat]:
        """Return a connection's stays in a room, first to last."""
        return [seat for seat in self._seats.get(connection, ()) if seat.session == session]

    def seats_of(self, user: str | None, session: str) -> list[Seat]:
        """Return the stays of all of a user's connections in a room."""
        return self._by_user.get((user, session), [])

    def sits(self, connection: int, session: str, *, caused: float, heard: float) -> bool:
        """Whether a connection may hear at one time what was asked for at another: it sat there meanwhile."""
        return any(_covers(seat, caused, heard) for seat in self.seats(connection, session))

    def sat(self, connection: int, session: str, at: float) -> bool:
        """Whether a connection certainly sat in a room at some time."""
        seats = self.seats(connection, session)
        return any(seat.granted is not None and seat.granted <= at and _lasts(seat, at) for seat in seats)

    def sits_elsewhere(self, connection: int, session: str, *, caused: float, heard: float) -> bool | None:
        """Whether a connection sat in the room of another session; None if it came or went meanwhile."""
        seats = [s for s in self._seats.get(connection, ()) if s.session != session and _covers(s, caused, heard)]
        if any(s.certain and s.granted is not None and s.granted <= caused and _lasts(s, heard) for s in seats):
            return True
        return None if seats else False


def _covers(seat: Seat, caused: float, heard: float) -> bool:
    return seat.since <= heard and (not seat.certain or _lasts(seat, caused))


def _lasts(seat: Seat, at: float) -> bool:
    return seat.until is None or seat.until >= at

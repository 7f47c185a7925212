"""Accounts for every delivery of the whole run: who caused it, and was its listener entitled to it.

Pure: from the journals of all scenes to a cause and, where nothing entitles the listener, a requirement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dungeonlab_conformance.content import differences
from dungeonlab_conformance.journal import Journal, Observation, Said, Seat, carries
from dungeonlab_conformance.verdict import Broken


class Ledger:
    """The causes of all deliveries in a run."""

    def __init__(self, journals: Iterable[Journal]) -> None:
        self._said: dict[tuple[str, str], list[Said]] = {}  # by session and event
        self._sessions: set[str] = set()
        self._members: dict[str, set[str]] = {}
        self._elsewhere: dict[int, list[Seat]] = {}
        self._times: Counter[tuple[str, object, int]] = Counter()  # deliveries of one request to one connection
        for journal in journals:
            self._members.update(journal.members)
            self._sessions.update(journal.members)
            for said in journal.said:
                self._said.setdefault((said.session or "", said.event), []).append(said)
            for seat in journal.seats:
                self._elsewhere.setdefault(seat.connection, []).append(seat)

    def is_ours(self, session: object) -> bool:
        """Whether a session was opened by this run, so that nobody else speaks in it."""
        return session in self._sessions

    def cause(self, seen: Observation) -> Said | None:
        """Return the request that a delivery goes back to, if this run sent one."""
        found = self._candidates(seen)
        return next((said for said in found if not differences(said, seen)), found[0] if found else None)

    def _candidates(self, seen: Observation) -> list[Said]:
        """Return the requests whose mark a delivery carries: as a rule one, several for one token's changes."""
        body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
        named = [said for said in self._said.get((str(body.get("sessionId")), seen.event), ()) if carries(seen, said)]
        if named:
            return named
        others = (said for session in self._said.values() for said in session)
        return [said for said in others if isinstance(said.mark, str) and carries(seen, said)]

    def blame(self, seen: Observation, cause: Said, journal: Journal) -> tuple[str, Broken] | None:
        """Return the requirement that a delivery breaks, or None if its listener was entitled to it."""
        key = (cause.event, cause.mark, seen.connection)
        self._times[key] += 1
        what = f"{cause.actor}'s {cause.event}"
        if cause.fate == "refused":
            requirement = "rooms/refused-event-is-not-broadcast" if cause.legal else "payloads/refused-not-broadcast"
            return requirement, Broken(f"{what}, which was refused, not to be broadcast", f"{seen.actor} heard it")
        if seen.connection == cause.connection:
            return "rooms/sender-hears-nothing", Broken(f"{cause.actor} not to hear {what}", "an echo")
        if not self._entitled(seen, cause):
            requirement = self._trespass(seen, cause, journal)
            return requirement, Broken(f"{seen.actor} to hear nothing of {what}", "it was delivered")
        if self._times[key] > len(self._candidates(seen)):
            expected = f"{seen.actor} to hear {what} once"
            return "rooms/every-other-member-hears-once", Broken(expected, f"{self._times[key]} deliveries")
        return None

    def _entitled(self, seen: Observation, cause: Said) -> bool:
        return any(
            seat.session == cause.session
            and (not seat.certain or (seat.since <= seen.at and (seat.until is None or seat.until >= cause.at)))
            for seat in self._elsewhere.get(seen.connection, ())
        )

    def _trespass(self, seen: Observation, cause: Said, journal: Journal) -> str:
        session = cause.session or ""
        left = [s for s in self._elsewhere.get(seen.connection, ()) if s.session == session]
        if left:
            return {
                "left": "join/leave-stops-delivery",
                "switched": "join/second-join-leaves-the-first-room",
                "revoked": "authorization/removed-member-hears-nothing",
            }.get(left[-1].why, "join/disconnect-leaves-the-room")
        if (seen.connection, session) in journal.refused_joins:
            return "join/refused-join-subscribes-nothing"
        if any(s.until is None or s.until >= cause.at for s in self._elsewhere.get(seen.connection, ())):
            return "rooms/other-session-hears-nothing"
        if journal.users.get(seen.connection) in self._members.get(session, ()):
            return "rooms/member-not-joined-hears-nothing"
        return "rooms/outsider-hears-nothing"

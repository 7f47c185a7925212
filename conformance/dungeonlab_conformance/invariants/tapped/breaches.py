"""Which requirements a server broke, as far as that follows from what a tap saw. Pure; it can only convict.

Nobody knows what else happens on the server: others may act whom the tap does not see. So nothing follows from what
did not come, but for an answer; and nothing from what nobody is known to have caused.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dungeonlab_conformance.invariants.answers.numbers import numbers
from dungeonlab_conformance.invariants.attendance import Attendance
from dungeonlab_conformance.invariants.breaches import Breach, breaches
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.deliveries.attribution import HISTORY_RULES, POSITION_RULES, history_with
from dungeonlab_conformance.invariants.deliveries.causes import session_of
from dungeonlab_conformance.invariants.tapped.replayed import Replayed
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue

ANSWERED_WITHIN = 30.0  # seconds, three times what a run waits for; with news on the same connection after them
_UNDER_WAY = 5.0  # seconds for which a broadcast may be on its way to who has just left
_ASKED_OTHERWISE = "rooms/direct-answers-stay-direct"


@dataclass(frozen=True, slots=True)
class TappedBreach:
    """One way in which a server broke a requirement; `packets` show it, and the last of them convicts."""

    requirement: str
    event: str | None
    broken: Broken
    packets: tuple[TappedPacket, ...]


def tapped_breaches(packets: Iterable[TappedPacket]) -> Iterator[TappedBreach]:
    """Yield what a server broke. `packets` are a journal, or a part of it without gaps."""
    replayed, catalogue = Replayed(packets), Catalogue.load()
    for journal in (replayed.journal, replayed.partial):
        ledger = Ledger([journal])
        for breach in breaches(journal, ledger, catalogue):
            if breach.requirement != _ASKED_OTHERWISE or not _asked(replayed, breach):
                yield _shown(replayed, breach.requirement, breach.event, breach.broken, breach.seen)
        for seen, (requirement, event, broken) in numbers(journal):
            yield _shown(replayed, requirement, event, broken, seen)
        if journal is replayed.journal:
            yield from _heard_outside(replayed, ledger.attendance)
    yield from _unanswered(replayed)


def _asked(replayed: Replayed, breach: Breach) -> bool:
    """Whether a connection that hears a direct answer has asked for one itself: then it may be its own."""
    return any(
        request.connection == breach.seen.connection and request.event == breach.event
        for request in replayed.journal.requests
    )


def _shown(replayed: Replayed, requirement: str, event: str | None, broken: Broken, seen: Observation) -> TappedBreach:
    packet = replayed.packets[seen.number]
    asked = _packet_of(replayed, seen.request)
    return TappedBreach(requirement, event, broken, (asked, packet) if asked else (packet,))


def _packet_of(replayed: Replayed, request: Request | None) -> TappedPacket | None:
    sent = replayed.journal.last_sent(request) or replayed.partial.last_sent(request) if request else None
    return replayed.sent.get(sent.number) if sent else None


def _heard_outside(replayed: Replayed, attendance: Attendance) -> Iterator[TappedBreach]:
    """Yield each broadcast of a session that reached a connection outside of its room."""
    known_events = Catalogue.load().events
    for seen in replayed.journal.observations:
        event = known_events.get(seen.event) if seen.act == "hears" else None
        session = session_of(seen)
        if event is None or not event.is_broadcast or session not in replayed.sessions:
            continue
        connection = replayed.connections[seen.connection]
        if connection.unsure or attendance.may_hear(
            seen.connection, session, caused=seen.at - _UNDER_WAY, heard=seen.at
        ):
            continue
        rule, why = _position(attendance, seen, session)
        broken = Broken(f"{seen.actor} to hear nothing of the session {session}, {why}", f"{seen.event}: {seen.args}")
        per_event = Catalogue.load().requirements[rule].each is not None
        yield _shown(replayed, rule, seen.event if per_event else None, broken, seen)


def _position(attendance: Attendance, seen: Observation, session: str) -> tuple[str, str]:
    """Return the rule that keeps a listener out of a room, and why it is out of it."""
    history = history_with(session, seen, attendance)
    if history is not None:
        return HISTORY_RULES[history], _HISTORIES.get(history, "whose room it is not in any more")
    if attendance.is_elsewhere(seen.connection, session, caused=seen.at - _UNDER_WAY, heard=seen.at):
        return POSITION_RULES["in another room"], "since it is in another one"
    member = attendance.stays_of(attendance.users.get(seen.connection), session)
    return POSITION_RULES["member" if member else "outsider"], "which it has not joined"


_HISTORIES = {
    "left": "which it has left",
    "switched": "since it has joined another one",
    "refused": "which it was not let into",
    "reconnected": "which an earlier connection had joined, and this one has not",
}


def _unanswered(replayed: Replayed) -> Iterator[TappedBreach]:
    """Yield each request without an answer on a connection on which the server went on to be heard."""
    for known in replayed.connections.values():
        if not known.whole or known.ended_by_tap:
            continue
        for request in itertools.chain.from_iterable(known.asked.values()):
            sent = replayed.journal.last_sent(request)
            if sent is not None and known.heard >= sent.at + ANSWERED_WITHIN:
                waited = f"none in {known.heard - sent.at:.0f} s, in which the connection went on"
                broken = Broken(f"one answer to {request.event}", waited)
                yield TappedBreach("acks/exactly-one-answer", request.event, broken, (replayed.sent[sent.number],))

"""Accounts for every delivery of the whole run: who caused it, and was its listener entitled to it.

Pure: from the journals of all scenes to a cause and, where nothing entitles the listener, a requirement.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.invariants.attendance import Attendance
from dungeonlab_conformance.invariants.content import asks_for, differs, same
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import carries
from dungeonlab_conformance.record.observation import EndOfStay, Observation, Request, SentRequest
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue, accepts

_STRANGE = 1_000  # deliveries of one event to one connection, unlike any request, after which none is looked for
_MADE_UP = re.compile(r"(?=(mark-[^.]{1,80}\.))")  # wherever one begins in a text, as `new_mark` makes them

_ENDED: dict[EndOfStay, str] = {  # the rule that keeps out who was in a room, by how that ended
    "left": "join/leave-stops-delivery",
    "switched": "join/second-join-leaves-the-first-room",
    "revoked": "authorization/removed-member-hears-nothing",
    "closed": "join/disconnect-leaves-the-room",
    "gone": "join/disconnect-leaves-the-room",
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One broadcast that one connection was sent: `count` of the same so far, of as many as were `asked` for."""

    seen: Observation
    cause: SentRequest
    count: int = 1
    asked: int = 1


class Ledger:
    """The causes of all deliveries in a run."""

    def __init__(self, journals: Iterable[Journal]) -> None:
        journals = list(journals)
        self.attendance = Attendance(journals)
        self._requests: dict[tuple[str, str], list[SentRequest]] = {}  # by session and event
        self._journals: dict[int, Journal] = {}  # by the number of a request that was sent in it
        self._marks: dict[
            tuple[str, str | int], list[tuple[int, SentRequest]]
        ] = {}  # by event and mark, numbered in order
        for journal in journals:
            for request in (*journal.requests, *_asked_about(journal.requests)):
                self._requests.setdefault((request.session or "", request.event), []).append(request)
                self._journals[request.number] = journal
                if request.mark is not None:
                    self._marks.setdefault((request.event, request.mark), []).append((len(self._journals), request))
        self._tainted = {
            (request.session, request.event)
            for j in journals
            for request in j.requests
            if not request.legal and request.outcome == "accepted"
        }
        self._asked = {event for _, event in self._requests}
        self._deliveries: dict[int, Delivery] = {}  # by number of observation
        self._times: Counter[tuple[int, int]] = Counter()  # deliveries of a request to a connection
        self._unaccounted = {session for j in journals if not j.accounted for session in j.rooms.members}
        self._account([journal for journal in journals if journal.accounted])
        strangers = [d for d in self._deliveries.values() if self._is_stranger(d)]
        self._leaky = {delivery.cause.event for delivery in strangers}
        more = [d for d in self._deliveries.values() if d.count > d.asked and d.cause.outcome != "refused"]
        self._doubled = {d.cause.event for d in more if not self._joined_again(d)}  # without any further reason
        self.garbled = {  # events that do not say what was done even where that is nobody's special concern
            d.cause.event
            for d in self._deliveries.values()
            if d.cause.outcome == "accepted" and not d.cause.requirement and differs(d.cause, d.seen)
        }
        trespasses = [d for d in self._deliveries.values() if d.cause.connection != d.seen.connection]
        self.haunted = {  # rooms that those hear who were in them once, or at their door
            past
            for d in trespasses
            if d.cause.event not in self._leaky and not self._is_entitled(d) and (past := self._history(d)) is not None
        }
        standings = ((self._standing(delivery), delivery.cause.event) for delivery in strangers)
        self._plain = {(found, event) for found, event in standings if found}  # leaks that are beyond doubt

    def _account(self, journals: Sequence[Journal]) -> None:
        """Find the cause of each delivery: by its mark, or by what it says, or else by what is still owed."""
        unexplained: list[tuple[Journal, Observation]] = []
        strange: Counter[tuple[int, str]] = Counter()  # of a connection and an event
        for journal in journals:
            for seen in journal.observations:
                if seen.act == "hears" and seen.connection and self._may_be_caused(seen):
                    key = seen.connection, seen.event
                    found = self._marked(seen, journal)
                    if not found and strange[key] < _STRANGE:
                        found = self._alike(seen, journal)
                    if found:
                        self._enter(seen, found)
                    elif strange[key] < _STRANGE:
                        strange[key] += 1
                        unexplained.append((journal, seen))
        for journal, seen in unexplained:
            if _session(seen) in self.attendance.shared:
                continue  # others may have caused it
            owed = [
                request
                for request in self._in_session(seen, journal)
                if request.legal
                and request.outcome != "refused"
                and request.at <= seen.at
                and request.connection != seen.connection
                and not self._times[request.number, seen.connection]
                and self.attendance.sat(seen.connection, request.session or "", request.at)
            ]
            found = owed or [request for request in self._in_session(seen, journal) if _is_relayed(request, seen)]
            if found:
                self._enter(seen, found[:1])

    def _may_be_caused(self, seen: Observation) -> bool:
        return isinstance(seen.event, str) and seen.event in self._asked

    def _enter(self, seen: Observation, found: list[SentRequest]) -> None:
        allowed = [request for request in found if request.outcome != "refused"]
        key = found[0].number, seen.connection
        self._times[key] += 1
        if self._times[key] > len(allowed) and len(allowed) < len(found):
            cause = next(request for request in found if request.outcome == "refused")
        elif len(allowed) == 1:
            cause = allowed[0]
        else:
            cause = min(allowed or found, key=lambda request: _unlikelihood(request, seen))
        self._deliveries[seen.number] = Delivery(seen, cause, self._times[key], len(allowed))

    def _marked(self, seen: Observation, journal: Journal) -> list[SentRequest]:
        """Return the requests whose mark a delivery carries: as a rule one, several for one token's changes."""
        marks = {mark for mark in _marks_in(seen) if (seen.event, mark) in self._marks}
        known = sorted((each for mark in marks for each in self._marks[seen.event, mark]), key=lambda each: each[0])
        carried = [request for _, request in known if carries(seen, request)]
        named = [request for request in carried if (request.session or "") == _session(seen)]
        own = [request for request in carried if self._journals[request.number] is journal]
        return named or own or [request for request in carried if isinstance(request.mark, str)]

    def _alike(self, seen: Observation, journal: Journal) -> list[SentRequest]:
        """Return the requests without a mark that ask for just what a delivery says."""
        for known in (self._in_session(seen, journal), journal.requests):
            found = [
                request
                for request in known
                if request.event == seen.event
                and request.mark is None
                and request.at <= seen.at
                and _says_something(request)
                and not differs(request, seen)
            ]
            if found:
                return found
        return []

    def _in_session(self, seen: Observation, journal: Journal) -> Sequence[SentRequest]:
        if self.is_ours(_session(seen)):
            return self._requests.get((_session(seen), seen.event), ())
        return [request for request in journal.requests if request.event == seen.event]

    def is_ours(self, session: object) -> bool:
        """Whether a session was opened by this run, so that nobody else speaks in it."""
        known = isinstance(session, str) and session in self.attendance.members  # it may be anything, from a server
        return known and session not in self.attendance.shared | self._unaccounted

    def is_tainted(self, seen: Observation) -> bool:
        """Whether an invalid request like this was accepted in its session: whatever follows is put down to that."""
        delivery = self.delivery(seen)
        session = delivery.cause.session if delivery else _session(seen)
        return any((session, event) in self._tainted for event in (seen.event, "join-session", "leave-session"))

    def delivery(self, seen: Observation) -> Delivery | None:
        """Return how a broadcast came about, if a request of this run caused it."""
        return self._deliveries.get(seen.number)

    def journal_of(self, request: SentRequest) -> Journal:
        """Return the journal of the scene in which a request was sent."""
        return self._journals[request.number]

    def blame(self, delivery: Delivery) -> tuple[str, Broken] | None:
        """Return the requirement that a delivery breaks, or None if its listener was entitled to it."""
        seen, cause = delivery.seen, delivery.cause
        what = f"{cause.actor}'s {cause.event}"
        if cause.outcome == "refused" and not (delivery.asked and cause.event in self._doubled):
            usual = "rooms/refused-event-is-not-broadcast" if cause.legal else "payloads/refused-not-broadcast"
            expected = f"{what}, which was refused, not to be broadcast"
            return cause.requirement or usual, Broken(expected, f"{seen.actor} heard it")
        if not cause.legal:
            return None  # whether it should have been accepted is another matter
        if seen.connection == cause.connection:
            return "rooms/sender-hears-nothing", Broken(f"{cause.actor} not to hear {what}", "an echo")
        if not self._is_entitled(delivery):
            return self._trespass(delivery), Broken(f"{seen.actor} to hear nothing of {what}", "it was delivered")
        if delivery.count > delivery.asked:
            again = self._joined_again(delivery) and cause.event not in self._doubled
            requirement = "join/repeated-join-is-harmless" if again else "rooms/every-other-member-hears-once"
            return requirement, Broken(f"{seen.actor} to hear {what} once", f"{delivery.count} deliveries")
        return None

    def _joined_again(self, delivery: Delivery) -> bool:
        stays = self.attendance.stays(delivery.seen.connection, delivery.cause.session or "")
        return any(stay.repeats for stay in stays)

    def _is_entitled(self, delivery: Delivery) -> bool:
        seen, cause = delivery.seen, delivery.cause
        return self.attendance.sits(seen.connection, cause.session or "", caused=cause.at, heard=seen.at)

    def _is_stranger(self, delivery: Delivery) -> bool:
        """Whether what was done reached a connection that never had to do with its room."""
        own = delivery.seen.connection == delivery.cause.connection
        return not own and not self._is_entitled(delivery) and self._history(delivery) is None

    def _trespass(self, delivery: Delivery) -> str:
        """Name the rule that kept a listener out: by its past in the room, unless strangers hear as much."""
        history = self._history(delivery)
        if history is not None and delivery.cause.event not in self._leaky:
            return history
        return self._standing(delivery) or self._likely(delivery)

    def _standing(self, delivery: Delivery) -> str | None:
        """Name the rule that keeps those out who are where a listener was; None if it just came or went."""
        seen, cause = delivery.seen, delivery.cause
        session = cause.session or ""
        elsewhere = self.attendance.sits_elsewhere(seen.connection, session, caused=cause.at, heard=seen.at)
        if elsewhere is None:
            return None
        if elsewhere:
            return "rooms/other-session-hears-nothing"
        return self._outside(delivery)

    def _likely(self, delivery: Delivery) -> str:
        """Name the rule for a listener in doubt: one that is plainly broken, if there is such a one."""
        outside = self._outside(delivery)
        plain = (outside, delivery.cause.event) in self._plain
        other = ("rooms/other-session-hears-nothing", delivery.cause.event) in self._plain
        return "rooms/other-session-hears-nothing" if other and not plain else outside

    def _outside(self, delivery: Delivery) -> str:
        if self.attendance.is_member(delivery.seen.connection, delivery.cause.session or ""):
            return "rooms/member-not-joined-hears-nothing"
        return "rooms/outsider-hears-nothing"

    def _history(self, delivery: Delivery) -> str | None:
        return self.past(delivery.seen, delivery.cause.session or "")

    def past(self, seen: Observation, session: str) -> str | None:
        """Name the rule that keeps a connection out of a room it is not in any more, or was not let into; or None."""
        connection = seen.connection
        past = [s for s in self.attendance.stays(connection, session) if s.joined_at <= seen.at]
        if past:
            why = past[-1].why
            return None if why is None else _ENDED[why]
        if self.attendance.was_refused(connection, session):
            return "join/refused-join-subscribes-nothing"
        before = self.attendance.stays_of(self.attendance.users.get(connection), session)
        if any(stay.why in ("closed", "gone") and (stay.left_at or 0.0) <= seen.at for stay in before):
            return "join/disconnect-leaves-the-room"
        return None


def _asked_about(requests: Iterable[SentRequest]) -> Iterator[SentRequest]:
    """Yield the actions that validate-action was asked about: they must not be carried out for that.

    A malformed one is none of them: what it lacks would let it pass for any other.
    """
    for question in requests:
        match question.args:
            case ({"action": {"type": str(event), "payload": dict() as action}},) if _is_in_order(event, action):
                yield SentRequest(
                    event,
                    (action,),
                    question.action.mark if question.action else None,
                    question.session,
                    requirement="direct/validate-action-has-no-effect",
                    number=-question.number,
                    actor=question.actor,
                    user=question.user,
                    connection=question.connection,
                    at=question.at,
                    outcome="refused",
                )


def _is_in_order(event: str, payload: object) -> bool:
    row = Catalogue.load().events.get(event)
    return row is not None and row.request is not None and accepts(row.request, payload)


def _is_relayed(request: SentRequest, seen: Observation) -> bool:
    """Whether a delivery holds all of an invalid request that was refused before, and nothing else to be asked for."""
    body, asked = (args[0] if args else None for args in (seen.args, request.args))
    if request.legal or request.outcome != "refused" or request.at > seen.at:
        return False
    if not isinstance(body, dict) or not isinstance(asked, dict) or not asked or not asked.keys() <= body.keys():
        return False
    if not all(same(body[key], value) for key, value in asked.items()):
        return False
    return body.keys() & asks_for(request.event) <= asked.keys()


def _unlikelihood(request: SentRequest, seen: Observation) -> tuple[bool, ...]:
    """Of several requests with one mark, the first of the least unlikely is taken for a delivery's cause."""
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    own = request.connection == seen.connection
    return request.at > seen.at, differs(request, seen), body.get("userId") != request.user, own


def _marks_in(seen: Observation) -> Iterator[Any]:
    """Yield what may be the mark of a request, among all that a delivery holds."""
    for text in seen.args.texts:
        yield text
        yield from _MADE_UP.findall(text)
    yield from seen.args.numbers


def _session(seen: Observation) -> str:
    """Return the session that a delivery names; none, if what stands there is no text."""
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    session = body.get("sessionId")
    return session if isinstance(session, str) else ""


def _says_something(request: Request) -> bool:
    """Whether a request has more to it than where it is to happen, so that it can be known by its content."""
    body = request.args[0] if len(request.args) == 1 else None
    return isinstance(body, dict) and bool(body.keys() - {"sessionId", "encounterId"})

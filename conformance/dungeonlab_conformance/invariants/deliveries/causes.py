"""Finds the request that caused a delivery: by its mark, by its content, or by what the listener was still owed.

Where several requests explain a delivery, those that were accepted go first, each as often as it was sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.invariants.attendance import Attendance
from dungeonlab_conformance.invariants.content import agreement, asks_for, differs, same
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import carries, is_made_up
from dungeonlab_conformance.record.observation import Observation, Request, SentRequest
from dungeonlab_spec import Catalogue, accepts

_UNEXPLAINED = 1_000  # deliveries of one event to one connection without a cause, after which none is looked for
_MARK = re.compile(r"(?=(mark-[^.]{1,80}\.))")  # wherever one begins in a text, as `new_mark` makes them


@dataclass(frozen=True, slots=True)
class Cause:
    """The request that explains a delivery to one connection: its delivery number `count` of `allowed` ones."""

    seen: Observation
    request: SentRequest
    count: int
    allowed: int


class Causes:
    """The causes of all deliveries in a run."""

    def __init__(self, journals: Sequence[Journal], attendance: Attendance) -> None:
        self._attendance = attendance
        self._requests: dict[tuple[str, str], list[SentRequest]] = {}  # by session and event
        self._journals: dict[int, Journal] = {}  # by the number of a request that was sent in it
        self._marks: dict[tuple[str, str | int], list[tuple[int, SentRequest]]] = {}  # by event and mark; with its rank
        for journal in journals:
            for request in (*journal.requests, *_actions_asked_about(journal.requests)):
                self._requests.setdefault((request.session or "", request.event), []).append(request)
                self._journals[request.number] = journal
                if request.mark is not None:
                    self._marks.setdefault((request.event, request.mark), []).append((len(self._journals), request))
        self._events = {event for _, event in self._requests}
        self._unaccounted = {session for j in journals if not j.accounted for session in j.rooms.members}
        self._times: Counter[tuple[int, int]] = Counter()  # deliveries of a request to a connection
        self._causes: dict[int, Cause] = {}  # by number of observation
        self._again: dict[int, list[SentRequest]] = {}  # by number of observation, what it says once more than asked
        unexplained = self._trace([journal for journal in journals if journal.accounted])
        for journal, seen in unexplained:
            self._trace_by_debt(seen, journal)
        self._trace_by_others(unexplained)

    def all(self) -> Iterable[Cause]:
        """Return the cause of each delivery that has one, in the order in which they were found."""
        return self._causes.values()

    def journal_of(self, request: SentRequest) -> Journal:
        """Return the journal of the scene in which a request was sent."""
        return self._journals[request.number]

    def is_own(self, session: object) -> bool:
        """Whether a session was opened by this run, so that all requests in it are known."""
        known = isinstance(session, str) and session in self._attendance.members  # a server may name anything
        return known and session not in self._attendance.shared | self._unaccounted

    def _trace(self, journals: Sequence[Journal]) -> list[tuple[Journal, Observation]]:
        """Find causes by mark and by content; return the deliveries that have none."""
        unexplained: list[tuple[Journal, Observation]] = []
        without: Counter[tuple[int, str]] = Counter()  # by connection and event
        for journal in journals:
            for seen in journal.observations:
                if seen.act != "hears" or not seen.connection or not self._may_be_caused(seen):
                    continue
                key = seen.connection, seen.event
                found = self._by_mark(seen, journal)
                if not found and without[key] < _UNEXPLAINED:
                    found = self._by_content(seen, journal)
                if self._is_too_many(seen, found) and without[key] < _UNEXPLAINED:
                    without[key] += 1
                    self._again[seen.number] = found
                    unexplained.append((journal, seen))
                elif found:
                    self._enter(seen, self._garbled(found, seen, journal) or found)
                elif without[key] < _UNEXPLAINED:
                    without[key] += 1
                    unexplained.append((journal, seen))
        return unexplained

    def _is_too_many(self, seen: Observation, found: list[SentRequest]) -> bool:
        """Whether a connection has had what these requests without a mark of their own ask for as often as it may."""
        marked = any(request.mark is not None and is_made_up(request.mark) for request in found)
        return bool(found) and not marked and self._times[found[0].number, seen.connection] >= len(found)

    def _trace_by_debt(self, seen: Observation, journal: Journal) -> None:
        """Trace a delivery to a request that its listener is still owed, or to a refused one that it repeats.

        What says once more what was said already may be what is left of the one that is owed; else it is a repetition.
        """
        again = self._again.get(seen.number, [])
        if session_of(seen) in self._attendance.shared:
            if again:
                self._enter(seen, again)
            return  # others may have caused it
        known = self._in_session(seen, journal)
        found = [request for request in known if self._is_owed(request, seen)]
        if again:
            heard = [other for other in journal.heard(seen.connection) if other.event == seen.event]
            found = [request for request in found if all(differs(request, other) for other in heard)]
            found = [request for request in found if self._may_be_garbled(request, seen)]
            self._enter(seen, found[:1] or again)
            return
        found = found or [request for request in known if _repeats(seen, request)]
        if found and all(_otherness(request, seen)[0] for request in found):
            found = [request for request in known if self._may_be_garbled(request, seen)] or found
        if found:
            self._enter(seen, [min(found, key=lambda request: _otherness(request, seen))])

    def _trace_by_others(self, unexplained: Iterable[tuple[Journal, Observation]]) -> None:
        """Trace what leaks, and carries no mark, to what those who were owed the very same broadcast were owed.

        Where nobody was, to a request of the user whom it names, about the same things.
        """
        known: dict[tuple[str, str], SentRequest] = {}
        left = []
        for journal, seen in unexplained:
            if (cause := self._causes.get(seen.number)) is not None:
                known[seen.event, repr(seen.args)] = cause.request
            elif self.is_own(session_of(seen)):
                left.append((journal, seen))
        for journal, seen in left:
            same_broadcast = known.get((seen.event, repr(seen.args)))
            others = (request for request in self._in_session(seen, journal) if self._may_leak(request, seen))
            request = same_broadcast or next(others, None)
            if request is not None and not self._times[request.number, seen.connection]:
                self._enter(seen, [request])

    def _may_leak(self, request: SentRequest, seen: Observation) -> bool:
        """Whether a delivery to somebody outside the room may be the garbled broadcast of a request."""
        return self._may_be_garbled(request, seen) and not self._attendance.stays(
            seen.connection, request.session or ""
        )

    def _may_be_garbled(self, request: SentRequest, seen: Observation) -> bool:
        """Whether a delivery names the user of a request, is about the same things, and may be its broadcast."""
        body, asked = (args[0] if args and isinstance(args[0], dict) else {} for args in (seen.args, request.args))
        return (
            request.legal
            and request.outcome != "refused"
            and request.at <= seen.at
            and body.get("userId") == request.user
            and all(body.get(key) == asked.get(key) for key in ("encounterId", "tokenId"))
            and not self._times[request.number, seen.connection]
        )

    def _is_owed(self, request: SentRequest, seen: Observation) -> bool:
        """Whether a listener is to hear a request, and has not heard as many with its mark as were to be heard."""
        if not self._is_to_be_heard(request, seen):
            return False
        alike = [request]
        if request.mark is not None:
            alike = [each for _, each in self._marks[request.event, request.mark] if each.session == request.session]
        heard = sum(self._times[each.number, seen.connection] for each in alike)
        return heard < sum(self._is_to_be_heard(each, seen) for each in alike)

    def _is_to_be_heard(self, request: SentRequest, seen: Observation) -> bool:
        return (
            request.legal
            and request.outcome != "refused"
            and request.at <= seen.at
            and request.connection != seen.connection
            and self._was_there(request, seen)
        )

    def _was_there(self, request: SentRequest, seen: Observation) -> bool:
        """Whether a listener certainly was in the room when a request was sent."""
        return self._attendance.had_joined(seen.connection, request.session or "", request.at)

    def _unlikelihood(self, request: SentRequest, seen: Observation) -> tuple[bool, ...]:
        return *_unlikelihood(request, seen), not self._was_there(request, seen)

    def _may_be_caused(self, seen: Observation) -> bool:
        return isinstance(seen.event, str) and seen.event in self._events

    def _enter(self, seen: Observation, found: list[SentRequest]) -> None:
        """Choose the cause of a delivery among the requests that explain it, and count it."""
        allowed = [request for request in found if request.outcome != "refused"]
        key = found[0].number, seen.connection
        self._times[key] += 1
        refused = next((each for each in found if _may_be_refused(each, seen, allowed)), None)
        legal = [each for each in found if each.legal] if refused is not None else []
        exact = [each for each in legal if not any(_unlikelihood(each, seen))]
        if self._times[key] > len(allowed) and refused is not None:
            request = refused
        elif exact and all(each.outcome == "refused" for each in exact):
            request = exact[0]  # any other would have been broadcast under a false name, or garbled
        elif len(allowed) == 1:
            request = allowed[0]
        else:
            request = min(allowed or found, key=lambda request: self._unlikelihood(request, seen))
        self._causes[seen.number] = Cause(seen, request, self._times[key], len(allowed))

    def _by_mark(self, seen: Observation, journal: Journal) -> list[SentRequest]:
        """Return the requests whose mark a delivery carries: as a rule one, several for one token's changes.

        A mark that is a token's id says nothing of other scenes, whose tokens may have the same.
        """
        marks = {mark for mark in _marks_in(seen) if (seen.event, mark) in self._marks}
        known = sorted((each for mark in marks for each in self._marks[seen.event, mark]), key=lambda each: each[0])
        carried = [request for _, request in known if carries(seen, request)]
        named = [request for request in carried if (request.session or "") == session_of(seen)]
        if not named and not any(is_made_up(request.mark) for request in carried if request.mark is not None):
            named = self._by_content(seen, journal)  # tokens of other sessions may have the same ids
        carried = self._likely(named or carried, seen)
        same_scene = [request for request in carried if self._journals[request.number] is journal]
        certain = [each for each in carried if isinstance(each.mark, str) and is_made_up(each.mark)]
        return carried if named else same_scene or certain

    def _likely(self, carried: list[SentRequest], seen: Observation) -> list[SentRequest]:
        """Choose among requests whose marks a delivery carries, where some have one of their own and some a token's id.

        What is broadcast of a token carries its id, and the mark of the request that named it before.
        """
        own = [each for each in carried if each.mark is not None and is_made_up(each.mark)]
        others = [each for each in carried if each not in own and each.at <= seen.at]
        if not own or not others:
            return carried
        times = {each.number: self._times[each.number, seen.connection] for each in (*own, others[0])}
        new = [each for each in own if not times[each.number] and each.connection != seen.connection]
        if new and not any(self._was_there(each, seen) for each in new):
            likeliest = min((*new, *others), key=lambda each: self._unlikelihood(each, seen))
            new = [each for each in new if each is likeliest]  # else the token was named before the listener came
        if new and all(each.outcome == "refused" for each in new):  # as what was only asked about is
            exact = [each for each in own if each.outcome == "accepted" and _otherness(each, seen) == (False, False)]
            new = exact or new
        heard = [each for each in others if each.outcome != "refused" and each.connection != seen.connection]
        owed = times[others[0].number] < len(heard)
        return new or (others if owed or _names_another(seen, own, others) else own)

    def _by_content(self, seen: Observation, journal: Journal) -> list[SentRequest]:
        """Return the requests without a mark that ask for just what a delivery says."""
        for known in (self._in_session(seen, journal), journal.requests):
            found = [
                request
                for request in known
                if request.event == seen.event
                and request.mark is None
                and request.at <= seen.at
                and _is_recognisable(request)
                and not differs(request, seen)
                and (request.legal or _says_no_more(seen, request))
            ]
            if found:
                return found
        return []

    def _garbled(self, found: list[SentRequest], seen: Observation, journal: Journal) -> list[SentRequest]:
        """Return the unmarked request that a delivery has more of than of those found, which were all heard before."""
        if found[0].mark is not None or self._times[found[0].number, seen.connection] < len(found):
            return []
        owed = [each for each in self._in_session(seen, journal) if each.mark is None and self._is_owed(each, seen)]
        best = max(owed, key=lambda request: agreement(request, seen), default=None)
        return [best] if best is not None and agreement(best, seen) > agreement(found[0], seen) else []

    def _in_session(self, seen: Observation, journal: Journal) -> Sequence[SentRequest]:
        if self.is_own(session_of(seen)):
            return self._requests.get((session_of(seen), seen.event), ())
        return [request for request in journal.requests if request.event == seen.event]


def session_of(seen: Observation) -> str:
    """Return the session that a delivery names; an empty text if it names none."""
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    session = body.get("sessionId")
    return session if isinstance(session, str) else ""


def _actions_asked_about(requests: Iterable[SentRequest]) -> Iterator[SentRequest]:
    """Yield the actions that validate-action was asked about, as refused requests: nothing may carry them out.

    A malformed action is left out: what it lacks would let it pass for any other.
    """
    for question in requests:
        match question.args:
            case ({"action": {"type": str(event), "payload": dict() as action}},) if _is_valid(event, action):
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


def _may_be_refused(request: SentRequest, seen: Observation, allowed: list[SentRequest]) -> bool:
    """Whether a delivery may go back to a request that was refused before it, or to a question about it.

    It does not if it names another one, who was allowed to do the same.
    """
    if request.outcome != "refused" or request.at > seen.at:
        return False
    return not _names_another(seen, [request], [each for each in allowed if each.at <= seen.at])


def _names_another(seen: Observation, some: Iterable[SentRequest], others: Iterable[SentRequest]) -> bool:
    """Whether a delivery names the user of one of the others, and of none of some requests."""
    named = [not _otherness(each, seen)[0] for each in some]
    return not any(named) and any(not _otherness(each, seen)[0] for each in others)


def _is_valid(event: str, payload: object) -> bool:
    row = Catalogue.load().events.get(event)
    return row is not None and row.request is not None and accepts(row.request, payload)


def _repeats(seen: Observation, request: SentRequest) -> bool:
    """Whether a delivery holds all of an invalid request that was refused before, and nothing else to be asked for."""
    body, asked = (args[0] if args else None for args in (seen.args, request.args))
    if request.legal or request.outcome != "refused" or request.at > seen.at:
        return False
    if not isinstance(body, dict) or not isinstance(asked, dict) or not asked or not asked.keys() <= body.keys():
        return False
    if not all(same(body[key], value) for key, value in asked.items()):
        return False
    return _says_no_more(seen, request)


def _says_no_more(seen: Observation, request: SentRequest) -> bool:
    """Whether a delivery holds nothing that could have been asked for and was not."""
    body, asked = (args[0] if args and isinstance(args[0], dict) else {} for args in (seen.args, request.args))
    return body.keys() & asks_for(request.event) <= asked.keys()


def _unlikelihood(request: SentRequest, seen: Observation) -> tuple[bool, ...]:
    """Rank the requests with one mark: the first of the least unlikely ones is taken for a delivery's cause.

    An echo that names somebody else has two things wrong with it, and a broadcast that lacks something one.
    """
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    echo, by_other = request.connection == seen.connection, body.get("userId") != request.user
    return request.at > seen.at, echo and by_other, differs(request, seen), by_other, echo


def _otherness(request: SentRequest, seen: Observation) -> tuple[bool, bool]:
    """Rank requests that a garbled delivery may go back to: one by the user whom it names, and about the same token."""
    body, asked = (args[0] if args and isinstance(args[0], dict) else {} for args in (seen.args, request.args))
    return body.get("userId") != request.user, body.get("tokenId") != asked.get("tokenId")


def _marks_in(seen: Observation) -> Iterator[Any]:
    """Yield every value in a delivery that may be the mark of a request."""
    for text in seen.args.texts:
        yield text
        if "mark-" in text:
            yield from _MARK.findall(text)
    yield from seen.args.numbers


def _is_recognisable(request: Request) -> bool:
    """Whether a request says more than where it is to happen, so that its broadcast is known by its content."""
    body = request.args[0] if len(request.args) == 1 else None
    return isinstance(body, dict) and bool(body.keys() - {"sessionId", "encounterId"})

"""Deliveries that never came: each accepted request, and each connection that certainly was in the room. Pure.

A server may be slow, and may run as several processes. So a delivery is missing only if it had not come by the end of
the run, although its listener made a round trip that began long after the request was acknowledged. It is counted only
where nothing but plain joining explains who is in the room (`history`): after anything else, other rules may apply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from dungeonlab_conformance.invariants.deliveries.history import History, ended
from dungeonlab_conformance.invariants.deliveries.ledger import Ledger
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Observation, RoomStay, SentRequest
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue

_EVERYBODY = "rooms/every-other-member-hears-once"
EACH_TAB = "rooms/every-tab-hears"
_ENDED_TAB = "join/tabs-are-independent"
_OWN_TAB = "rooms/own-other-connection-hears"
_TRANSPORT = "rooms/every-transport-hears"
_GAME_MASTER = "rooms/game-master-hears"
_TIMERS = 0.9  # of a time that was waited for; a clock may be coarse

Heard = tuple[str, str | int | None, int]  # event, mark and connection


@dataclass(frozen=True, slots=True)
class Missing:
    """A delivery that did not come; `seen` is the acknowledgement of its request."""

    requirement: str
    request: SentRequest
    broken: Broken
    seen: Observation
    journal: Journal


def missing(journals: Iterable[Journal], ledger: Ledger, patience: float) -> Iterator[Missing]:
    """Yield each delivery that did not come in a run; `patience` is how long one may take, in seconds."""
    scenes = [_Scene(journal, ledger) for journal in journals if journal.accounted]
    transports = Counter(each for scene in scenes for each in scene.history.transports.values())
    usual = transports.most_common(1)[0][0] if transports else ""
    heard_at_all = {event for scene in scenes for event, _, _ in scene.heard}
    for scene in scenes:
        for request in scene.requests():
            yield from scene.missing_of(request, patience, usual, heard_at_all)


@cache
def _broadcast_events() -> frozenset[str]:
    return frozenset(event.name for event in Catalogue.load() if event.is_broadcast)


class _Scene:
    """What one scene's connections heard, and when each made a round trip."""

    def __init__(self, journal: Journal, ledger: Ledger) -> None:
        self.journal = journal
        self.history = History(journal)
        self._ledger = ledger
        self.heard: set[Heard] = set()
        self._encounters: set[tuple[int, object]] = set()  # connections, and encounters that each heard something of
        self._unclear: dict[int, list[Observation]] = {}  # by connection, what may be the broadcast of any request
        self._round_trips: dict[int, list[float]] = {}  # by connection, when each began that was answered
        self._answers: dict[tuple[int, float], Observation] = {}
        events = _broadcast_events()
        for seen in journal.observations:
            if seen.act == "hears" and seen.connection and seen.event in events:
                attribution = ledger.attribution(seen)
                if attribution is not None:
                    self.heard.add((seen.event, attribution.request.mark, seen.connection))
                    self._encounters.add((seen.connection, _encounter(attribution.request)))
                if attribution is None or attribution.is_surplus:
                    self._unclear.setdefault(seen.connection, []).append(seen)
            elif seen.act in ("cannot read", "hears"):
                self._unclear.setdefault(seen.connection, []).append(seen)
            elif seen.act == "is answered" and seen.request is not None:
                self._answers[seen.connection, seen.at] = seen
                if (sent := journal.last_sent(seen.request)) and sent.connection == seen.connection:
                    self._round_trips.setdefault(seen.connection, []).append(sent.at)

    def requests(self) -> Iterator[SentRequest]:
        """Yield the accepted requests that have a broadcast and belong to a room of which everything is known."""
        catalogue = Catalogue.load()
        for request in self.journal.requests:
            event = catalogue.events.get(request.event)
            if (
                request.outcome == "accepted"
                and request.answered_at
                and request.legal
                and request.requirement is None
                and request.mark is not None
                and event is not None
                and event.is_broadcast
                and request.answered_at < self.history.disturbed_at
                and self._ledger.is_own(request.session)
                and not self._ledger.was_spoilt(request.session)
            ):
                yield request

    def missing_of(
        self, request: SentRequest, patience: float, usual: str, heard_at_all: set[str]
    ) -> Iterator[Missing]:
        """Yield the deliveries of one request that did not come."""
        seen = self._answers.get((request.connection, request.answered_at))
        seated = list(self.history.seated(request))
        if seen is None or self.history.transports.get(request.connection) != usual:
            return
        for stay in seated:
            if not self._lacks(stay, request, patience):
                continue
            by_usual = self.history.transports.get(stay.connection) == usual
            requirement = self._requirement(stay, request, seated) if by_usual else self._lost_on_the_way(stay, request)
            if by_usual and request.event not in heard_at_all:
                requirement = _EVERYBODY
            if requirement is not None:
                name = self.history.names.get(stay.connection, "a listener")
                expected = f"{name} to hear {request.actor}'s {request.event}"
                broken = Broken(expected, "nothing, by the end of the run", request=request)
                yield Missing(requirement, request, broken, seen, self.journal)

    def _lacks(self, stay: RoomStay, request: SentRequest, patience: float) -> bool:
        if self._heard_by(stay.connection, request):
            return False
        late = request.answered_at + _TIMERS * patience
        if not any(late <= asked < ended(stay) for asked in self._round_trips.get(stay.connection, ())):
            return False
        encounter = _encounter(request)
        opened_at = self.journal.rooms.encounters.get(encounter, 0.0)
        if opened_at >= stay.joined_at and (stay.connection, encounter) not in self._encounters:
            return False  # rooms/no-encounter-rooms is about that
        return not any(
            seen.at >= request.at
            and (seen.event == request.event or seen.act == "cannot read" or contains(seen.args, request.mark or ""))
            for seen in self._unclear.get(stay.connection, ())
        )

    def _requirement(self, stay: RoomStay, request: SentRequest, seated: Sequence[RoomStay]) -> str | None:
        """Name the rule by which a listener should have heard; None if that is not known."""
        special = self._special(stay, request)
        others = self.history.others(stay.connection)
        if special is None and not any(self._heard_by(other, request) for other in others):
            return _EVERYBODY
        if special is None:
            newer = (each for each in seated if each.connection in others and each.joined_at > (stay.acked_at or 0.0))
            special = EACH_TAB
            if any(self._heard_by(each.connection, request) for each in newer):
                return special
        witnesses = [
            each
            for each in seated
            if each.connection not in others
            and self._special(each, request) is None
            and self._heard_by(each.connection, request)
        ]
        earlier = any((each.acked_at or 0.0) < stay.joined_at for each in witnesses)
        later = any(each.joined_at > (stay.acked_at or 0.0) for each in witnesses)
        return special if later and (earlier or special == EACH_TAB) else None

    def _lost_on_the_way(self, stay: RoomStay, request: SentRequest) -> str | None:
        """Name the rule where a listener over another transport hears what came before and after; None if it does not.

        One that hears nothing, or nothing any more, may be left out for another reason, such as being a second tab.
        """
        if not any(self._heard_by(other, request) for other in self.history.transports if other != stay.connection):
            return None
        heard = (each for each in self.journal.requests if self._heard_by(stay.connection, each))
        sent = [each.at for each in heard if each.connection == request.connection]
        return _TRANSPORT if sent and min(sent) < request.at < max(sent) else None

    def _heard_by(self, connection: int, request: SentRequest) -> bool:
        return (request.event, request.mark, connection) in self.heard

    def _special(self, stay: RoomStay, request: SentRequest) -> str | None:
        users, masters = self.journal.rooms.users, self.journal.rooms.masters
        user = users.get(stay.connection)
        if self.history.others_ended(stay.connection, request.answered_at):
            return _ENDED_TAB
        if user == request.user:
            return _OWN_TAB
        return _GAME_MASTER if user == masters.get(stay.session) else None


def _encounter(request: SentRequest) -> str:
    """Return the encounter that a request names; an empty text if it names none."""
    body = request.args[0] if request.args else None
    encounter = body.get("encounterId") if isinstance(body, dict) else None
    return encounter if isinstance(encounter, str) else ""

"""Whether broadcasts are sent before their requests are acknowledged, as far as it shows from outside. Pure.

Two connections have no order in common, and a server may be several processes, between which a message takes its time:
a broadcast that comes late proves nothing. But what takes its time takes it whatever the message says. So an event is
late only if each of its broadcasts comes long after its acknowledgement, while other things that the same listeners
hear, broadcasts of other events or presence, come at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken

_LATE = 0.1  # seconds; what a busy machine leaves lying, it leaves lying for some, and not for all
_AT_ONCE = 0.03  # seconds
_ENOUGH = 4  # deliveries that show how long something takes
_SHARE = 0.8  # of what else is heard that has to come at once
_JOINED = "user-joined"


@dataclass(frozen=True, slots=True)
class _Delivery:
    """How many seconds after the acknowledgement of its request something was heard."""

    lag: float
    seen: Observation
    journal: Journal

    @property
    def event(self) -> str:
        return self.seen.event


def late_broadcasts(journals: Iterable[Journal], ledger: Ledger) -> Iterator[tuple[Journal, Observation, Found]]:
    """Yield the broadcasts of each event that always comes long after its acknowledgements, and could come earlier."""
    found = [each for journal in journals for each in (*_broadcasts(journal, ledger), *_arrivals(journal, ledger))]
    events = {each.event for each in found if each.event != _JOINED}
    late = {
        event
        for event in events
        if len(lags := [each.lag for each in found if each.event == event]) >= _ENOUGH and min(lags) > _LATE
    }
    for event in sorted(late):
        own = [each for each in found if each.event == event]
        listeners = {each.seen.connection for each in own}
        others = [each.lag for each in found if each.event not in late and each.seen.connection in listeners]
        at_once = [lag for lag in others if lag <= _AT_ONCE]
        if len(at_once) < _ENOUGH or len(at_once) < _SHARE * len(others):
            continue
        for each in own:
            expected = f"{event} to be broadcast before it is acknowledged"
            got = f"{each.lag:.2f} s after; other events come at once"
            yield each.journal, each.seen, ("order/broadcast-before-acknowledgement", event, Broken(expected, got))


def _broadcasts(journal: Journal, ledger: Ledger) -> Iterator[_Delivery]:
    for seen in journal.heard():
        attribution = ledger.attribution(seen)
        if attribution is None or attribution.allowed != 1 or not attribution.is_entitled or attribution.is_surplus:
            continue
        request = attribution.request
        if request.legal and request.outcome == "accepted" and request.answered_at and not attribution.is_echo:
            yield _Delivery(seen.at - request.answered_at, seen, journal)


def _arrivals(journal: Journal, ledger: Ledger) -> Iterator[_Delivery]:
    """Yield how long after somebody was admitted others heard of it."""
    for seen in journal.heard():
        body = seen.args[0] if seen.event == _JOINED and seen.args and isinstance(seen.args[0], dict) else {}
        user, session = body.get("userId"), body.get("sessionId")
        if not isinstance(user, str) or not isinstance(session, str):
            continue
        stays = [stay for stay in ledger.attendance.stays_of(user, session) if stay.joined_at <= seen.at]
        if stays:
            last = max(stays, key=lambda stay: stay.joined_at)
            yield _Delivery(seen.at - (last.acked_at or seen.at), seen, journal)

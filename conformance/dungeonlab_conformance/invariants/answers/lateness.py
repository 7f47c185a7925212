"""Whether broadcasts are sent before their requests are acknowledged, as far as it shows from outside. Pure.

Two connections have no order in common, and a server may be several processes, between which a message takes its time:
a broadcast that comes late proves nothing. But what takes its time takes it whatever the message says. So an event is
late only if nearly all of its broadcasts come long after their acknowledgements, while something else that the same
listeners hear, the broadcasts of another event or presence, nearly always comes at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken

_LATE = 0.08  # seconds
_AT_ONCE = 0.02  # seconds
_ENOUGH = 4  # deliveries that show how long something takes
_SHARE = 0.9  # of all of an event
_JOINED = "user-joined"


@dataclass(frozen=True, slots=True)
class _Delivery:
    """How many seconds after the acknowledgement of its request something was heard."""

    lag: float
    seen: Observation
    journal: Journal


def late_broadcasts(journals: Iterable[Journal], ledger: Ledger) -> Iterator[tuple[Journal, Observation, Found]]:
    """Yield the broadcasts of each event that comes long after its acknowledgements, and could come earlier."""
    found: dict[str, list[_Delivery]] = {}
    for journal in journals:
        for each in (*_broadcasts(journal, ledger), *_arrivals(journal, ledger)):
            found.setdefault(each.seen.event, []).append(each)
    for event in sorted(found.keys() - {_JOINED}):
        late = [each for each in found[event] if each.lag > _LATE]
        if not _nearly_all(late, found[event]) or not _others_come_at_once(event, found):
            continue
        for each in late:
            expected = f"{event} to be broadcast before it is acknowledged"
            got = f"{each.lag:.2f} s after; other events come at once"
            yield each.journal, each.seen, ("order/broadcast-before-acknowledgement", event, Broken(expected, got))


def _others_come_at_once(event: str, found: Mapping[str, Sequence[_Delivery]]) -> bool:
    """Whether what the listeners of an event hear of some other one comes at once."""
    listeners = {each.seen.connection for each in found[event]}
    for other in found.keys() - {event}:
        heard = [each for each in found[other] if each.seen.connection in listeners]
        if _nearly_all([each for each in heard if each.lag <= _AT_ONCE], heard):
            return True
    return False


def _nearly_all(some: Sequence[_Delivery], of: Sequence[_Delivery]) -> bool:
    """Whether these are enough to show something, and nearly all: a busy machine may keep an answer back for once."""
    return len(some) >= _ENOUGH and len(some) >= _SHARE * len(of)


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

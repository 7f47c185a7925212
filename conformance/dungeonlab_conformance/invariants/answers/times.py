"""Whether the times that a server states are true: near those of the clock here, and going on as that does. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.invariants.answers.answered import answers
from dungeonlab_conformance.invariants.answers.messages import CHAT
from dungeonlab_conformance.invariants.answers.moments import moment, shown
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, SentRequest
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue

TRUE = "broadcasts/true-time"
_MINUTE = 60.0  # seconds by which two clocks may differ
_SECOND = 1.1  # after which one process states another time, whatever fractions of a second it leaves out
_ROUNDED = 1.6  # by which two times may disagree, one rounded up to a second and one cut off to it
_PROCESSES = 3  # with clocks of their own, that may state one and the same time, each at another moment


@dataclass(frozen=True, slots=True)
class _Dated:
    """One time that was stated, in seconds since 1970, in the answer to a request or in what was caused by it."""

    at: float
    path: str
    written: str
    seen: Observation
    journal: Journal
    request: SentRequest | None  # that it goes back to, if only one can have been the cause


def times(journals: Iterable[Journal], ledger: Ledger) -> Iterator[tuple[Journal, Observation, Found]]:
    """Yield each time that is not near the true one, or that others stated long before."""
    stated = [each for journal in journals for each in _stated(journal, ledger)]
    for each in stated:
        here = each.journal.epoch + each.seen.at
        began = each.journal.epoch + each.journal.began
        if not began - _MINUTE - _SECOND <= each.at <= here + _MINUTE + _SECOND:
            yield _found(each, f"a time within a minute of {shown(here)}, as it is here")
    stopped = list(_stopped(stated))
    yield from stopped
    known = {seen.number for _, seen, _ in stopped}
    yield from _jumping(each for each in stated if each.seen.number not in known)


def _stopped(stated: Iterable[_Dated]) -> Iterator[tuple[Journal, Observation, Found]]:
    """Yield each time that had been stated before what it is the time of was even asked for."""
    first: dict[tuple[float, int], float] = {}  # when a time was first stated, by connection
    again: dict[float, list[float]] = {}  # when a time was stated by anybody, each long after the last
    for each in sorted(stated, key=lambda dated: dated.seen.number):
        if each.request is None:
            continue
        moments = again.setdefault(each.at, [each.seen.at])
        if each.request.at - moments[-1] > _SECOND:
            moments.append(each.seen.at)
        connection = each.request.connection  # 0 for bare frames, which any process may have read
        here = each.request.at - first.setdefault((each.at, connection), each.seen.at) if connection else 0.0
        anywhere = each.request.at - moments[0] if len(moments) > _PROCESSES else 0.0
        if (ago := max(here, anywhere)) > _SECOND:
            yield _found(each, f"another time than {ago:.1f} s before")


def _jumping(stated: Iterable[_Dated]) -> Iterator[tuple[Journal, Observation, Found]]:
    """Yield each time that is further ahead of the clock here, or further behind, than others for one connection were.

    It was stated after the request and before what it is in was heard.
    """
    known: dict[int, tuple[float, float]] = {}  # by connection, between which differences to the clock here it is
    for each in sorted(stated, key=lambda dated: dated.seen.number):
        if each.request is None or not each.request.connection:
            continue
        least, most = known.get(each.request.connection, (-math.inf, math.inf))
        low, high = each.at - each.seen.at, each.at - each.request.at
        if low > most + _ROUNDED or high < least - _ROUNDED:
            off = low - most if low > most else least - high
            yield _found(each, f"a time {off:.1f} s nearer to what others for this connection show")
        else:
            known[each.request.connection] = (max(least, low), min(most, high))


def _found(each: _Dated, expected: str) -> tuple[Journal, Observation, Found]:
    return each.journal, each.seen, (TRUE, None, Broken(expected, quoted(each.written), each.path))


def _stated(journal: Journal, ledger: Ledger) -> Iterator[_Dated]:
    catalogue = Catalogue.load()
    for each in answers(journal):
        if each.sent.event == CHAT and each.done:
            yield from _read(each.answer.data, "$.data.timestamp", each.seen, journal, each.sent)
    for seen in journal.heard():
        event = catalogue.events.get(seen.event) if isinstance(seen.event, str) else None
        body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
        if event is None or event.emission is None:
            continue
        attribution = ledger.attribution(seen)
        sole = attribution is not None and attribution.allowed == 1 and attribution.request.mark is not None
        yield from _read(body, "$.timestamp", seen, journal, attribution.request if attribution and sole else None)


def _read(
    body: dict[str, Any], path: str, seen: Observation, journal: Journal, request: SentRequest | None
) -> Iterator[_Dated]:
    at = moment(body.get("timestamp"))
    if at is not None:
        yield _Dated(at, path, body["timestamp"], seen, journal, request)

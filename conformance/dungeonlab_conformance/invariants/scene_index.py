"""What one scene recorded, arranged for looking it up: what comes is judged one by one, and may be very much.

Pure; finds, and judges nothing.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Any

from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_spec import Catalogue

_PRESENCE = ("user-joined", "user-left", "session-removed")


class SceneIndex:
    """Requests, answers and deliveries by connection; of a journal that is written to no more."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def who_was_answered(self, seen: Observation) -> set[int]:
        """Return the connections that had asked for what one was sent as an event, and were answered just that."""
        said = seen.args[0] if seen.args else None
        return {
            connection
            for connection, asked_at in self._asked.get(seen.event, {}).items()
            if asked_at <= seen.at and any(same(said, data) for data in self._answers.get((connection, seen.event), ()))
        }

    def last_heard(self, connection: int, session: str) -> int:
        """Return the number of the last thing a connection was sent that names a session; 0 if it was sent none."""
        return self._last_heard.get((connection, session), 0)

    def acted_after(self, connection: int, session: str, at: float) -> bool:
        """Whether a connection sent after a time what only those in a session's room may send, and it was accepted."""
        return self._last_acted.get((connection, session), 0.0) > at

    def times_announced(self, seen: Observation) -> int:
        """Return how often a connection had been sent a presence event about the same user and session, by then."""
        return self._announced.get(seen.number, 0)

    @cached_property
    def answers_go_astray(self) -> bool:
        """Whether some connection was sent an answer that it had not asked for: then who joined what is not known."""
        return any(seen.act in ("is sent", "is answered again") for seen in self._journal.observations)

    @cached_property
    def _announced(self) -> dict[int, int]:
        times, found = Counter[tuple[object, ...]](), dict[int, int]()
        for seen in self._journal.observations:
            body = seen.args[0] if seen.act == "hears" and seen.event in _PRESENCE and seen.args else None
            if isinstance(body, dict):
                what = seen.connection, seen.event, repr(body.get("sessionId")), repr(body.get("userId"))
                times[what] += 1
                found[seen.number] = times[what]
        return found

    @cached_property
    def _last_acted(self) -> dict[tuple[int, str], float]:
        catalogue, found = Catalogue.load(), dict[tuple[int, str], float]()
        for request in self._journal.requests:
            event = catalogue.events.get(request.event)
            if event is not None and "joined" in event.needs and request.outcome == "accepted" and request.session:
                place = request.connection, request.session
                found[place] = max(found.get(place, 0.0), request.at)
        return found

    @cached_property
    def _asked(self) -> dict[str, dict[int, float]]:
        """When a connection first asked for something, by event and connection."""
        found: dict[str, dict[int, float]] = {}
        for request in self._journal.requests:
            times = found.setdefault(request.event, {})
            times[request.connection] = min(request.at, times.get(request.connection, request.at))
        return found

    @cached_property
    def _answers(self) -> dict[tuple[int, str], list[Any]]:
        """Each envelope with which a connection was answered, and what is in it; once, if it was often the same."""
        found: dict[tuple[int, str], list[Any]] = {}
        for seen in self._journal.observations:
            if seen.act != "is answered" or not isinstance(seen.event, str):
                continue
            kept = found.setdefault((seen.connection, seen.event), [])
            for body in seen.args:
                if isinstance(body, dict) and not any(same(body, each) for each in kept[-2:]):
                    kept += body.get("data"), body
        return found

    @cached_property
    def _last_heard(self) -> dict[tuple[int, str], int]:
        found: dict[tuple[int, str], int] = {}
        for seen in self._journal.observations:
            body = seen.args[0] if seen.act == "hears" and seen.args else None
            session = body.get("sessionId") if isinstance(body, dict) else None
            if isinstance(session, str):
                found[seen.connection, session] = seen.number
        return found

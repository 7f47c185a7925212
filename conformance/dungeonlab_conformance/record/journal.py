"""The memory of a scene: everything every actor sent, was answered and heard, in order. Judges nothing.

Its entries never change: what becomes known of a request later takes the place of what was known before. Only the
methods of `Journal` and of its `Rooms` write it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.observation import OWN_ACTS, Act, Observation, Request, RequestOutcome, SentRequest
from dungeonlab_conformance.record.rooms import Rooms, RoomsState

_NUMBERS = itertools.count(1)
_REQUESTS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class JournalState:
    """All that stands in a journal at one time; `last` is the number under which a request was last sent."""

    began: float
    epoch: float
    accounted: bool
    observations: tuple[Observation, ...]
    requests: tuple[SentRequest, ...]
    last: Mapping[Request, int]
    expected: frozenset[Request]
    rooms: RoomsState


class Journal:
    """Everything that was seen in one scene; times are those of `clock`, in seconds.

    `epoch` is when that clock stood at zero, in seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, epoch: float | None = None) -> None:
        self.clock = clock
        self.began = clock()
        self.epoch = time.time() - self.began if epoch is None else epoch
        self.rooms = Rooms(clock)
        self._accounted = True
        self._observations: list[Observation] = []
        self._listeners: list[Callable[[Observation], None]] = []
        self._requests: dict[int, SentRequest] = {}
        self._last: dict[Request, int] = {}  # the number under which a request was last sent
        self._expected: set[Request] = set()

    @property
    def state(self) -> JournalState:
        """All that was written by now."""
        return JournalState(
            self.began,
            self.epoch,
            self._accounted,
            tuple(self._observations),
            tuple(self._requests.values()),
            dict(self._last),
            frozenset(self._expected),
            self.rooms.state,
        )

    @classmethod
    def restored(cls, state: JournalState) -> Journal:
        """Return a journal in which stands what stood in another."""
        journal = cls(epoch=state.epoch)
        journal.began, journal._accounted = state.began, state.accounted
        journal._observations = list(state.observations)
        journal._requests = {sent.number: sent for sent in state.requests}
        journal._last, journal._expected = dict(state.last), set(state.expected)
        journal.rooms.restore(state.rooms)
        return journal

    # -- what was seen -------------------------------------------------------------------------------

    @property
    def observations(self) -> Sequence[Observation]:
        """Everything that was seen, in order."""
        return self._observations

    def write(
        self,
        actor: str,
        connection: int,
        act: Act,
        event: str,
        args: Iterable[Any] = (),
        request: Request | None = None,
        *,
        wire: tuple[str, Sequence[Any]] | None = None,
    ) -> Observation:
        """Record one observation, now; `wire` is how it went over it, and is kept if that differs."""
        if wire == (event, args):
            wire = None
        at = self.clock()
        seen = Observation(next(_NUMBERS), at, actor, connection, act, event, Arguments(args), request, wire)
        self._observations.append(seen)
        for listener in self._listeners:
            listener(seen)
        return seen

    def subscribe(self, listener: Callable[[Observation], None]) -> Callable[[], None]:
        """Call `listener` with every further observation; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def heard_last(self) -> float:
        """Return when the server was last heard of; 0 if it never was."""
        heard = (seen.at for seen in reversed(self._observations) if seen.act not in OWN_ACTS)
        return next(heard, 0.0)

    def heard(self, connection: int | None = None) -> list[Observation]:
        """Return what the server sent of its own accord, to one connection or to all."""
        return [
            o for o in self._observations if o.act == "hears" and (connection is None or o.connection == connection)
        ]

    # -- requests ------------------------------------------------------------------------------------

    @property
    def requests(self) -> Collection[SentRequest]:
        """Everything that was sent and can be recognised, in order; what was sent twice is there twice."""
        return self._requests.values()

    def expect(self, request: Request) -> None:
        """Record that a request, about to be sent, prepares something and that a server has no reason to refuse it."""
        self._expected.add(request)

    def sent(
        self,
        request: Request,
        actor: str,
        user: str | None,
        connection: int = 0,
        *,
        at: float | None = None,
        outcome: RequestOutcome = "unknown",
    ) -> SentRequest:
        """Record that a request was sent, now or `at` another time; `outcome` is what is known of it beforehand.

        What was sent before has the outcome it had, until it is answered otherwise.
        """
        if outcome == "unknown":
            outcome = self.outcome(request)
        sent = SentRequest(
            request.event,
            request.args,
            request.mark,
            request.session,
            request.legal,
            request.requirement,
            request.action,
            number=next(_REQUESTS),
            actor=actor,
            user=user,
            connection=connection,
            at=self.clock() if at is None else at,
            outcome=outcome,
            expected=request in self._expected,
        )
        self._requests[sent.number] = sent
        self._last[request] = sent.number
        return sent

    def answered(self, request: Request, at: float, *, accepted: bool) -> SentRequest:
        """Record what the answer to a request says that was sent; what is accepted once remains so."""
        sent = self._requests[self._last[request]]
        outcome: RequestOutcome = "accepted" if accepted or sent.outcome == "accepted" else "refused"
        sent = self._requests[sent.number] = sent.answered(at, outcome)
        return sent

    def inferred(self, request: Request, outcome: RequestOutcome, evidence: str) -> None:
        """Record what became of a request that was not acknowledged, and what shows that."""
        number = self._last[request]
        self._requests[number] = replace(self._requests[number], outcome=outcome, evidence=evidence)

    def last_sent(self, request: Request) -> SentRequest | None:
        """Return how a request was sent, the last time that it was, and what became of it; None if it was not."""
        number = self._last.get(request)
        return None if number is None else self._requests[number]

    def outcome(self, request: Request) -> RequestOutcome:
        """Return what became of a request; "unknown" if it was not sent."""
        sent = self.last_sent(request)
        return sent.outcome if sent else "unknown"

    @property
    def accounted(self) -> bool:
        """Whether deliveries are to be traced to their requests."""
        return self._accounted

    def leave_unaccounted(self) -> None:
        """Record that so many requests are alike here that no delivery can be traced to its own."""
        self._accounted = False

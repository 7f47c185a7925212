"""Which request an event answers, on a connection to a server that answers by events. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.target.dialect.argument_templates import Args
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent


@dataclass(eq=False, slots=True)
class _Awaiting:
    request: Request
    how: AnswerByEvent
    answered: Callable[..., None]
    late: bool = False


@dataclass(slots=True)
class EventAnswers:
    """The requests of one connection that events will answer, in the order in which they were sent."""

    _awaiting: list[_Awaiting] = field(default_factory=list)

    def expect(self, request: Request, how: AnswerByEvent, answered: Callable[..., None]) -> None:
        """Call `answered` with the arguments, and with the `name`, of the event that answers a request."""
        self._awaiting.append(_Awaiting(request, how, answered))

    def give_up(self, request: Request) -> None:
        """Wait no longer: an event that answers the request after all has to carry its mark."""
        for each in self._awaiting:
            each.late = each.late or each.request is request

    def take(self, name: str, args: Args, tells_of_others: Callable[[str], bool]) -> Callable[..., None] | None:
        """Return what to call with an event that answers a request; None for one that answers none.

        That is the first request whose mark the event carries, or else the first at all, unless it `tells_of_others`:
        of a request of that kind that was sent on another connection.
        """
        open_to = [each for each in self._awaiting if name in (each.how.success, each.how.failure)]
        if not open_to:
            return None
        found = next((each for each in open_to if _carries(args, each.request)), None)
        if found is None:
            found = next((each for each in open_to if not each.late), None)
            if found is None or tells_of_others(found.request.event):
                return None
        self._awaiting.remove(found)
        return found.answered


def is_sent_elsewhere(args: Args, event: str, connection: int, journal: Journal) -> bool:
    """Whether what comes on a connection carries the mark of a request of this event that was sent on another.

    One that was answered there already is still to come here, once, if that was since this connection joined.
    """
    stay = journal.rooms.stay_of(connection)
    heard = [seen.args for seen in journal.heard(connection) if seen.event == event]
    return any(
        request.mark is not None
        and contains(args, request.mark)
        and (not request.answered_at or (stay is not None and request.answered_at >= stay.joined_at))
        and not any(contains(each, request.mark) for each in heard)
        for request in journal.requests
        if request.event == event and request.connection != connection
    )


def _carries(args: tuple[Any, ...], request: Request) -> bool:
    return request.mark is not None and contains(args, request.mark)

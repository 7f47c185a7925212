"""Which request an event answers, on a connection to a server that answers by events. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import is_marked
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.target.dialect.argument_templates import Args
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent


@dataclass(eq=False, slots=True)
class Awaited:
    """A request that an event will answer, and what to call then; None where nobody waits for it, or does any more."""

    request: Request
    how: AnswerByEvent
    answered: Callable[..., None] | None
    late: bool = False


@dataclass(slots=True)
class EventAnswers:
    """The requests of one connection that events will answer, in the order in which they were sent."""

    _awaiting: list[Awaited] = field(default_factory=list)

    def expect(self, request: Request, how: AnswerByEvent, answered: Callable[..., None] | None) -> None:
        """Call `answered` with the arguments, and with the `name`, of the event that answers a request.

        None for a request whose answer nobody waits for: such events are no answers to what is sent after it.
        """
        self._awaiting.append(Awaited(request, how, answered))

    def give_up(self, request: Request) -> None:
        """Wait no longer: an event that answers the request after all has to carry its mark."""
        for each in self._awaiting:
            each.late = each.late or each.request is request

    def take(
        self, name: str, args: Args, tells_of_others: Callable[[str, bool], bool], refused: str | None = None
    ) -> Awaited | None:
        """Return what an event answers; None for one that answers no request.

        That is the first request whose mark the event carries, or else the first at all; where it names the event of
        the request that it says was `refused`, the first such. It is none if the event `tells_of_others`: of a request
        of that event that was sent on another connection; that is asked with whether the event carries the mark.
        `args` are as the protocol has them.
        """
        open_to = [each for each in self._awaiting if name in (each.how.success, each.how.failure)]
        found = next((each for each in open_to if _carries(args, each.request)), None)
        marked = found is not None
        if found is None:
            named = [each for each in open_to if each.request.event == refused and each.how.failure == name]
            found = min(named or open_to, key=lambda each: each.late, default=None)
        if found is None or tells_of_others(found.request.event, marked):
            return None
        self._remove(found)
        return found if marked or not found.late else replace(found, answered=None)

    def _remove(self, found: Awaited) -> None:
        """Wait for an answer no longer, nor for those that nobody waits for and that would have come before."""
        place = self._awaiting.index(found)
        earlier = [each for each in self._awaiting[:place] if each.answered is not None]
        self._awaiting = earlier + self._awaiting[place + 1 :]


def tells_of_others(args: Args, connection: int, user: str | None, journal: Journal, event: str, marked: bool) -> bool:
    """Whether what comes on a user's connection tells of a request of this event that was sent on another.

    Two may ask for the same: what carries the mark of this connection's own request is that of another if it names
    another user, too. `args` are as the protocol has them.
    """
    said = args[0].get("userId") if args and isinstance(args[0], dict) else None
    of_another_user = said not in (None, user)
    if of_another_user and marked:
        theirs = (each for each in journal.requests if each.event == event and each.user == said)
        return any(each.connection != connection and _carries(args, each) for each in theirs)
    return of_another_user or (not marked and is_sent_elsewhere(args, event, connection, journal))


def is_sent_elsewhere(args: Args, event: str, connection: int, journal: Journal) -> bool:
    """Whether what comes on a connection carries the mark of a request of this event that was sent on another.

    One that was answered there already is still to come here, once, if that was since this connection joined. `args`
    are as the protocol has them.
    """
    stay = journal.rooms.stay_of(connection)
    heard = [seen.args for seen in journal.heard(connection) if seen.event == event]
    return any(
        request.mark is not None
        and is_marked(args, request.mark)
        and (not request.answered_at or (stay is not None and request.answered_at >= stay.joined_at))
        and not any(is_marked(each, request.mark) for each in heard)
        for request in journal.requests
        if request.event == event and request.connection != connection
    )


def _carries(args: tuple[Any, ...], request: Request) -> bool:
    return request.mark is not None and is_marked(args, request.mark)

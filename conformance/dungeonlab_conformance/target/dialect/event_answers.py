"""Which request an event answers, on a connection to a server that answers by events. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import is_made_up, is_marked, tokens_named
from dungeonlab_conformance.record.observation import Request, SentRequest
from dungeonlab_conformance.target.dialect.argument_templates import Args
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent
from dungeonlab_spec import Catalogue


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
    _taken: set[int] = field(default_factory=set)  # hashes of the events that answered by a mark

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
        `args` are as the protocol has them. What carried a mark and answered before is no answer when it comes again.
        """
        open_to = [each for each in self._awaiting if name in (each.how.success, each.how.failure)]
        if not open_to or hash((name, repr(args))) in self._taken:
            return None
        found = next((each for each in open_to if _carries(args, each.request)), None)
        marked = found is not None
        if found is None:
            named = [each for each in open_to if each.request.event == refused and each.how.failure == name]
            found = min(named or open_to, key=lambda each: each.late, default=None)
        if found is None or tells_of_others(found.request.event, marked):
            return None
        if marked and Catalogue.load()[found.request.event].effect != "removes-token":  # whose id may be given again
            self._taken.add(hash((name, repr(args))))
        self._remove(found)
        return found if marked or not found.late else replace(found, answered=None)

    def _remove(self, found: Awaited) -> None:
        """Wait for an answer no longer, nor for those that nobody waits for and that would have come before."""
        place = self._awaiting.index(found)
        earlier = [each for each in self._awaiting[:place] if each.answered is not None]
        self._awaiting = earlier + self._awaiting[place + 1 :]


def tells_of_others(
    args: Args, refused: str | None, connection: int, user: str | None, journal: Journal, event: str, marked: bool
) -> bool:
    """Whether what comes on a user's connection tells of a request that was sent on another, and not of this event.

    Two may ask for the same: what carries the mark of this connection's own request is that of another if it names
    another user, too. What says that a request of another event was `refused` is about such a one that was sent on
    another connection, if there is one. `args` are as the protocol has them.
    """
    if not marked and refused not in (None, event):
        refused_there = (each for each in journal.requests if each.event == refused and each.outcome != "accepted")
        if any(each.connection != connection for each in refused_there):
            return True
    body = args[0] if args and isinstance(args[0], dict) else {}
    token, said = body.get("token"), body.get("userId")
    if said not in (None, user):
        theirs = (each for each in journal.requests if each.event == event and each.user == said)
        return not marked or any(each.connection != connection and _carries(args, each) for each in theirs)
    if marked:
        return False
    to_come = expected_from_elsewhere(args, event, connection, journal)
    if any(each.mark is not None and is_made_up(each.mark) for each in to_come):
        return True
    changed_by = token.get("updatedBy") if said is None and isinstance(token, dict) else said
    if changed_by is not None:
        return changed_by != user and any(each.user == changed_by for each in to_come)
    return any(each.mark is not None or each.answered_at for each in to_come)


def expected_from_elsewhere(args: Args, event: str, connection: int, journal: Journal) -> list[SentRequest]:
    """Return the requests of this event, sent on other connections, of which what comes on this one may tell.

    It carries their mark, or names their token where they have none. Each is to come here once, also if it was answered
    there before, unless that was before this connection joined. `args` are as the protocol has them.
    """
    stay, named = journal.rooms.stay_of(connection), tokens_named(args)
    since = float("inf") if stay is None else stay.joined_at
    heard = [seen for seen in journal.heard(connection) if seen.event == event]
    to_come = [
        request
        for request in journal.requests
        if request.event == event and request.connection != connection and request.outcome != "refused"
        if not request.answered_at or request.answered_at >= since
    ]
    found = [each for each in to_come if _carries(args, each) and not any(_carries(seen.args, each) for seen in heard)]
    for token in named:
        count = sum(1 for seen in heard if seen.at >= since and token in tokens_named(seen.args))
        about = [each for each in to_come if token in tokens_named(each.args)]
        found += [each for each in about[count:] if each.mark is None]
    return found


def _carries(args: tuple[Any, ...], request: Request) -> bool:
    return request.mark is not None and is_marked(args, request.mark)

"""The requests of a play: what became of each, and which tabs must hear of it and have. Pure; judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dungeonlab_conformance.model.rules import Allowed
from dungeonlab_conformance.model.world import Tab, Token, World
from dungeonlab_conformance.record.acknowledgement import LIMITED
from dungeonlab_conformance.record.marks import carries, is_made_up
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_spec import Catalogue

Outcome = Literal["unknown", "accepted", "refused"]
_FEW = 3  # refusals after which an `error` event is not about one of them any more


@dataclass(slots=True, eq=False)
class Sent:
    """A request of a play, and what became of it.

    `allowed` are the answers that it may have, by what was so when it was sent; it is `overlapped` if others were under
    way at the same time. `due` are the tabs that must hear of it, `hearers` those of them that have not heard yet, each
    with the number of its stay, and `heard` all that have. `moved` are those that it may move out of their rooms, with
    the number of their next stay. Its `rivals` ask for other tabs of the user to join other sessions at the same time:
    any may be the last. `action` is what was objected to an action when it was asked about. `after` is what the token
    must be like when it is done, as far as is certain. Until that was shown, `then` is what it was like when the
    request was taken as done, if no other change was under way, and `round` how many changes were over by then.
    """

    request: Request
    tab: Tab
    seen: Observation
    allowed: Allowed
    has_callback: bool
    was_sure: bool = True  # whether it was known in which room its tab was
    stay: int = 0  # the number of its tab's stay, as it is from then on
    overlapped: bool = False
    outcome: Outcome = "unknown"
    concluded_by: Observation | None = None
    hearers: dict[Tab, int] = field(default_factory=dict)
    moved: list[tuple[Tab, int]] = field(default_factory=list)
    rivals: list[Sent] = field(default_factory=list)
    due: frozenset[Tab] = frozenset()
    heard: list[Tab] = field(default_factory=list)
    token: Token | None = None
    action: tuple[str, bool] | None = None
    after: dict[str, list[Any]] | None = None
    then: dict[str, list[Any]] | None = None
    round: int = 0
    version: int | None = None
    broadcasts: list[tuple[dict[str, Any], Observation]] = field(default_factory=list)

    @property
    def at(self) -> float:
        """When it was sent."""
        return self.seen.at

    @property
    def answered_at(self) -> float:
        """When it was known what became of it; 0 as long as it is not."""
        return self.concluded_by.at if self.concluded_by else 0.0

    @property
    def body(self) -> dict[str, Any]:
        """Its payload; an empty one if that is no object."""
        body = self.request.args[0] if self.request.args else None
        return body if isinstance(body, dict) else {}

    @property
    def session(self) -> str:
        """The session that it names."""
        return str(self.body.get("sessionId", ""))

    @property
    def encounter(self) -> str:
        """The encounter that it names, if it does."""
        return str(self.body.get("encounterId", ""))

    @property
    def place(self) -> tuple[str, str, str]:
        """The session, the encounter and the id of the token that it names, if it does."""
        return self.session, self.encounter, str(self.body.get("tokenId"))


class Ledger:
    """All requests of a play, by what they are looked up by."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: list[Sent] = []  # of which it is not known what became of them
        self._broadcast: dict[tuple[str, str], list[Sent]] = {}  # those with a broadcast, by session and event
        self._dropped: list[Sent] = []  # without a callback, of which it is open what became of them
        self._refused: list[tuple[Tab, str, object]] = []  # the last with a callback that were refused, and the codes
        self._owing: list[Sent] = []  # those of which somebody may have to hear still

    def sent(self, request: Request, tab: Tab, seen: Observation, answers: Allowed) -> Sent:
        """Enter a request that is sent now, with the answers that are allowed."""
        found = Sent(request, tab, seen, answers, seen.act == "sends", tab.sure, tab.stay, bool(self._open))
        for other in self._open:
            other.overlapped = True
        self._open.append(found)
        if Catalogue.load()[request.event].is_broadcast:
            found.hearers = {other: other.stay for other in self._world.in_room(found.session) if other is not tab}
            found.due = frozenset(found.hearers)
            self._broadcast.setdefault((found.session, request.event), []).append(found)
        return found

    def note_rivals(self, join: Sent) -> None:
        """Note which joins of other tabs of a user, into other sessions, are under way as this one is sent."""
        for each in self.joins_elsewhere(join.tab, join.session):
            each.rivals.append(join)
            join.rivals.append(each)

    def joins_elsewhere(self, tab: Tab, session: str) -> list[Sent]:
        """Return which joins of a user's other tabs, into other sessions than this one, may be granted still."""
        dropped = (each for each in self._dropped if each.tab.may_move)  # of which nothing shows that they took effect
        return [
            each
            for each in (*self._open, *dropped)
            if each.request.event == "join-session"
            and each.allowed.acceptance
            and each.tab.user == tab.user
            and each.tab is not tab
            and each.session != session
        ]

    def answered(self, seen: Observation) -> Sent | None:
        """Return the request that is answered now; None if none is open that it answers."""
        mine = (sent for sent in self._open if sent.request is seen.request and sent.tab.connection == seen.connection)
        return next(mine, None)

    def uncalled_before(self, sent: Sent) -> list[Sent]:
        """Return the open requests without a callback that were sent on the same connection before this one."""
        return [
            each
            for each in self._open
            if not each.has_callback and each.tab is sent.tab and each.seen.number < sent.seen.number
        ]

    def refused_without_callback(self, tab: Tab, event: object, code: str | None) -> Sent | None:
        """Return the request without a callback that an `error` event to a tab is about; None if there is none.

        It may as well be about one with a callback that just was refused with that code, if it is about none that had
        to be: servers may say so twice. Which of several it is that may be refused so is left open.
        """
        mine = [s for s in self._open if s.tab is tab and s.request.event == event and not s.has_callback]
        owed = [sent for sent in mine if sent.allowed.objection is not None]
        fitting = [sent for sent in mine if code in sent.allowed.codes]
        must = [sent for sent in owed if sent in fitting]
        if code != LIMITED and len(must) == 1:
            return must[0]
        loose = [s for s in self._dropped if s.tab is tab and s.request.event == event and code in s.allowed.codes]
        twice = (said for said in self._refused if said[0] is tab and said[1] == event and said[2] == code)
        said = next(twice, None)
        if loose:
            if len(loose) == 1 and not fitting and said is None:
                return loose[0]
            self._dropped.remove(loose[0])
        elif said is not None:
            self._refused.remove(said)
        elif len(fitting) == 1 or not (fitting or self._may_be_late(tab, event)):
            return next(iter(fitting or owed or mine), None)
        for sent in fitting:
            self.drop(sent)
        return None

    def _may_be_late(self, tab: Tab, event: object) -> bool:
        """Whether an earlier request without a callback may be dealt with only now, whatever is so by now."""
        return any(sent.tab is tab and sent.request.event == event for sent in self._dropped)

    def concluded(self, sent: Sent, seen: Observation, *, accepted: bool) -> None:
        """Enter what became of a request; who left the room meanwhile need not hear of it."""
        sent.outcome = "accepted" if accepted else "refused"
        sent.concluded_by = seen
        self.drop(sent)
        self._dropped = [each for each in self._dropped if each is not sent]
        if not accepted and sent.has_callback:
            code = seen.args[0].get("code") if seen.args and isinstance(seen.args[0], dict) else None
            self._refused = [*self._refused[-_FEW:], (sent.tab, sent.request.event, code)]
        if not accepted:
            sent.hearers.clear()
        elif sent.hearers:
            self._owing.append(sent)

    def disturbed(self) -> Sequence[Sent]:
        """Enter that something changed that is no request, and return the requests that are under way.

        They may be judged by what was so, or by what is so now.
        """
        for sent in self._open:
            sent.overlapped = True
        return tuple(self._open)

    def drop(self, sent: Sent) -> None:
        """Wait no longer for what shows what became of a request."""
        if sent in self._open:
            self._open.remove(sent)
            self._dropped.append(sent)

    def heard(self, seen: Observation, tab: Tab) -> Sent | None:
        """Return the request of which a tab hears now; None if it is none that it has not heard of, or may be any.

        A broadcast of a whole token carries the marks of earlier changes as well.
        """
        body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
        session = body.get("sessionId")
        known = self._broadcast.get((session, seen.event), []) if isinstance(session, str) else []
        mine = [s for s in known if s.outcome != "refused" and s.tab is not tab and tab not in s.heard]
        carried = [sent for sent in mine if carries(seen, sent.request)]
        carried = [sent for sent in carried if sent.tab.user == body.get("userId")] or carried
        due = [sent for sent in carried if tab in sent.due or sent.outcome == "unknown"]
        due = [sent for sent in due if sent.request.mark and is_made_up(sent.request.mark)] or due
        if len(due) > 1 and not all(sent.has_callback for sent in due):
            for sent in due:  # in which order they take effect, and whether all do, is not known
                sent.heard.append(tab)
            return None
        if not carried:
            due = [sent for sent in mine if sent.request.mark is None]
        elif len(carried) == 1:
            due = carried
        found = next(iter(due), None)
        if found is not None:
            found.heard.append(tab)
            for twin in mine:  # what was sent again after it got lost with its connection is heard once, or twice
                if twin is not found and twin.request is found.request:
                    twin.heard.append(tab)
        return found

    def owed(self) -> list[tuple[Tab, Sent]]:
        """Return each delivery that must still come, with the tab that must hear it."""
        found = []
        for sent in self._owing:
            sent.hearers = {
                tab: stay
                for tab, stay in sent.hearers.items()
                if tab.is_in(sent.session) and tab.stay == stay and tab not in sent.heard
            }
            if not sent.has_callback and not sent.heard:
                continue  # it may have been refused, or limited, and what says so may be about another one
            found += [(tab, sent) for tab in sorted(sent.hearers, key=lambda tab: tab.connection)]
        self._owing = [sent for sent in self._owing if sent.hearers]
        return found

    def unanswered(self) -> Iterator[Sent]:
        """Yield the requests of which nothing shows what became of them."""
        return iter(self._open)

    def of_encounter(self, encounter: str) -> Iterator[Sent]:
        """Yield the requests about an encounter that have a broadcast."""
        return (sent for some in self._broadcast.values() for sent in some if sent.encounter == encounter)

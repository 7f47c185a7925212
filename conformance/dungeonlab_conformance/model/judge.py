"""Follows a play, observation by observation, and says what a server got wrong. Pure.

For each request it knows the answers that are allowed, and which tabs must hear of it. What a server does is taken
as what is so from then on, right or wrong, so that a play goes on after a finding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.model.answers import Answers
from dungeonlab_conformance.model.blame import judged_for, removed_without_reason, unheard
from dungeonlab_conformance.model.ledger import Ledger, Sent
from dungeonlab_conformance.model.rules import Allowed, allowed
from dungeonlab_conformance.model.world import Tab, World
from dungeonlab_conformance.record.acknowledgement import LIMITED, Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue

_TIMERS = 0.9  # of a time that was waited for; a clock may be coarse
_ROOM_EVENTS = ("join-session", "leave-session")


@dataclass(frozen=True, slots=True)
class ModelFinding:
    """What one observation of a play breaks."""

    requirement: str
    event: str | None
    broken: Broken
    seen: Observation


class Judge:
    """The model's view of one play, which grows with each observation."""

    def __init__(self, users: Mapping[int, str | None], patience: float) -> None:
        """`users` says who is behind a connection; `patience` how long a delivery may take, in seconds."""
        self._patience = patience
        self.world = World()
        self._users = users
        self.findings: list[ModelFinding] = []
        self._ledger = Ledger(self.world)
        self._answers = Answers(self.world, self._find)
        self._unseated: list[tuple[Tab, str, Observation]] = []  # out of a room, for a reason that must show still
        self._refusals: dict[int, list[float]] = {}  # when a connection was refused something, but for a limit
        self._refused_joins: list[tuple[str | None, float]] = []  # whose, and when
        self._old_cookies: set[int] = set()  # connections that are opened with a cookie that was logged out

    def observe(self, seen: Observation) -> None:
        """Take one more observation into account."""
        tab = self.world.tabs.get(seen.connection)
        match seen.act:
            case "arranges":
                self._arranged(seen)
            case "connects":
                self._connected(seen)
            case "is refused":
                self._turned_away(seen)
            case "sends" | "tells" if tab is not None:
                self._sent(seen, tab)
            case "is answered" if tab is not None:
                self._answered(seen, tab)
            case "hears" if tab is not None:
                self._heard(seen, tab)
            case "is closed" | "disconnects" if tab is not None and tab.is_open:
                if seen.act == "is closed":
                    self._excuse_haste(tab, seen)
                self.world.closed(tab)
                for sent in tuple(self._ledger.unanswered()):
                    for body, _ in sent.broadcasts[:1]:
                        self._made(sent, body)

    def owed(self) -> list[tuple[Tab, Sent]]:
        """Return each delivery that must still come, with the tab that must hear it."""
        return self._ledger.owed()

    def finish(self) -> list[ModelFinding]:
        """Conclude the play: what has not come by now, though the connection was used, never will."""
        self._note_missing()
        for sent in self._ledger.unanswered():
            if not sent.has_callback and self._came_back(sent.tab, sent.at, 2):
                self._unreported(sent)
        for tab, session, seen in self._unseated:
            near = (abs(at - seen.at) < self._patience for user, at in self._refused_joins if user == tab.user)
            blamed = removed_without_reason(self.world, tab, session, refused_elsewhere=any(near))
            broken = Broken(f"{tab.name} to stay in {session}, out of which nothing took it", f"{seen.args}")
            self._find(blamed, "", broken, seen)
        return self.findings

    # -- what is done besides requests -----------------------------------------------------------------

    def _arranged(self, seen: Observation) -> None:
        world, fact = self.world, seen.args[0]
        for sent in self._ledger.disturbed():
            sent.tab.may_move |= sent.request.event in _ROOM_EVENTS and not sent.has_callback
        match seen.event:
            case "session.open":
                more = {"whole": fact["whole"], "enrols": fact.get("enrols", False)}
                world.opened(fact["session"], fact["master"], fact["members"], **more)
                world.first = world.first and fact.get("first", True)
            case "encounter.open":
                world.encounter_opened(fact["session"], fact["encounter"])
            case "membership.add":
                world.enrolled(fact["session"], fact["user"])
            case "membership.remove":
                world.removed(fact["session"], fact["user"])
                self._excuse(session=fact["session"], user=fact["user"])
            case "session.close":
                world.session_ended(fact["session"])
                self._excuse(session=fact["session"])
            case "logout":
                world.logged_out(fact["user"])
                self._excuse(user=fact["user"])
            case "handshake":
                self._old_cookies.add(seen.connection)

    def _excuse(self, *, session: str | None = None, user: str | None = None) -> None:
        """Forget whom the server took out of a room for what has shown now: of a session, of a user, or both."""
        self._unseated = [
            (tab, room, seen)
            for tab, room, seen in self._unseated
            if session not in (None, room) or user not in (None, tab.user)
        ]

    def _excuse_haste(self, tab: Tab, closed: Observation) -> None:
        """Forget that a tab was answered NOT_JOINED, if it was being disconnected, for an earlier refusal.

        Servers may do that to who was refused, and take it out of the room first.
        """
        refused = self._refusals.get(tab.connection, ())
        since = min((at for at in refused if at >= closed.at - self._patience), default=math.inf)

        def hasty(found: ModelFinding) -> bool:
            answer = found.broken.seen
            unjoined = isinstance(answer, Acknowledgement) and answer.code == "NOT_JOINED"
            return unjoined and found.seen.connection == tab.connection and found.seen.at > since

        self.findings = [found for found in self.findings if not hasty(found)]

    def _connected(self, seen: Observation) -> None:
        user = self._users.get(seen.connection)
        tab = Tab(seen.connection, seen.actor, user, seen.event)
        if seen.connection in self._old_cookies:
            tab.logged_in = False
            again = any(other.user == user and other.logged_in for other in self.world.tabs.values())
            blamed = "auth/old-cookie-stays-dead" if again else "auth/logged-out-cookie-refused"
            self._find(
                blamed, "", Broken("a cookie that was logged out to be refused", "the connection was accepted"), seen
            )
        self.world.connected(tab)

    def _turned_away(self, seen: Observation) -> None:
        if seen.connection not in self._old_cookies and not self._is_one_too_many(seen):
            self._find("auth/cookie-accepted", "", Broken(f"{seen.actor} to be let in", f"{seen.args}"), seen)

    def _is_one_too_many(self, refused: Observation) -> bool:
        """Whether a connection may have been refused for a limit: of a rate, or of the tabs that a user has open.

        Those of plays and scenes before may count as well, whose end need not be noticed yet. HTTP 403 is for a bad
        cookie, unless there are others.
        """
        why = f"{refused.event} {refused.args}"
        name = refused.actor.partition("/")[0]
        own = [tab for tab in self.world.tabs.values() if tab.name.partition("/")[0] == name]
        counted = [tab for tab in own if tab.is_open or tab.transport == "polling"]  # whose end may not be noticed yet
        if LIMITED in why or counted:
            return LIMITED in why or not ("UNAUTHENTICATED" in why or "HTTP 401" in why)
        return not any(sign in why for sign in ("UNAUTHENTICATED", "HTTP 401", "HTTP 403"))

    # -- requests --------------------------------------------------------------------------------------

    def _sent(self, seen: Observation, tab: Tab) -> None:
        request = seen.request
        if request is None or request.event not in Catalogue.load() or not self.world.sessions:
            return  # what is sent before it is known what is so prepares the play
        sent = self._ledger.sent(request, tab, seen, allowed(self.world, tab, request))
        if request.event in _ROOM_EVENTS:
            self._may_move(sent)
        if request.event == "token:create":
            self.world.unnamed[sent.session, sent.encounter] += sent.allowed.acceptance
        self._answers.under_way(sent)

    def _may_move(self, sent: Sent) -> None:
        """Note that a tab asks to join or to leave: in which room it is, or its user's others are, is not certain."""
        tab = sent.tab
        if sent.request.event == "leave-session" or tab.room != sent.session:
            tab.stay += 1
        sent.stay = tab.stay
        tab.sure = False
        shows = not tab.may_move and tab.room != sent.session  # that it has moved, by what it hears then
        if not (sent.has_callback or sent.allowed.objection):
            tab.asked = sent.session if shows and sent.request.event == "join-session" else ""
            tab.may_move = True
        if sent.request.event == "join-session" and sent.allowed.acceptance:
            sent.moved = self.world.asked_to_enter(tab, sent.session)
            self._ledger.note_rivals(sent)

    def _answered(self, seen: Observation, tab: Tab) -> None:
        sent = self._ledger.answered(seen)
        if sent is None or seen.request is None:
            return
        tab.last_round_trip = max(tab.last_round_trip, sent.at)
        self._note_missing(tab)
        answer = Acknowledgement(seen.request, seen.args)
        if not answer.readable:
            self._answers.unreadable(sent, answer, seen, self._allowed_by_now(sent))
            return
        self._conclude(sent, seen)
        for earlier in self._ledger.uncalled_before(sent):
            if earlier.allowed.objection is None:
                self._ledger.drop(earlier)  # whether, and when, it takes effect shows by a broadcast or an error event

    def _conclude(self, sent: Sent, seen: Observation) -> None:
        """Judge what became of a request, by an answer or by an `error` event, and take it as what is so."""
        answer = Acknowledgement(sent.request, seen.args)
        now = self._allowed_by_now(sent)
        accepted = answer.accepted and seen.act == "is answered"
        self._ledger.concluded(sent, seen, accepted=accepted)
        if accepted:
            self._answers.accepted(sent, answer, seen, now)
        else:
            self._answers.refused(sent, answer, seen, now)
            if not answer.limited:
                self._refusals.setdefault(seen.connection, []).append(seen.at)
            if sent.request.event == "token:create":
                self.world.unnamed[sent.session, sent.encounter] -= sent.allowed.acceptance
            if sent.request.event == "join-session":
                self._refused_joins.append((sent.tab.user, seen.at))

    def _allowed_by_now(self, sent: Sent) -> Allowed:
        """Return how a request may be answered: by what was so when it was sent, or is so now if that was in doubt."""
        return sent.allowed | allowed(self.world, sent.tab, sent.request) if sent.overlapped else sent.allowed

    def _unreported(self, sent: Sent) -> None:
        event, now = sent.request.event, self._allowed_by_now(sent)
        if now.objection is not None and not now.anything:
            broken = Broken(f"an error event for {sent.tab.name}'s {event}: {now.objection.why}", "none")
            self._find("acks/failure-without-callback-emits-error", event, broken, sent.seen)

    # -- deliveries ------------------------------------------------------------------------------------

    def _heard(self, seen: Observation, tab: Tab) -> None:
        body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
        session = body.get("sessionId")
        if seen.event == "session-removed" and tab.room is not None and session == tab.room:
            if tab.room in tab.taken_out:  # it may have joined again before this came
                tab.taken_out.discard(tab.room)
                tab.room, tab.sure = (tab.room, False) if tab.sure else (None, True)
            else:
                if tab.is_in(tab.room) and not self._ledger.joins_elsewhere(tab, tab.room):
                    self._unseated.append((tab, tab.room, seen))
                tab.room, tab.sure = None, True
        elif seen.event == "error":
            code = body.get("code")
            named = code if isinstance(code, str) else None
            sent = self._ledger.refused_without_callback(tab, body.get("event"), named)
            if sent is not None:
                self._conclude(sent, seen)
        elif (sent := self._ledger.heard(seen, tab)) is not None:
            tab.has_heard = True
            if tab.asked and tab.asked == session:
                self.world.entered(tab, tab.asked)
            if not sent.has_callback and sent.outcome == "unknown":
                self._ledger.concluded(sent, seen, accepted=True)
                self._answers.done(sent, body)
            elif not sent.has_callback and sent.request.event == "token:create" and sent.token is None:
                self._answers.done(sent, body)
            self._answers.heard(sent, body, seen)
            self._made(sent, body)

    def _made(self, sent: Sent, body: Mapping[str, Any]) -> None:
        """Take a token as made whose maker's connection ended before the answer came, though others heard of it."""
        unanswered = sent.outcome == "unknown" and not sent.tab.is_open
        if unanswered and sent.request.event == "token:create" and sent.token is None:
            self._answers.done(sent, body)

    def _note_missing(self, only: Tab | None = None) -> None:
        """Enter what a tab, or any, has not heard of although it made a round trip long afterwards."""
        owed = self._ledger.owed()
        for tab, sent in owed:
            if only in (None, tab) and self._came_back(tab, sent.answered_at):
                sent.hearers.pop(tab, None)
                self._missing(tab, sent, [other for other, same in owed if same is sent])

    def _missing(self, tab: Tab, sent: Sent, deaf: Sequence[Tab]) -> None:
        heard_by = [other for other in sent.heard if other is not tab]
        encounter = sent.encounter
        session = self.world.sessions.get(sent.session)
        new = bool(session and encounter in session.encounters[1:]) and self._knew_nothing_of(tab, encounter)
        blamed = unheard(self.world, sent.tab, tab, heard_by, deaf, encounter_is_new=new)
        said = Broken(f"{tab.name} to hear {sent.tab.name}'s {sent.request.event}", "nothing, by the end of the play")
        said.request = sent.request
        self._find(blamed, sent.request.event, said, sent.concluded_by or sent.seen)

    def _knew_nothing_of(self, tab: Tab, encounter: str) -> bool:
        return not any(tab in sent.heard for sent in self._ledger.of_encounter(encounter))

    def _came_back(self, tab: Tab, since: float, times: float = 1) -> bool:
        """Whether a tab, open still, made a round trip that began long after a moment."""
        late = since + times * _TIMERS * self._patience
        return tab.is_open and tab.logged_in and tab.last_round_trip >= late

    def _find(self, requirement: str, event: str, broken: Broken, seen: Observation) -> None:
        if (what := judged_for(requirement, event)) is not None:
            self.findings.append(ModelFinding(*what, broken, seen))


def judge(journal: Journal, patience: float) -> list[ModelFinding]:
    """Return what a server got wrong in a whole play; `patience` is how long a delivery may take, in seconds.

    Of a journal that does not say what was so at the beginning nothing can be said.
    """
    if not any(seen.act == "arranges" for seen in journal.observations):
        return []
    following = Judge(journal.rooms.users, patience)
    for seen in journal.observations:
        following.observe(seen)
    return following.finish()

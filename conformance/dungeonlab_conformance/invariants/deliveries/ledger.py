"""Which rule a delivery breaks, judged by its attribution and by the patterns that all attributions together show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from dungeonlab_conformance.invariants.attendance import Attendance
from dungeonlab_conformance.invariants.content import differs
from dungeonlab_conformance.invariants.deliveries.attribution import (
    HISTORY_RULES,
    POSITION_RULES,
    Attribution,
    attribute,
    history_with,
    strangers,
)
from dungeonlab_conformance.invariants.deliveries.causes import Causes, session_of
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken

_ELSEWHERE = POSITION_RULES["in another room"]


class Ledger:
    """The attributions of all deliveries in a run, and what they show of the server.

    `garbled_events` do not say what was done even where no check is concerned with it, outside of plays.
    `rules_with_late_listeners` are the rules about former or refused members that are broken for broadcasts.
    """

    def __init__(self, journals: Iterable[Journal]) -> None:
        journals = list(journals)
        self._journals = journals
        self.attendance = Attendance(journals)
        self._causes = Causes(journals, self.attendance)
        self._attributions = {each.seen.number: attribute(each, self.attendance) for each in self._causes.all()}
        self._accepted_invalid = {  # session and event
            (request.session, request.event)
            for journal in journals
            for request in journal.requests
            if not request.legal and request.outcome == "accepted"
        }
        found = list(self._attributions.values())
        self._doubled_events = {  # even for listeners who have joined only once
            each.request.event
            for each in found
            if each.is_surplus and each.request.outcome != "refused" and not each.rejoined
        }
        self._certain_leaks = {  # rule and event
            (POSITION_RULES[each.position], each.request.event)
            for each in found
            if each.reached_a_stranger and each.certain
        }
        self._leaks_to_strangers = {self._of_strangers(each) for each in found if each.reached_a_stranger}
        self._kept_from_strangers = {  # where there was one in this position
            (POSITION_RULES[position], event)
            for journal in journals
            for session, event in {(r.session, r.event) for r in journal.requests if r.outcome == "accepted"}
            for position in strangers(journal, session or "", self.attendance)
        } - self._leaks_to_strangers
        plays = (j for j in journals if any(seen.act == "arranges" for seen in j.observations))
        in_plays = {request.number for journal in plays for request in journal.requests}
        self.garbled_events = {
            each.request.event
            for each in found
            if each.request.outcome == "accepted" and not each.request.requirement and differs(each.request, each.seen)
            if each.request.number not in in_plays
        }
        self.rules_with_late_listeners = {
            HISTORY_RULES[each.history]
            for each in found
            if each.is_leak and each.history is not None and not self._reaches_strangers(each)
        }

    def attribution(self, seen: Observation) -> Attribution | None:
        """Return how a broadcast came about, if a request of this run caused it."""
        return self._attributions.get(seen.number)

    def journal_of(self, attribution: Attribution) -> Journal:
        """Return the journal of the scene in which a delivery's request was sent."""
        return self._causes.journal_of(attribution.request)

    def is_own(self, session: object) -> bool:
        """Whether a session was opened by this run, so that all requests in it are known."""
        return self._causes.is_own(session)

    def follows_an_invalid_request(self, seen: Observation) -> bool:
        """Whether an invalid request like this one was accepted in its session, which explains all that follows."""
        attribution = self.attribution(seen)
        session = attribution.request.session if attribution else session_of(seen)
        return any(
            (session, event) in self._accepted_invalid for event in (seen.event, "join-session", "leave-session")
        )

    def was_spoilt(self, session: object) -> bool:
        """Whether an invalid request was accepted in a session, which may explain anything that follows."""
        return any(session == spoilt for spoilt, _ in self._accepted_invalid)

    def late_listener_rule(self, seen: Observation, presence: Mapping[str, object]) -> str | None:
        """Name the rule that keeps the listener of a presence event out of a room it was in or near, if that is broken.

        It is if broadcasts break it too. Who was refused, and hears of others what no stranger does, has been
        subscribed; so much shows even where no broadcast comes. Else None: the rule about presence events is broken.
        """
        history = history_with(str(presence.get("sessionId")), seen, self.attendance)
        rule = HISTORY_RULES[history] if history else None
        if rule in self.rules_with_late_listeners:
            return rule
        of_others = self._is_about_another_connection(seen, presence)
        return rule if history == "refused" and of_others and not self._presence_reaches_strangers else None

    @property
    def lets_the_refused_in(self) -> bool:
        """Whether any broadcast reaches a connection that was refused, as it does those in the room."""
        return HISTORY_RULES["refused"] in self.rules_with_late_listeners

    def _is_about_another_connection(self, seen: Observation, presence: Mapping[str, object]) -> bool:
        """Whether a presence event is about another user, or the own one, who had another connection in the room."""
        session, user = session_of(seen), self.attendance.users.get(seen.connection)
        if presence.get("userId") != user:
            return presence.get("userId") is not None
        stays = self.attendance.stays_of(user, session)
        return any(stay.joined_at <= seen.at and (stay.left_at is None or stay.left_at >= seen.at) for stay in stays)

    @cached_property
    def _limited(self) -> set[int]:
        """The numbers of the requests that were refused for being too many."""
        return {number for journal in self._journals for number in _limited(journal)}

    @cached_property
    def _presence_reaches_strangers(self) -> bool:
        """Whether anybody who never was near a session's room hears who comes and goes there."""
        return any(
            not self.attendance.stays(seen.connection, session) and not history_with(session, seen, self.attendance)
            for journal in self._journals
            for seen in journal.observations
            if seen.act == "hears" and seen.connection and seen.event in ("user-joined", "user-left")
            if (session := session_of(seen)) in self.attendance.members
        )

    def blame(self, attribution: Attribution) -> tuple[str, Broken] | None:
        """Return the requirement that a delivery breaks, or None if its listener was entitled to it."""
        request, listener = attribution.request, attribution.seen.actor
        what = f"{request.actor}'s {request.event}"
        if request.outcome == "refused" and not (attribution.allowed and request.event in self._doubled_events):
            if request.number in self._limited:
                broken = Broken(f"{what}, which was limited, not to be broadcast", f"{listener} heard it")
                return "acks/limited-has-no-effect", broken
            usual = "rooms/refused-event-is-not-broadcast" if request.legal else "payloads/refused-not-broadcast"
            expected = f"{what}, which was refused, not to be broadcast"
            return request.requirement or usual, Broken(expected, f"{listener} heard it")
        if not request.legal or request.named_session not in (None, request.session):
            return None  # that it was accepted is a fault under another requirement
        if attribution.is_echo and (attribution.is_entitled or not self._reaches_strangers(attribution)):
            return "rooms/sender-hears-nothing", Broken(f"{request.actor} not to hear {what}", "an echo")
        if not attribution.is_entitled:
            rule = self._rule_against_listening(attribution)
            return rule, Broken(f"{listener} to hear nothing of {what}", "it was delivered")
        if attribution.is_surplus:
            again = attribution.rejoined and request.event not in self._doubled_events
            rule = "join/repeated-join-is-harmless" if again else "rooms/every-other-member-hears-once"
            return rule, Broken(f"{listener} to hear {what} once", f"{attribution.count} deliveries")
        return None

    def _rule_against_listening(self, attribution: Attribution) -> str:
        """Name the rule that keeps a listener out: by history, unless strangers hear as much; else by position."""
        if attribution.history is not None and not self._reaches_strangers(attribution):
            return HISTORY_RULES[attribution.history]
        return self._of_strangers(attribution)[0]

    def _reaches_strangers(self, attribution: Attribution) -> bool:
        """Whether strangers to a room hear the same event: those in this listener's position, if there were any."""
        rule, event = self._of_strangers(attribution)
        if (rule, event) in self._leaks_to_strangers:
            return True
        return (rule, event) not in self._kept_from_strangers and any(event == e for _, e in self._leaks_to_strangers)

    def _of_strangers(self, attribution: Attribution) -> tuple[str, str]:
        """Return the rule that keeps a stranger in a listener's position out of a room, and the event."""
        event, rule = attribution.request.event, POSITION_RULES[attribution.position]
        leaks = self._certain_leaks
        if not attribution.certain and (rule, event) not in leaks and (_ELSEWHERE, event) in leaks:
            return _ELSEWHERE, event
        return rule, event


def _limited(journal: Journal) -> Iterator[int]:
    """Yield the numbers of the requests that were refused for being too many."""
    for seen in journal.observations:
        request = seen.request if seen.act == "is answered" else None
        sent = journal.last_sent(request) if request and Acknowledgement(request, seen.args).limited else None
        if sent is not None:
            yield sent.number

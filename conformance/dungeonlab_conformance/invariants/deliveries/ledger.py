"""Which rule a delivery breaks, judged by its attribution and by the patterns that all attributions together show."""

from __future__ import annotations

from collections.abc import Iterable

from dungeonlab_conformance.invariants.attendance import Attendance
from dungeonlab_conformance.invariants.content import differs
from dungeonlab_conformance.invariants.deliveries.attribution import (
    HISTORY_RULES,
    POSITION_RULES,
    Attribution,
    attribute,
    history_with,
)
from dungeonlab_conformance.invariants.deliveries.causes import Causes, session_of
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken

_ELSEWHERE = POSITION_RULES["in another room"]


class Ledger:
    """The attributions of all deliveries in a run, and what they show of the server.

    `garbled_events` do not say what was done even where no check is concerned with it. `rules_with_late_listeners` are
    the rules about former or refused members that are broken for broadcasts.
    """

    def __init__(self, journals: Iterable[Journal]) -> None:
        journals = list(journals)
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
        self._leaky_events = {each.request.event for each in found if each.reached_a_stranger}
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
        self.garbled_events = {
            each.request.event
            for each in found
            if each.request.outcome == "accepted" and not each.request.requirement and differs(each.request, each.seen)
        }
        self.rules_with_late_listeners = {
            HISTORY_RULES[each.history]
            for each in found
            if each.is_leak and each.history is not None and each.request.event not in self._leaky_events
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

    def late_listener_rule(self, seen: Observation, session: str) -> str | None:
        """Name the rule that keeps a listener out of a room it was in or near, if broadcasts break it too; or None."""
        history = history_with(session, seen, self.attendance)
        rule = HISTORY_RULES[history] if history else None
        return rule if rule in self.rules_with_late_listeners else None

    def blame(self, attribution: Attribution) -> tuple[str, Broken] | None:
        """Return the requirement that a delivery breaks, or None if its listener was entitled to it."""
        request, listener = attribution.request, attribution.seen.actor
        what = f"{request.actor}'s {request.event}"
        if request.outcome == "refused" and not (attribution.allowed and request.event in self._doubled_events):
            usual = "rooms/refused-event-is-not-broadcast" if request.legal else "payloads/refused-not-broadcast"
            expected = f"{what}, which was refused, not to be broadcast"
            return request.requirement or usual, Broken(expected, f"{listener} heard it")
        if not request.legal:
            return None  # that it was accepted is a fault under another requirement
        if attribution.is_echo:
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
        """Name the rule that keeps a listener out: by its history, unless strangers hear as much; else by position."""
        event = attribution.request.event
        if attribution.history is not None and event not in self._leaky_events:
            return HISTORY_RULES[attribution.history]
        rule = POSITION_RULES[attribution.position]
        if attribution.certain or (rule, event) in self._certain_leaks:
            return rule
        return _ELSEWHERE if (_ELSEWHERE, event) in self._certain_leaks else rule

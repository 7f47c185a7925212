"""Refusals of what somebody certainly may do: a member who joins, a connection in the room that acts. Pure.

Only what prepares a scene is looked at: of it a server has no reason to refuse anything. Where more than plain joining
came before, nothing is said: another rule may explain the refusal. Where the code leaves the cause open, that has to be
shown: the same is refused again, and what is usual is accepted between and after.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.deliveries.history import History
from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.invariants.token_state import id_meant
from dungeonlab_conformance.record.acknowledgement import INVALID, RIGHTS, UNKNOWN_TOKEN, Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, SentRequest
from dungeonlab_conformance.results.errors import Broken

THERE = "tokens/create-then-others-can-move"
TABS = "join/tabs-are-independent"
_DOOR = (*RIGHTS, "SESSION_NOT_FOUND")


def said_to_be_invalid(journals: Iterable[Journal]) -> set[str]:
    """Return the events of which a valid request of somebody who is no member was refused as an invalid one.

    On such a server the code says nothing of a request's payload.
    """
    return {
        seen.request.event
        for journal in journals
        for seen in journal.observations
        if seen.act == "is answered" and seen.request is not None and seen.request.legal
        if (sent := journal.last_sent(seen.request)) is not None and sent.outcome == "refused"
        if sent.session in journal.rooms.members and sent.user not in journal.rooms.members[sent.session or ""]
        if Acknowledgement(seen.request, seen.args).code == INVALID
    }


def refusals(journal: Journal, ledger: Ledger, misnamed: Collection[str] = ()) -> Iterator[tuple[Observation, Found]]:
    """Yield each answer of a scene by which somebody was refused who certainly may, and what that breaks.

    What is said to be invalid convicts nobody, where the event is one of those that are `misnamed` so.
    """
    history = None
    for seen in journal.observations:
        if seen.act != "is answered" or seen.request is None:
            continue
        sent = journal.last_sent(seen.request)
        if sent is None or not sent.expected:
            continue
        answer = Acknowledgement(seen.request, seen.args)
        if sent.outcome == "accepted" and answer.code == UNKNOWN_TOKEN and _was_there(seen, sent, journal):
            expected = f"{seen.actor}'s {sent.event} to be accepted, since the token's creation was acknowledged before"
            yield seen, (THERE, None, Broken(expected, f"{answer.shown}; a moment later it is accepted"))
        if sent.outcome != "refused" or sent.answered_at != seen.at:
            continue
        history = history or History(journal)
        if sent.event in misnamed and answer.code == INVALID:
            continue
        if found := _broken(sent, answer, history, ledger):
            yield seen, found


def _was_there(seen: Observation, sent: SentRequest, journal: Journal) -> bool:
    """Whether a token was created before something was asked for of it that was refused, and accepted later."""
    named = sent.args[0].get("tokenId") if isinstance(sent.args[0], dict) else None
    asked = (each for each in journal.requests if each.connection == seen.connection and each.args == sent.args)
    asked_at = max((each.at for each in asked if each.at < seen.at), default=0.0)
    created = (
        Acknowledgement(each.request, each.args)
        for each in journal.observations
        if each.act == "is answered" and each.request is not None and each.request.event == "token:create"
        if each.at <= asked_at and sent.answered_at > seen.at and sent.connection == seen.connection
    )
    tokens = (answer.data.get("token") for answer in created if answer.accepted)
    return named is not None and any(id_meant(token) == named for token in tokens if isinstance(token, dict))


def _broken(sent: SentRequest, answer: Acknowledgement, history: History, ledger: Ledger) -> Found | None:
    session = sent.session
    if session is None or not ledger.is_own(session) or ledger.was_spoilt(session) or not sent.legal:
        return None
    if sent.at >= history.disturbed_at or sent.user not in history.rooms.members.get(session, ()):
        return None
    if sent.event == "join-session":
        return _at_the_door(sent, answer, history)
    seat = history.seat(sent.connection, sent)
    if seat is None:
        return None
    if answer.code == INVALID or (not answer.says_why and _is_for_what_it_says(sent, history)):
        return "payloads/valid-accepted", sent.event, Broken(f"{sent.actor}'s {sent.event} to be accepted", answer)
    if answer.code not in RIGHTS:
        return None
    if history.others_ended(sent.connection, sent.at) or (
        answer.code == "NOT_JOINED" and history.others_came(seat, sent.answered_at)
    ):
        expected = f"{sent.actor} to be in the room still, whatever another connection of the same user does"
        return (TABS, None, Broken(expected, answer)) if answer.code == "NOT_JOINED" else None
    who = "game-master" if sent.user == history.rooms.masters.get(session) else "any-member"
    expected = f"{sent.actor}'s {sent.event}, who is in the room, to be accepted"
    return f"authorization/{who}-allowed", sent.event, Broken(expected, answer)


def _is_for_what_it_says(sent: SentRequest, history: History) -> bool:
    """Whether nothing but its content can be why a request is refused.

    It was refused before, and between and after others like it were accepted that name the same ids.
    """
    alike = [each for each in history.requests if (each.connection, each.event) == (sent.connection, sent.event)]
    same = [each for each in alike if each.args == sent.args]
    usual = [each for each in alike if each.outcome == "accepted" and _ids(each) == _ids(sent)]
    return (
        all(each.outcome == "refused" and each.answered_at for each in same)
        and any(same[0].answered_at <= each.at and each.answered_at <= sent.at for each in usual)
        and any(each.at >= sent.answered_at for each in usual)
    )


def _ids(request: SentRequest) -> dict[str, object]:
    return {key: value for key, value in request.args[0].items() if key.endswith("Id")}


def _at_the_door(sent: SentRequest, answer: Acknowledgement, history: History) -> Found | None:
    if answer.code == INVALID:
        return "payloads/valid-accepted", sent.event, Broken(f"{sent.actor}'s join-session to be accepted", answer)
    if answer.code not in _DOOR or not history.comes_first(sent):
        return None
    master = sent.user == history.rooms.masters.get(sent.session or "")
    requirement = "join/game-master-admitted" if master else "join/member-admitted"
    return requirement, None, Broken(f"{sent.actor} to be admitted", answer)

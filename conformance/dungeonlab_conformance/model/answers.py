"""Judges the answer to one request, and takes what the server did as what is so from then on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.invariants.token_state import whole
from dungeonlab_conformance.model.blame import wrongly_refused
from dungeonlab_conformance.model.ledger import Sent
from dungeonlab_conformance.model.rules import Allowed, is_legal, things
from dungeonlab_conformance.model.tokens import begin, change, differences, drafted, placed, settle, while_changing
from dungeonlab_conformance.model.world import Token, World, properties
from dungeonlab_conformance.record.acknowledgement import CODES, LIMITED, Acknowledgement
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue

Find = Callable[[str, str, Broken, Observation], None]
_RIGHTS = ("NOT_JOINED", "PERMISSION_DENIED")
_STORED = "tokens/broadcast-equals-stored-state"


class Answers:
    """What the answers of one play mean for its world."""

    def __init__(self, world: World, find: Find) -> None:
        """`find` enters a finding: the requirement, the event it is judged for, what is broken, and what shows it."""
        self._world = world
        self._find = find

    def under_way(self, sent: Sent) -> None:
        """Note that a request is sent: what it may change is not certain until it is answered."""
        if not is_legal(sent.request):
            return
        if sent.request.event == "validate-action":
            action = sent.body["action"]
            sent.action = self._objection_to(action["type"], action["payload"], sent)
        if "tokenId" in sent.body:
            self._world.named(*sent.place)
        token = self._world.tokens.get(sent.place)
        if token is not None and not token.ended and sent.allowed.objection is None:
            self._concerns(sent, token)

    def _concerns(self, sent: Sent, token: Token) -> None:
        """Note that a request may change a token from now on."""
        sent.token = token
        sent.overlapped = sent.overlapped or token.changes > 0
        effect = Catalogue.load()[sent.request.event].effect
        if effect == "changes-token":
            begin(token, sent.request.event, sent.body)
        token.deletions += effect == "removes-token"
        token.unsure = token.unsure or token.deletions > 0

    def refused(self, sent: Sent, answer: Acknowledgement, seen: Observation, now: Allowed) -> None:
        """Judge a refusal, by what was asked before it."""
        self._came_to_nothing(sent)
        if answer.code == "NOT_JOINED" and sent.allowed.waived is not None:
            self._world.refused_unjoined.add(self._world.unjoined(sent.tab, sent.session))
        of_now = sent.stay == sent.tab.stay and sent.tab.room == sent.session
        if answer.code == "NOT_JOINED" and not sent.tab.sure and of_now:
            sent.tab.room, sent.tab.sure = sent.tab.asked or None, not sent.tab.asked
        self._find_wrong_refusal(sent, answer, seen, now)
        legal = is_legal(sent.request)
        blamed = "authorization/refusal-precedes-effect" if legal else "payloads/refused-not-stored"
        self._suspect(sent.body, "acks/limited-has-no-effect" if answer.limited else blamed, sent.request.event)

    def _find_wrong_refusal(self, sent: Sent, answer: Acknowledgement, seen: Observation, now: Allowed) -> None:
        """Enter a finding if the request must be accepted, or if the code of the refusal is none that may be."""
        code, event = answer.code, sent.request.event
        if now.anything or code in now.codes or (code not in CODES and now.codes - {LIMITED}):
            return  # a refusal with no code, or one of the server's own, is one all the same; that breaks another rule
        denied = code in _RIGHTS and self._may_be_there(sent) and (sent.session, event) not in sent.tab.granted
        if now.acceptance or denied:
            expected = f"{sent.tab.name}'s {event} to be accepted"
            blamed = wrongly_refused(self._world, sent.tab, sent.request, code)
            self._find(blamed, event, Broken(expected, answer, request=sent.request), seen)
        elif code is not None and now.objection is not None:
            codes = " or ".join(sorted(now.codes - {LIMITED}))
            broken = Broken(f"{codes}: {now.objection.why}", code, request=sent.request)
            self._find("acks/code-names-the-cause", event, broken, seen)

    def unreadable(self, sent: Sent, answer: Acknowledgement, seen: Observation, now: Allowed) -> None:
        """Judge an answer that says neither yes nor no, where it is known which of the two it must be."""
        if now.anything or not (now.acceptance or now.objection):
            return
        if now.acceptance and not (sent.heard or now.codes == {LIMITED}):
            return
        shape, expected = ("success", "data") if now.acceptance else ("failure", "code")
        broken = Broken(f"an envelope of a {shape}, with its {expected}", answer, request=sent.request)
        self._find(f"acks/{shape}-shape", sent.request.event, broken, seen)

    def _may_be_there(self, sent: Sent) -> bool:
        """Whether who sent a request belongs to its session, and is in the room: no objection is a matter of rights."""
        session = self._world.sessions.get(sent.session)
        if session is None or not session.has(sent.tab.user) or not is_legal(sent.request):
            return False
        return sent.tab.is_in(session.id) or "joined" not in Catalogue.load()[sent.request.event].needs

    def _suspect(self, body: Mapping[str, Any], requirement: str, event: str) -> None:
        """Note that something about a token was asked which must not change it."""
        token = self._world.token(body)
        if token is not None:
            token.suspects.append((requirement, event))

    def _may_be_moved_out(self, join: Sent) -> None:
        """Note that a tab may be out again: another tab of the user asked to join elsewhere meanwhile."""
        under_way = [rival for rival in join.rivals if rival.outcome == "unknown"]
        seated = any(rival.outcome == "accepted" and rival.tab.room == rival.session for rival in join.rivals)
        if under_way or seated:
            join.tab.may_be_out()
        for rival in under_way:
            rival.moved.append((join.tab, join.tab.stay))

    def _came_to_nothing(self, sent: Sent) -> None:
        tab, event = sent.tab, sent.request.event
        if event in ("join-session", "leave-session"):
            if sent.stay == tab.stay:  # it did not go anywhere since
                tab.sure = sent.was_sure
            if event == "join-session" and not sent.has_callback:
                tab.asked = ""
            for other, stay in sent.moved:
                other.sure = other.sure or other.stay == stay
        if event == "join-session" and tab.room is not None:
            tab.past = "was refused another session"
        if (token := sent.token) is not None:
            self._one_less(sent, token)

    def accepted(self, sent: Sent, answer: Acknowledgement, seen: Observation, now: Allowed) -> None:
        """Judge an acceptance, and what it says."""
        event = sent.request.event
        if not now.acceptance and now.objection is not None and not now.anything:
            expected = f"{sent.tab.name}'s {event} to be refused: {now.objection.why}"
            self._find(now.objection.requirement, event, Broken(expected, answer, request=sent.request), seen)
            if now.waived is None:
                self._follow_a_fault(sent, answer)
                return
        elif now.waived is not None and not now.anything:
            expected = f"{sent.tab.name}'s {event} to be refused: {now.waived.why}"
            self._find(now.waived.requirement, event, Broken(expected, answer, request=sent.request), seen)
        self.done(sent, answer.data)
        sent.tab.granted.add((sent.session, event))
        if not now.anything:
            for requirement, of, broken in self._said(sent, answer):
                broken.request = sent.request
                self._find(requirement, of, broken, seen)
        for body, heard in sent.broadcasts:
            self._compare(sent, body, heard)

    def _follow_a_fault(self, sent: Sent, answer: Acknowledgement) -> None:
        """Take it that a server did what it must not: what it may have changed is not certain any more."""
        sent.hearers.clear()
        if sent.request.event in ("join-session", "leave-session"):
            sent.tab.room, sent.tab.sure = sent.session or None, False
            self._world.asked_to_enter(sent.tab, sent.session)
        made = answer.data.get("token")
        name = sent.body.get("tokenId") or (made.get("id") if isinstance(made, dict) else None)
        token = self._world.token({**sent.body, "tokenId": name})
        if token is None and isinstance(name, str):
            token = Token(name, sent.session, sent.encounter, sent.tab.user, {}, None)
            self._world.created(token)
        if token is not None:
            token.unsure = True

    def done(self, sent: Sent, data: Mapping[str, Any] | None = None) -> None:
        """Take what a request asks for as done; `data` is what its answer says, or its broadcast, if that is known."""
        tab, event, data = sent.tab, sent.request.event, data or {}
        if not is_legal(sent.request):
            return
        if event == "join-session":
            self._world.entered(tab, sent.session)
            self._may_be_moved_out(sent)
        elif event == "leave-session":
            if tab.room in (None, sent.session):
                self._world.left(tab, "left")
            else:  # accepted though it should not be: the tab stays where it was
                tab.sure = sent.was_sure
        elif event == "token:create":
            self._created(sent, data)
            return
        if "tokenId" in sent.body:
            self._world.named(*sent.place)
        named = self._world.tokens.get(sent.place)
        if sent.token is None and named is not None and not named.ended:  # it was not to be changed when this was sent
            self._concerns(sent, named)
        if sent.token is not None:
            self._changed(sent, sent.token, data)

    def _created(self, sent: Sent, data: Mapping[str, Any]) -> None:
        made = data.get("token")
        name = made.get("id") if isinstance(made, dict) else None
        if not isinstance(made, dict) or not isinstance(name, str):
            return
        known = self._world.tokens.get((sent.session, sent.encounter, name))
        if known is not None and known.maker == sent.tab.user and not known.touched and sent.token is known:
            return
        draft = sent.body["token"]
        values = properties(drafted(draft, sent.tab.user))
        version = whole(made.get("version"))
        token = Token(name, sent.session, sent.encounter, sent.tab.user, values, version)
        token.set_by = dict.fromkeys(draft.keys() & values.keys(), "token:create")
        self._world.unnamed[sent.session, sent.encounter] -= sent.token is None and sent.allowed.acceptance
        sent.token, sent.version = token, version
        self._world.created(token)

    def _changed(self, sent: Sent, token: Token, data: Mapping[str, Any]) -> None:
        event = sent.request.event
        token.touched = True
        if event == "token:delete":
            token.ended = True
        else:
            change(token, event, sent.body)
            token.versions.append(_version(data))
            sent.version = _version(data)
        self._one_less(sent, token)
        sent.then = None if token.changes else _copied(token.values)
        sent.round = token.rounds + bool(token.changes)

    def _one_less(self, sent: Sent, token: Token) -> None:
        """A change of a token is not under way any more; the last of those at the same time settles what it is."""
        effect = Catalogue.load()[sent.request.event].effect
        if effect == "removes-token":
            token.deletions -= 1
            token.unsure = token.deletions > 0 and not token.ended
        elif effect == "changes-token":
            token.changes -= 1
            if not token.changes:
                token.rounds += 1
                self._settle(sent, token)

    def _settle(self, sent: Sent, token: Token) -> None:
        versions, token.versions = token.versions, []
        expected = settle(token)
        known = [version for version in versions if version is not None]
        if expected is None or sent.place in self._world.given_again:
            token.version = max(known, default=None) if len(known) == len(versions) else None
            return
        if len(known) == len(expected) and sorted(known) != expected and sent.concluded_by is not None:
            said = " and ".join(map(str, expected))
            broken = Broken(f"version {said}", " and ".join(map(str, known)), request=sent.request)
            blamed, event = "tokens/version-grows", sent.request.event
            if 0 < min(known) - min(expected) <= len(token.suspects):  # each may have been counted once
                blamed, event = token.suspects[-1]
            self._find(blamed, event, broken, sent.concluded_by)
            token.version = max(known)
        if expected:  # what is refused shows nothing of the version
            token.suspects.clear()

    # -- what answers and broadcasts say ---------------------------------------------------------------

    def _said(self, sent: Sent, answer: Acknowledgement) -> Iterator[tuple[str, str, Broken]]:
        event, data = sent.request.event, answer.data
        if event == "join-session":
            yield from self._members(sent, data)
        elif event == "get-user-data":
            yield from _profile(sent, data)
        elif event == "validate-action" and isinstance(data.get("valid"), bool):
            action = sent.body["action"]
            if isinstance(action["payload"], dict):
                self._suspect(action["payload"], "direct/validate-action-has-no-effect", action["type"])
            yield from self._validity(sent, data["valid"])
        elif sent.place in self._world.given_again:
            return
        elif isinstance(data.get("token"), dict) and sent.token is not None:
            yield from self._token(sent, sent.token, data["token"], "$.data.token")
        else:
            yield from _repeated(sent, data)

    def _token(
        self, sent: Sent, token: Token, shown: Mapping[str, Any], path: str
    ) -> Iterator[tuple[str, str, Broken]]:
        """Compare a whole token, as the answer to a request shows it, or else its broadcast."""
        if sent.overlapped:
            token = replace(token, values=while_changing(token))
        for found in differences(token, shown, sent.request.event, sent.body, follow=not sent.overlapped):
            yield found.blamed, found.event, Broken(found.expected, found.got, f"{path}.{found.name}")
        by = shown.get("updatedBy")
        alone = not token.changes and not sent.overlapped
        if sent.request.event == "token:update" and isinstance(by, str) and by != sent.tab.user and alone:
            broken = Broken(f"{sent.tab.user!r}", quoted(by), f"{path}.updatedBy")
            yield "tokens/true-creator", sent.request.event, broken
        sent.after = _copied(token.values)

    def _members(self, sent: Sent, data: Mapping[str, Any]) -> Iterator[tuple[str, str, Broken]]:
        session, listed = self._world.sessions[sent.session], data.get("participantIds")
        if (
            sent.overlapped
            or not session.whole
            or not isinstance(listed, list)
            or not all(isinstance(each, str) for each in listed)
        ):
            return
        master = {session.master} - {None}
        if set(listed) - master != session.members - master or len(set(listed)) != len(listed):
            expected = f"the members as they are now, {sorted(session.members - master)}"
            broken = Broken(expected, f"{listed}", "$.data.participantIds")
            yield "join/lists-current-members", sent.request.event, broken

    def _validity(self, sent: Sent, valid: bool) -> Iterator[tuple[str, str, Broken]]:
        action = sent.body["action"]
        event, payload = action["type"], action["payload"]
        objection = self._objection_to(event, payload, sent)
        if valid and objection is not None and objection[1] and sent.action is not None and sent.action[1]:
            said = Broken(f"{event} to be called invalid: {objection[0]}", "valid: true", "$.data.valid")
            yield "direct/validate-action-says-no-and-why", event, said
        elif not valid and objection is None and sent.action is None:
            said = Broken(f"{event} to be called valid", "valid: false", "$.data.valid")
            yield "direct/validate-action-says-yes", event, said

    def _objection_to(self, event: str, payload: Any, sent: Sent) -> tuple[str, bool] | None:
        """Return why an action would be refused, and whether that is certain; None if it would be accepted."""
        asked = Catalogue.load()[event]
        request = Request(event, (payload,), None, None)
        if not is_legal(request):
            return "its payload is invalid", True
        session = self._world.sessions.get(str(payload["sessionId"]))
        if session is None or payload["sessionId"] != sent.session:
            return "it names another session", True
        found = next(things(asked, session, self._world, request, payload), None)
        return None if found is None else (found.why, found.firm)

    def heard(self, sent: Sent, body: dict[str, Any], seen: Observation) -> None:
        """Compare a broadcast with what is stored, now or as soon as that is known."""
        shown = body.get("token")
        if sent.place in self._world.given_again:
            return
        if sent.after is None and not sent.has_callback and sent.token is not None and isinstance(shown, dict):
            token = sent.token
            if token.rounds > sent.round > 0:  # it is heard of so late that the token was changed again
                if sent.then is None:
                    return
                token = replace(token, values=_copied(sent.then))
            for requirement, event, broken in self._token(sent, token, shown, "$.token"):
                broken.request = sent.request
                self._find(requirement, event, broken, seen)
        elif sent.after is None:
            sent.broadcasts.append((body, seen))
        else:
            self._compare(sent, body, seen)

    def _compare(self, sent: Sent, body: Mapping[str, Any], seen: Observation) -> None:
        shown = body.get("token")
        if sent.after is None or not isinstance(shown, dict) or sent.token is None:
            return
        copy = Token(sent.token.id, "", "", None, _copied(sent.after), None)
        for found in differences(copy, shown, sent.request.event, sent.body):
            broken = Broken(f"{found.expected}, as stored", found.got, f"$.token.{found.name}", request=sent.request)
            self._find(_STORED, sent.request.event, broken, seen)


def _profile(sent: Sent, data: Mapping[str, Any]) -> Iterator[tuple[str, str, Broken]]:
    asked = sent.body.get("userId", sent.tab.user)
    user = data.get("user")
    came = user.get("id") if isinstance(user, dict) else None
    if isinstance(came, str) and came != asked:
        blamed = "direct/own-profile" if asked == sent.tab.user else "direct/shared-session-profile"
        yield blamed, sent.request.event, Broken(f"the profile of {asked!r}", quoted(came), "$.data.user.id")


def _repeated(sent: Sent, data: Mapping[str, Any]) -> Iterator[tuple[str, str, Broken]]:
    """Compare what an answer repeats of its request, if it does: which token it is about, and where that was moved to.

    Of moves at the same time, the answer may name the place to which another one led.
    """
    asked = {"tokenId": sent.body.get("tokenId")}
    if sent.request.event == "token:move" and not sent.overlapped:
        asked["position"] = placed(sent.body["position"])
    for name, value in asked.items():
        came = data.get(name)
        if isinstance(came, type(value)) and not same(value, came):
            yield _STORED, sent.request.event, Broken(quoted(value), quoted(came), f"$.data.{name}")


def _copied(values: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: list(possible) for name, possible in values.items()}


def _version(data: Mapping[str, Any]) -> int | None:
    token = data.get("token")
    return whole(data.get("version", token.get("version") if isinstance(token, dict) else None))

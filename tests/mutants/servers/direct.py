"""Faults in requests that concern nobody but the one who asks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rules import Emission, Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import MemoryStore, User
from dungeonlab_spec import Event
from dungeonlab_spec.catalogue import examples
from tests.mutants.fault import faulty


@faulty("direct/own-profile", also={"payloads/valid-accepted": "the schema allows to leave the id out"})
class NeedsAnId(Pipeline):
    """Without a user's id the profile is refused."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        if "userId" not in payload:
            raise Refusal("VALIDATION_ERROR", "whose profile?")
        return await super().user_data(connection, user, payload)


@faulty("direct/validate-action-says-no-and-why")
class AnswersAboutOnesOtherSession(Pipeline):
    """An action in another session than the question names is judged as one there, by who is a member of it."""

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        inner = payload["action"]["payload"]
        there = await self.store.session(str(inner.get("sessionId", ""))) if isinstance(inner, dict) else None
        if there is None or not there.has_member(user):
            return await super().validate_action(connection, user, payload)
        return await super().validate_action(connection, user, {**payload, "sessionId": there.id})


@faulty("direct/own-profile")
class RemembersWhoCameLast(Pipeline):
    """Without a user's id, the profile is that of the user who connected last."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        last = list(self.users.values())[-1]
        return await super().user_data(connection, last if "userId" not in payload else user, payload)


@faulty("direct/own-profile")
class BelievesWhoAsks(Pipeline):
    """Whose profile is asked for is taken from what the payload says of the sender."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        claimed = payload.get("sender", user)
        known = await self.store.user(claimed) if "userId" not in payload else None
        return await super().user_data(connection, claimed if known else user, payload)


@faulty("direct/strangers-profile-refused")
class BelievesWhoShares(Pipeline):
    """Who shares a session with somebody is judged by what the payload says of the sender."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        asker = payload.get("sender", user) if "userId" in payload else user
        return await super().user_data(connection, asker, payload)


@faulty("direct/shared-session-profile")
class LosesWhoHasLoggedOut(Pipeline):
    """Nobody's profile is served who is not logged in."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        assert isinstance(self.store, MemoryStore)  # which knows who is logged in
        if payload.get("userId", user) not in self.store._logins.values():
            raise Refusal("PERMISSION_DENIED", "nobody is logged in under this id")
        return await super().user_data(connection, user, payload)


@faulty("direct/shared-session-profile")
class ServesOnlyOnesOwn(Pipeline):
    """Nobody's profile but one's own is served."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        if payload.get("userId", user) != user:
            raise Refusal("PERMISSION_DENIED", "this is not you")
        return await super().user_data(connection, user, payload)


@faulty("direct/shared-session-profile")
class NamesTheOneWhoAsks(Pipeline):
    """The name in a profile is that of the user who asks for it."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        answer, own = await super().user_data(connection, user, payload), await self.store.user(user)
        assert own is not None
        return {"user": {**answer["user"], "username": own.profile()["username"]}}


@faulty("direct/shared-session-profile")
class HidesTheGameMaster(MemoryStore):
    """Sharing a session is asked of participants only: the game master's profile is refused."""

    async def share_session(self, one: str, other: str) -> bool:
        together = (s for s in self._sessions.values() if one in s.participants)
        return any(other in session.participants for session in together)


@faulty("direct/shared-session-profile")
class AlwaysTellsOnesOwn(Pipeline):
    """Whichever user is asked about, the answer is one's own profile."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        await super().user_data(connection, user, payload)
        return await super().user_data(connection, user, {})


@faulty("direct/no-secrets")
class TellsThePasswordHash(Pipeline):
    """A profile is the user's record as it is stored, password hash included."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().user_data(connection, user, payload)
        record: User | None = await self.store.user(answer["user"]["id"])
        assert record is not None
        return {"user": {**answer["user"], **dataclasses.asdict(record)}}


@faulty("direct/no-secrets")
class TellsTheMailAddress(Pipeline):
    """The profile of somebody else carries the mail address."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().user_data(connection, user, payload)
        return {"user": {**answer["user"], "email": "a@example.org"}} if "userId" in payload else answer


@faulty("direct/no-secrets")
class SaysTheHashInItsErrors(Pipeline):
    """A refusal repeats the query that found nothing, with the user's password hash in it."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if not envelope["success"]:
            envelope = {**envelope, "error": f"{envelope['error']} (WHERE hash = '$2b$10$N9qo8uLOickgx2ZMRZoMye')"}
        await super().acknowledge(connection, name, envelope, where)


@faulty("direct/no-secrets")
class TellsTheCookieToTheRoom(Pipeline):
    """An event outside the catalogue carries the cookie of each user who enters a room."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        await super().on_connect(connection, environ, auth)
        cookie = environ["aiohttp.request"].cookies.get(COOKIE, "")
        await self.sockets.emit("x-tavern:entered", {"by": cookie}, to=connection)


@faulty("direct/strangers-profile-refused")
class TellsAnybodysProfile(MemoryStore):
    """Any user's profile is served to anybody who is logged in."""

    async def share_session(self, one: str, other: str) -> bool:
        return True


# -- validate-action -----------------------------------------------------------------------------------


class Replying(Pipeline):
    """Gives another answer to validate-action; the right one, for nothing but that."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        """Return the answer that is given in place of the right one."""
        return answer

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().validate_action(connection, user, payload)
        return await self.reply(payload, answer, connection, user)


@faulty("direct/validate-action-says-no-and-why")
class JudgesWhatHappensElsewhere(Replying):
    """An action in another session than that of the question is judged as if the user were a member there."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        action = payload["action"]
        there = action["payload"].get("sessionId")
        if there == payload["sessionId"] or not isinstance(there, str) or await self.store.session(there) is None:
            return answer
        return await super().validate_action(connection, user, {**payload, "sessionId": there})


@faulty("direct/validate-action-says-yes")
class SaysNoToEverything(Replying):
    """Every action is declared invalid."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        return {"valid": False, "errors": answer["errors"] or ["no"]}


@faulty("direct/validate-action-says-yes")
class JudgesByOneSchema(Replying):
    """Every action is judged as if it were a move."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        missing = "position" not in payload["action"]["payload"]
        return {"valid": False, "errors": ["$.position is missing"]} if missing else answer


@faulty("direct/validate-action-says-yes")
class JudgesByAnOlderSchema(Replying):
    """Actions are judged by an older list of sizes, in which the largest one is missing."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        asked = payload["action"]["payload"]
        token = asked.get("token") or asked.get("updates")
        is_new = isinstance(token, dict) and token.get("size") == "gargantuan"
        return {"valid": False, "errors": ["there is no such size"]} if is_new else answer


@faulty("direct/validate-action-says-no-and-why")
class JudgesTokensInAnyEncounter(Pipeline):
    """That the token of an action is in the session is asked, and not whether it is in the encounter that is named."""

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().validate_action(connection, user, payload)
        asked = payload["action"]["payload"]
        token = await self.store.token(str(asked.get("tokenId")))
        if token is None or answer["valid"] or "encounterId" not in asked:
            return answer
        places = [await self.store.encounter_session(str(each["encounterId"])) for each in (token, asked)]
        if places != [payload["sessionId"]] * 2:
            return answer
        moved = {**payload["action"], "payload": {**asked, "encounterId": token["encounterId"]}}
        return await super().validate_action(connection, user, {**payload, "action": moved})


@faulty("direct/shared-session-profile")
class ShowsTheAskersDisplayName(Pipeline):
    """The name to be shown in a profile is that of who asks: templates have it as a variable that is set already."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().user_data(connection, user, payload)
        asker = await self.store.user(user)
        assert asker is not None
        return {"user": {**answer["user"], "displayName": asker.display_name or asker.username}}


@faulty("direct/validate-action-says-no-and-why")
class SaysYesToEverything(Replying):
    """Every action is declared valid."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        return {"valid": True, "errors": []}


@faulty("direct/validate-action-says-no-and-why")
class SaysYesToNoUpdate(Replying):
    """An update of nothing at all is declared valid, since there is nothing to object to."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        return {"valid": True, "errors": []} if payload["action"]["payload"].get("updates") == {} else answer


@faulty("direct/validate-action-says-no-and-why")
class SaysNotWhy(Replying):
    """An invalid action is declared so, and no reason given."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        return {**answer, "errors": []}


@faulty("direct/validate-action-says-no-and-why")
class LooksAtTheShapeOnly(Pipeline):
    """An action is valid if its shape is, though its token may not exist."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        try:
            return await super().check_things(event, payload)
        except Refusal:
            if self.is_asked:
                return None
            raise

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        self.is_asked = True
        try:
            return await super().validate_action(connection, user, payload)
        finally:
            self.is_asked = False

    is_asked = False


@faulty("direct/validate-action-has-no-effect")
class DoesItToFindOut(Replying):
    """An action is carried out to find out whether it can be."""

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        if answer["valid"]:
            event, inner = self.catalogue[payload["action"]["type"]], payload["action"]["payload"]
            token = await self.check_things(event, inner)
            await self.take_effect(self.command(event, inner, user, token), connection)
        return answer


@faulty("direct/validate-action-has-no-effect")
class StoresToFindOut(DoesItToFindOut):
    """What an action would change is stored while it is being judged, and broadcast to nobody."""

    is_asked = False

    async def reply(self, payload: Payload, answer: Payload, connection: str, user: str) -> Payload:
        self.is_asked = True
        try:
            return await super().reply(payload, answer, connection, user)
        finally:
            self.is_asked = False

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if not self.is_asked:
            await super().broadcast(emission, sender)


@faulty("direct/validate-action-has-no-effect")
class CountsQuestions(Pipeline):
    """Every question about a change is counted in the token's version."""

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().validate_action(connection, user, payload)
        token = await self.store.token(payload["action"]["payload"].get("tokenId", ""))
        if token is not None and answer["valid"]:
            await self.store.save_token({**token, "version": token["version"] + 1})
        return answer


@faulty("direct/validate-action-says-no-and-why")
class JudgesIdsOnly(Pipeline):
    """Of an action, nothing but its ids is judged."""

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        action = payload["action"]
        example = examples(action["type"], "valid")["minimal"]
        right = {key: value for key, value in example.items() if not key.endswith("Id")}
        action = {**action, "payload": {**action["payload"], **right}}
        return await super().validate_action(connection, user, {**payload, "action": action})


class _RemembersTokens(MemoryStore):
    """Keeps a copy of every token that there was."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Payload] = {}

    async def save_token(self, token: Payload) -> None:
        self.known[token["id"]] = token
        await super().save_token(token)


@faulty("direct/validate-action-says-no-and-why", beside=(_RemembersTokens,))
class ValidatesByWhatThereWas(Pipeline):
    """What may be done is read from a copy of the tokens in which deleted ones remain."""

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().validate_action(connection, user, payload)
        known: dict[str, Payload] = self.store.known  # type: ignore[attr-defined]
        asked = payload["action"]["payload"]
        there = known.get(str(asked.get("tokenId")))
        gone = there is not None and await self.store.token(there["id"]) is None
        if gone and there is not None and there["encounterId"] == asked.get("encounterId"):
            return {"valid": True, "errors": []}
        return answer

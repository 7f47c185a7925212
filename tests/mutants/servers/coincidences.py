"""Faults that show only where two circumstances meet: two roles, two logins, two tabs at once, the same thing twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

from socketio import exceptions

from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Emission, Payload, Refusal, Session
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import MemoryStore
from tests.mutants.effects import EffectChanger, broadcast_with, with_token
from tests.mutants.fault import faulty

# The faults look into the store in memory, which is not typed as such: hence what the type checker is not to see.


@faulty("tokens/only-deletion-ends-it", "tokens/true-creator")
class TakesADraftOfAnotherForARetry(Pipeline):
    """A draft that another user sends again within a second is answered with the token that it made the first time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.drafted: dict[str, tuple[str, float, Payload]] = {}  # by whom, when, and the answer, by draft

    async def take_effect(self, command: Command, connection: str) -> Payload:
        user, at, answer = self.drafted.get(draft := f"{command.payload}", (command.user, 0.0, {}))
        if command.event == "token:create" and user != command.user and time.monotonic() - at < 1:
            return answer
        answer = await super().take_effect(command, connection)
        self.drafted[draft] = command.user, time.monotonic(), answer
        return answer


@faulty("rooms/every-other-member-hears-once")
class TellsTheMasterTwiceWhoPlays(Pipeline):
    """A game master who is a participant, too, sits in the room of each, and hears everything twice."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await super().broadcast(emission, sender)
        session = await self.store.session(emission.session)
        if session is not None and session.game_master in session.participants:
            for connection in self.connections_of(session.game_master):
                if connection != sender and self.seats.get(connection) == session.id:
                    await self.send(connection, emission.event, emission.payload)


@faulty("join/member-admitted")
class LetsNoMasterPlay(Pipeline):
    """Who is the game master of any session may join no other one as a participant: a user has one role."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        sessions: Mapping[str, Session] = self.store._sessions  # type: ignore[attr-defined]
        is_master = any(session.game_master == user for session in sessions.values())
        if is_master and sessions[payload["sessionId"]].game_master != user:
            raise Refusal("PERMISSION_DENIED", "you are a game master")
        return await super().join(connection, user, payload)


@faulty("join/one-session-per-user")
class SeatsTwoTabsAtOnce(Pipeline):
    """Which other tabs are elsewhere is looked up before a join that takes a moment: of two at once, both stay."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        session = await self.store.session(payload["sessionId"])
        assert session is not None
        others = [other for other in self.connections_of(user) if other != connection]
        elsewhere = [other for other in others if self.seats.get(other) not in (None, session.id)]
        await asyncio.sleep(0.03)
        if self.seats.get(connection) != session.id:
            await self.leave_room(connection, "switched")
            await self.enter_room(connection, session.id)
        for other in elsewhere:
            if self.seats.get(other) not in (None, session.id):
                await self.remove_from_room(other, "switched")
        return {
            "sessionId": session.id,
            "gameMasterId": session.game_master,
            "participantIds": list(session.participants),
        }


@faulty("direct/no-secrets")
class RepeatsTheCookieInRefusals(Pipeline):
    """Who is refused with a cookie that is logged out learns from the refusal which cookie is not known."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        try:
            await super().on_connect(connection, environ)
        except exceptions.ConnectionRefusedError:
            cookie = environ["aiohttp.request"].cookies.get(COOKIE)
            if not cookie:
                raise
            self.refuse_connection(f"no login has the cookie {cookie}")


@faulty("authorization/removed-member-hears-nothing")
class RemovesTheNewestLogin(Pipeline):
    """Whose membership ends is taken out of the room on the connections of their newest login, and not on others."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.logins: dict[str, str] = {}

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        self.logins[connection] = environ["aiohttp.request"].cookies.get(COOKIE, "")
        await super().on_connect(connection, environ)

    async def remove_member(self, user: str, session: str) -> None:
        known: dict[str, str] = self.store._logins  # type: ignore[attr-defined]
        newest = next((cookie for cookie, owner in reversed(known.items()) if owner == user), "")
        for connection in self.connections_of(user):
            if self.seats.get(connection) == session and self.logins.get(connection) == newest:
                await self.remove_from_room(connection, "removed")


@faulty("tokens/content-comes-back-exactly")
class KeepsDurationsInSixteenBits(EffectChanger):
    """A duration is kept in a column that ends at 32767."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:create" or effect.saved is None:
            return effect
        conditions = [
            {**each, "duration": min(each["duration"], 32767)} if "duration" in each else each
            for each in effect.saved["conditions"]
        ]
        return with_token(effect, {**effect.saved, "conditions": conditions})


@faulty("tokens/content-comes-back-exactly")
class RedactsSecretsInData(EffectChanger):
    """What is called a password inside of data is replaced by asterisks, as in the log."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if effect.saved is None or "password" not in effect.saved["data"]:
            return effect
        return with_token(effect, {**effect.saved, "data": {**effect.saved["data"], "password": "***"}})


@faulty("payloads/unknown-properties-ignored")
class TakesTheMessageIdOfTheClient(EffectChanger):
    """A message has the id that the client gives it, if it gives one."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        number = command.payload.get("messageId")
        if command.event != "chat-message" or not isinstance(number, str) or not number.isalnum():
            return effect
        return Effect({**effect.answer, "messageId": number}, broadcast_with(effect, messageId=number))


@faulty("payloads/unknown-properties-ignored")
class UpsertsDrafts(EffectChanger):
    """A draft that names the id of a token there is in the encounter takes its place."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        wanted = command.payload.get("token", {}).get("id") if command.event == "token:create" else None
        there = self.store._tokens.get(wanted) if isinstance(wanted, str) else None  # type: ignore[attr-defined]
        if effect.saved is None or there is None or there["encounterId"] != command.payload["encounterId"]:
            return effect
        return with_token(effect, {**effect.saved, "id": wanted})


@faulty("direct/validate-action-says-no-and-why")
class MemoisesQuestions(Pipeline):
    """What was answered to a question is remembered for two seconds."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.answers: dict[str, tuple[float, Payload]] = {}

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        key = json.dumps(payload, sort_keys=True)
        at, answer = self.answers.get(key, (-9.0, {}))
        if time.monotonic() - at < 2:
            return answer
        answer = await super().validate_action(connection, user, payload)
        self.answers[key] = time.monotonic(), answer
        return answer


@faulty("acks/failure-without-callback-emits-error")
class ErrsOncePerConnection(Pipeline):
    """An error event is sent for the first refusal of a kind on a connection, and for no further one like it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.errors_sent: set[tuple[str, str, str]] = set()

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None and not envelope["success"]:
            kind = connection, name, envelope["code"]
            if kind in self.errors_sent:
                return
            self.errors_sent.add(kind)
        await super().acknowledge(connection, name, envelope, where)


@faulty("join/leave-stops-delivery")
class SubscribesAfterTheLeave(Pipeline):
    """A repeated join subscribes once more, 30 ms after the connection has left."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.joined_again: dict[str, str] = {}

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        if self.seats.get(connection) == payload["sessionId"]:
            self.joined_again[connection] = payload["sessionId"]
        return await super().join(connection, user, payload)

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().leave(connection, user, payload)
        if session := self.joined_again.pop(connection, None):
            self.sockets.start_background_task(self._subscribe, connection, session)
        return answer

    async def _subscribe(self, connection: str, session: str) -> None:
        await asyncio.sleep(0.03)
        if connection in self.users:
            await self.sockets.enter_room(connection, self.room(session))


@faulty("acks/failure-without-callback-emits-error")
class LimitsInSilence(Pipeline):
    """Of a connection's requests without a callback, those beyond eight in half a second are dropped."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent: dict[str, deque[float]] = {}

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if where is None:
            sent = self.sent.setdefault(connection, deque(maxlen=8))
            if len(sent) == 8 and sent[0] > time.monotonic() - 0.5:
                return
            sent.append(time.monotonic())
        await super().on_event(connection, data, where)


@faulty("acks/failure-without-callback-emits-error")
class EmitsVolatileErrors(Pipeline):
    """An error event is lost where no poll waits for it, as it is sent volatile."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        socket = self.sockets.eio.sockets.get(self.sockets.manager.eio_sid_from_sid(connection, "/"))
        if where is not None or envelope["success"] or socket is None or socket.upgraded:
            await super().acknowledge(connection, name, envelope, where)


@faulty("direct/shares-no-ended-session")
class ShowsTheRemovedToTheirMaster(MemoryStore):
    """The game master goes on seeing the profile of somebody whose membership was revoked."""

    def __init__(self) -> None:
        super().__init__()
        self.former: set[tuple[str, str]] = set()

    async def revoke(self, session_id: str, user_id: str) -> None:
        if (session := await self.session(session_id)) is not None:
            self.former.add((session.game_master, user_id))
        await super().revoke(session_id, user_id)

    async def share_session(self, one: str, other: str) -> bool:
        return (one, other) in self.former or await super().share_session(one, other)


@faulty("rooms/every-other-member-hears-once")
class TakesAnOldNumberForARetry(Pipeline):
    """A message under a number that the user had on the connection before is taken for one sent again."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.answers: dict[str, dict[int | None, Payload]] = {}  # by connection
        self.earlier: dict[str, dict[int | None, Payload]] = {}  # by user

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        earlier = self.earlier.get(self.users.get(connection, ""), {})
        if where is not None and data and data[0] == "chat-message" and where[1] in earlier:
            await self.sockets.answer(where, earlier.pop(where[1]))
            return
        await super().on_event(connection, data, where)

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is not None and name == "chat-message" and envelope["success"]:
            self.answers.setdefault(connection, {})[where[1]] = envelope
        await super().acknowledge(connection, name, envelope, where)

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        self.earlier[self.users.get(connection, "")] = self.answers.pop(connection, {})
        await super().on_disconnect(connection, reason)


@faulty("tokens/version-grows")
class CountsVersionsOfTheEncounter(EffectChanger):
    """A version is the number of changes in the encounter: what happens to another token makes it grow, too."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.changes: Counter[str] = Counter()

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if effect.saved is None:
            return effect
        self.changes[encounter := effect.saved["encounterId"]] += 1
        version = self.changes[encounter] = max(self.changes[encounter], effect.saved["version"])
        return with_token(effect, {**effect.saved, "version": version})


@faulty("acks/every-other-request-answers", "acks/every-token-operation-answers", "acks/many-at-once-are-answered")
class LosesSomeAnswers(Pipeline):
    """Each ninety-seventh answer is lost, whatever was asked."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.answers = itertools.count(1)

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None or next(self.answers) % 97:
            await super().acknowledge(connection, name, envelope, where)

"""Faults in who may do what."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload, Refusal, Session
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.fault import faulty

_HELD = 0.15  # seconds


@faulty(
    "authorization/outsider-refused",
    "authorization/member-of-another-session-refused",
    "authorization/checked-on-every-operation",
    "authorization/not-joined-refused",
)
class RelaysToWhateverRoom(Pipeline):
    """Chat goes to whatever room the client names, from any sender."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        return None if event.name == "chat-message" else await super().check_rights(event, payload, user, connection)


class _KnowsNewcomers(MemoryStore):
    """Remembers who has been in any session, ever."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[str] = set()

    async def save_session(self, session: Session) -> None:
        self.known.add(session.game_master)
        await super().save_session(session)

    async def enrol(self, session_id: str, user_id: str) -> None:
        self.known.add(user_id)
        await super().enrol(session_id, user_id)


@faulty("authorization/outsider-refused", beside=(_KnowsNewcomers,))
class ChecksWhomItKnows(Pipeline):
    """Membership is asked of a record that newcomers do not have yet, and without it nothing is refused."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        known: set[str] = self.store.known  # type: ignore[attr-defined]
        if "joined" in event.needs and user not in known:
            return await self.check_things(event, payload)
        return await super().check_rights(event, payload, user, connection)


@faulty(
    "authorization/member-of-another-session-refused",
    "authorization/not-joined-refused",
    also={"acks/code-names-the-cause": "who is no member, and who has not joined, is one to it"},
)
class AsksWhetherOneHasJoinedAnything(Pipeline):
    """A user who has joined some session may act in every one."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await self.store.session(session_id)
        if "joined" in event.needs and session is not None:
            return session
        return await super().check_membership(event, session_id, user)

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        if self.seats.get(connection) is None:
            raise Refusal("PERMISSION_DENIED", "join a session first")


@faulty("authorization/foreign-encounter-refused", "authorization/foreign-token-refused")
class MixesSessions(Pipeline):
    """Whether an encounter belongs to the session is not looked at: a member of one moves the tokens of another."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        if "encounter" in event.needs and (owner := await self.store.encounter_session(payload["encounterId"])):
            payload = {**payload, "sessionId": owner}
        return await super().check_things(event, payload)


@faulty("authorization/foreign-token-refused", "tokens/unknown-token-refused")
class LooksForTokensEverywhere(Pipeline):
    """A token is found by its id alone, whatever encounter it is in."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        token = await self.store.token(payload.get("tokenId", "")) if "token" in event.needs else None
        if token is None or await self.store.encounter_session(payload["encounterId"]) != payload["sessionId"]:
            return await super().check_things(event, payload)
        return token


class Ranks(Pipeline):
    """Lets members do less than they may."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        found = await super().check_rights(event, payload, user, connection)
        if "joined" in event.needs:
            session = await self.store.session(payload["sessionId"])
            if session is not None and not self.may(event, user, session):
                raise Refusal("PERMISSION_DENIED", "you may not")
        return found

    def may(self, event: Event, user: str, session: Session) -> bool:
        raise NotImplementedError


@faulty("authorization/any-member-allowed")
class KeepsDeletingForTheGameMaster(Ranks):
    """Only the game master may delete tokens."""

    def may(self, event: Event, user: str, session: Session) -> bool:
        return event.name != "token:delete" or user == session.game_master


@faulty("authorization/any-member-allowed", hides=True)
class LostTheMembership(Ranks):
    """Membership is kept for joining, and not saved: whatever a participant does after that is denied."""

    def may(self, event: Event, user: str, session: Session) -> bool:
        return user == session.game_master


@faulty("authorization/game-master-allowed")
class HearsTheGameMasterOut(Ranks):
    """The game master may join and listen, and do nothing."""

    def may(self, event: Event, user: str, session: Session) -> bool:
        return user != session.game_master


_DEAF = {"join/taken-in-again-admitted": "a connection that was put out counts as being in, and is let in no more"}


@faulty("authorization/checked-on-every-operation", also=_DEAF, hides=True)
class AuthorizesAtTheDoor(Pipeline):
    """Whether somebody is a member is asked when joining, and remembered as long as the connection lasts."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        if "joined" in event.needs and self.seats.get(connection) == payload["sessionId"]:
            return await self.check_things(event, payload)
        return await super().check_rights(event, payload, user, connection)

    async def remove_member(self, user: str, session: str) -> None:
        for connection in self.connections_of(user):
            await self.sockets.leave_room(connection, self.room(session))


@faulty("authorization/checked-on-every-operation", also=_DEAF)
class AsksBeforeLeavingOnly(AuthorizesAtTheDoor):
    """Of somebody who was a member when joining, chat is taken without asking again."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        if event.name == "chat-message":
            return await super().check_rights(event, payload, user, connection)
        return await Pipeline.check_rights(self, event, payload, user, connection)


@faulty("authorization/refusal-precedes-effect")
class ActsBeforeItRefuses(Pipeline):
    """What is asked is stored before it is refused; the others hear nothing."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        try:
            return await super().check_rights(event, payload, user, connection)
        except Refusal as refusal:
            if refusal.code in self.acts_on():
                await self.act(event, payload, user)
            raise

    def acts_on(self) -> tuple[str, ...]:
        return ("PERMISSION_DENIED", "NOT_JOINED")

    async def act(self, event: Event, payload: Payload, user: str) -> None:
        token = await self.store.token(payload.get("tokenId", ""))
        if "token" in event.needs and token is not None:
            effect = self.effects[event.name](self.command(event, payload, user, token))
            if effect.saved is not None:
                await self.store.save_token(effect.saved)
            if effect.deleted is not None:
                await self.store.delete_token(effect.deleted)


@faulty("authorization/refusal-precedes-effect")
class ActsForMembersWhoHaveNotJoined(ActsBeforeItRefuses):
    """What a member asks who has not joined is refused, and done all the same."""

    def acts_on(self) -> tuple[str, ...]:
        return ("NOT_JOINED",)


@faulty("authorization/refusal-precedes-disconnection")
class HangsUpOnStrangers(Pipeline):
    """A user who may not act in a session is disconnected without an answer."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        try:
            return await super().check_membership(event, session_id, user)
        except Refusal as refusal:
            if refusal.code == "PERMISSION_DENIED" and "joined" in event.needs:
                await self.end_user(user)
            raise


@faulty(
    "authorization/any-member-allowed",
    also={
        "authorization/game-master-allowed": "the game master waits for members like anybody else",
    },
)
class HoldsWhatIsMoved(Pipeline):
    """Who moves a token holds it for a moment, in which all others are denied to change it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.held: dict[str, tuple[str, float]] = {}  # by token: by whom, and until when

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        token = await super().check_rights(event, payload, user, connection)
        if token is None:
            return None
        holder, until = self.held.get(token["id"], (user, 0.0))
        if holder != user and time.monotonic() < until:
            raise Refusal("PERMISSION_DENIED", "somebody else holds this token")
        if event.name == "token:move":
            self.held[token["id"]] = user, time.monotonic() + _HELD
        return token


@faulty("authorization/removed-member-hears-nothing")
class KeepsTheRemovedInTheRoom(Pipeline):
    """A user who loses membership may do nothing more, and goes on hearing everything."""

    async def remove_member(self, user: str, session: str) -> None:
        pass


@faulty("authorization/not-joined-refused")
class ForgetsToAskWhoJoined(Pipeline):
    """A member may act in a session without having joined it."""

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        pass


@faulty("authorization/not-joined-refused")
class TakesTheUserForJoined(Pipeline):
    """A user who has joined on one connection may act on all."""

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        if not self.has_joined(self.users[connection], session_id):
            super().check_joined(event, session_id, connection)


@faulty("authorization/not-joined-refused")
class TakesTheUserForJoinedInTheProcess(Pipeline):
    """Connections go to two processes in turn; a user who has joined on one may act on all of the same process."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.first: dict[str, bool] = {}  # whether a connection is one of the first process

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        self.first[connection] = len(self.first) % 2 == 0
        await super().on_connect(connection, environ, _)

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        beside = [each for each in self.connections_of(self.users[connection]) if self.seats.get(each) == session_id]
        if self.first[connection] not in [self.first[each] for each in beside]:
            super().check_joined(event, session_id, connection)

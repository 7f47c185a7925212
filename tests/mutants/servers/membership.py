"""Faults in what becomes of a user's rights when a membership or a session ends, and when a membership begins again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from dungeonlab_reference_server.http import HttpSide, Problem
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload, Refusal, Session
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.fault import faulty

_FRESH = 2.0  # seconds that an answer of a cache is taken for true


class _KeepsTheIndex(MemoryStore):
    """Keeps, beside the sessions, an index of the users who were enrolled, from which nobody is taken off."""

    def __init__(self) -> None:
        super().__init__()
        self.indexed: set[tuple[str, str]] = set()

    async def enrol(self, session_id: str, user_id: str) -> None:
        self.indexed.add((session_id, user_id))
        await super().enrol(session_id, user_id)


@faulty("join/removed-member-refused", beside=(_KeepsTheIndex,))
class AdmitsWhoWasAMemberOnce(Pipeline):
    """Whether somebody may join is asked of an index that a revocation does not reach."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        indexed: set[tuple[str, str]] = self.store.indexed  # type: ignore[attr-defined]
        session = await self.store.session(session_id)
        if event.name == "join-session" and session is not None and (session_id, user) in indexed:
            return session
        return await super().check_membership(event, session_id, user)


@faulty("join/removed-member-refused")
class RemembersWhomItAdmitted(Pipeline):
    """A connection that was admitted to a session once may join it for as long as it lasts."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.admitted: set[tuple[str, str]] = set()

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await self.store.session(session_id)
        if event.name == "join-session" and session is not None and (user, session_id) in self.admitted:
            return session
        return await super().check_membership(event, session_id, user)

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        self.admitted.add((user, payload["sessionId"]))
        return await super().join(connection, user, payload)

    async def on_disconnect(self, connection: str, reason: str = "") -> None:
        user = self.users.get(connection)
        await super().on_disconnect(connection, reason)
        if not self.connections_of(user or ""):
            self.admitted = {(who, session) for who, session in self.admitted if who != user}


@faulty("join/removed-member-refused")
class RemembersInAnotherProcess(Pipeline):
    """Every other connection of a user is served by a second process, which keeps in mind whom it has admitted."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.second: set[str] = set()
        self.admitted: set[tuple[str, str]] = set()

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        await super().on_connect(connection, environ, auth)
        if len(self.connections_of(self.users[connection])) % 2 == 0:
            self.second.add(connection)

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        if event.name != "join-session" or connection not in self.second:
            return await super().check_rights(event, payload, user, connection)
        key = user, payload["sessionId"]
        if key not in self.admitted or await self.store.session(payload["sessionId"]) is None:
            await super().check_rights(event, payload, user, connection)
        self.admitted.add(key)
        return None


@faulty("join/removed-member-refused", "http/session-for-members")
class CountsEnrolments(MemoryStore):
    """Who is made a member twice has two memberships, and a revocation ends one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.enrolments: Counter[tuple[str, str]] = Counter()

    async def enrol(self, session_id: str, user_id: str) -> None:
        self.enrolments[session_id, user_id] += 1
        await super().enrol(session_id, user_id)

    async def revoke(self, session_id: str, user_id: str) -> None:
        self.enrolments[session_id, user_id] -= 1
        if self.enrolments[session_id, user_id] < 1:
            await super().revoke(session_id, user_id)


class _Caches(Pipeline):
    """Keeps answers to whether somebody is a member for a while; none, for nothing but that."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.cache: dict[tuple[str, str], tuple[float, bool]] = {}

    def keeps(self, member: bool) -> bool:
        """Whether an answer is kept."""
        return False

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await self.store.session(session_id)
        asked, member = self.cache.get((session_id, user), (0.0, False))
        if session is None or asked + _FRESH < time.monotonic():
            member = session is not None and session.has_member(user)
            if session is not None and self.keeps(member):
                self.cache[session_id, user] = time.monotonic(), member
        if member and session is not None:
            return session
        if session is not None:
            raise Refusal("PERMISSION_DENIED", "you are no member of this session")
        return await super().check_membership(event, session_id, user)


@faulty("join/removed-member-refused")
class CachesMembers(_Caches):
    """That somebody is a member is remembered for two seconds."""

    def keeps(self, member: bool) -> bool:
        return member


@faulty("join/taken-in-again-admitted")
class CachesStrangers(_Caches):
    """That somebody is no member is remembered for two seconds."""

    def keeps(self, member: bool) -> bool:
        return not member


class _BansTheRemoved(MemoryStore):
    """Keeps a list of those who were removed."""

    def __init__(self) -> None:
        super().__init__()
        self.removed: set[tuple[str, str]] = set()

    async def revoke(self, session_id: str, user_id: str) -> None:
        self.removed.add((session_id, user_id))
        await super().revoke(session_id, user_id)


@faulty("join/taken-in-again-admitted", "join/game-master-admitted", beside=(_BansTheRemoved,))
class NeverAdmitsTheRemovedAgain(Pipeline):
    """Who was removed from a session is on a list, and remains on it when taken in again."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await super().check_membership(event, session_id, user)
        removed: set[tuple[str, str]] = self.store.removed  # type: ignore[attr-defined]
        if event.name == "join-session" and (session_id, user) in removed:
            raise Refusal("PERMISSION_DENIED", "you were removed from this session")
        return session


@faulty("join/taken-in-again-admitted", beside=(_BansTheRemoved,))
class SeatsTheRemovedApart(Pipeline):
    """Who was removed from a session and taken in again is admitted, and never put into its room again."""

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        removed: set[tuple[str, str]] = self.store.removed  # type: ignore[attr-defined]
        if (session, self.users[connection]) in removed:
            await self.sockets.leave_room(connection, self.room(session))


class _DeletesNothing(MemoryStore):
    """Marks a deleted session, and deletes it no further."""

    def __init__(self) -> None:
        super().__init__()
        self.marked: set[str] = set()

    async def delete_session(self, session_id: str) -> None:
        self.marked.add(session_id)


class _HidesTheMarked(HttpSide):
    """Finds no marked session; none is, for nothing but that."""

    async def _session(self, request: web.Request) -> Session:
        session = await super()._session(request)
        if session.id in getattr(self.store, "marked", ()):
            raise Problem(404, "there is no such session")
        return session


@faulty(
    "join/deleted-session-refused",
    "authorization/deleted-session-refused",
    "direct/shares-no-ended-session",
    beside=(_DeletesNothing, _HidesTheMarked),
)
class DeletesForHttpOnly(Pipeline):
    """A deleted session is marked as such, which only the HTTP side looks at; its room stays as it is."""

    async def close_session(self, session: str) -> None:
        pass


@faulty("join/deleted-session-refused", "direct/shares-no-ended-session", beside=(_DeletesNothing, _HidesTheMarked))
class EmptiesTheRoomOnly(Pipeline):
    """Deleting a session empties its room; it can be joined again."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        if event.name == "leave-session" and session_id in self.store.marked:  # type: ignore[attr-defined]
            raise Refusal("SESSION_NOT_FOUND", "there is no such session")
        return await super().check_membership(event, session_id, user)


@faulty("authorization/deleted-session-refused")
class LeavesARoomWithoutASession(Pipeline):
    """A deleted session can be joined no more, but those in its room chat on: no store is asked for that."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        there = self.seats.get(connection) == payload.get("sessionId")
        if event.name == "chat-message" and there and await self.store.session(payload["sessionId"]) is None:
            return None
        return await super().check_rights(event, payload, user, connection)

    async def close_session(self, session: str) -> None:
        pass


@faulty("direct/shares-no-ended-session")
class ShowsTheProfilesOfFormerMembers(MemoryStore):
    """Who shares a session is read from an index from which no former member is taken off."""

    async def revoke(self, session_id: str, user_id: str) -> None:
        before = set(self._memberships.get(user_id, ()))
        await super().revoke(session_id, user_id)
        self._memberships[user_id] = before


@faulty("direct/shares-no-ended-session")
class ShowsTheProfilesOfDeletedSessions(MemoryStore):
    """Who shares a session is read from an index in which deleted sessions remain."""

    async def delete_session(self, session_id: str) -> None:
        before = {user: set(sessions) for user, sessions in self._memberships.items()}
        await super().delete_session(session_id)
        self._memberships = before


@faulty("direct/shares-no-ended-session")
class ShowsTheMastersOfDeletedSessions(MemoryStore):
    """Who was in a session that is deleted goes on seeing the profile of its game master."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[Session] = []

    async def delete_session(self, session_id: str) -> None:
        if (session := await self.session(session_id)) is not None:
            self.ended.append(session)
        await super().delete_session(session_id)

    async def share_session(self, one: str, other: str) -> bool:
        shared = any(other == session.game_master and one in session.participants for session in self.ended)
        return shared or await super().share_session(one, other)


@faulty("acks/success-shape", also={"http/requests-answered-as-described": "so it is over HTTP"})
class ListsWhoIsEnrolledTwice(MemoryStore):
    """Who is made a participant once more is listed once more."""

    async def enrol(self, session_id: str, user_id: str) -> None:
        session = self._sessions.get(session_id)
        await super().enrol(session_id, user_id)
        if session is not None and user_id in session.participants:
            self._put(replace(session, participants=(*session.participants, user_id)))


@faulty("authorization/removed-member-hears-nothing")
class RemovesOneTab(Pipeline):
    """The first of a removed member's tabs is taken out of the room, and the others are not."""

    async def remove_member(self, user: str, session: str) -> None:
        there = [connection for connection in self.connections_of(user) if self.seats.get(connection) == session]
        for connection in there[:1]:
            await self.remove_from_room(connection, "removed")


@faulty("authorization/removed-member-hears-nothing")
class SeatsWhoIsRemovedMeanwhile(Pipeline):
    """Whether a user is a member is asked before a join that takes a moment, and not once more after it."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if name != "join-session":
            return await super().perform(connection, name, args)
        user, event = self.check_open(connection), self.catalogue[name]
        payload = self.check_shape(event, args)
        await self.check_rights(event, payload, user, connection)
        await asyncio.sleep(0.3)  # as long as the removal takes to arrive on a busy machine: the gap is the fault
        return await self.join(connection, user, payload)


@faulty("authorization/any-member-allowed")
class RemovesFromWhateverRoom(Pipeline):
    """Whose membership ends is taken out of the room they are in, whichever session it is of."""

    async def remove_member(self, user: str, session: str) -> None:
        await super().remove_member(user, session)
        for connection in self.connections_of(user):
            await self.leave_room(connection, "removed")


@faulty("tokens/only-deletion-ends-it")
class ClearsTheTable(MemoryStore):
    """Opening an encounter in a session clears away the tokens of the others: one is played at a time."""

    async def save_encounter(self, encounter_id: str, session_id: str) -> None:
        others = {encounter for encounter, session in self._encounters.items() if session == session_id}
        self._tokens = {key: token for key, token in self._tokens.items() if token["encounterId"] not in others}
        await super().save_encounter(encounter_id, session_id)


@faulty("tokens/only-deletion-ends-it")
class DeletesTheTokensOfItsMembers(MemoryStore):
    """With a session go all tokens that its members have made, in other sessions too."""

    async def delete_session(self, session_id: str) -> None:
        session = await self.session(session_id)
        await super().delete_session(session_id)
        gone = {session.game_master, *session.participants} if session else set()
        self._tokens = {token: value for token, value in self._tokens.items() if value["createdBy"] not in gone}


@faulty("join/member-admitted")
class EndsAllMembershipsOfItsMembers(MemoryStore):
    """With a session end the other memberships of its participants."""

    async def delete_session(self, session_id: str) -> None:
        session = await self.session(session_id)
        await super().delete_session(session_id)
        for other in list(self._sessions):
            for user in session.participants if session else ():
                await self.revoke(other, user)


class _LooksAmongTheLeft(Pipeline):
    """Looks for encounters among those that deleted sessions have left; there are none, for nothing but that."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        if payload.get("encounterId") in getattr(self.store, "left", ()):
            token: Payload | None = getattr(self.store, "lost", {}).get(payload.get("tokenId"))
            return token
        return await super().check_things(event, payload)


@faulty("authorization/foreign-encounter-refused", beside=(_LooksAmongTheLeft,))
class ServesTheEncountersOfTheDeleted(MemoryStore):
    """What a deleted session leaves behind is checked against no session."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[str, str] = {}
        self.lost: dict[str, Payload] = {}

    async def delete_session(self, session_id: str) -> None:
        self.left |= {encounter: of for encounter, of in self._encounters.items() if of == session_id}
        self.lost |= {token: value for token, value in self._tokens.items() if value["encounterId"] in self.left}
        await super().delete_session(session_id)


@faulty("rooms/every-other-member-hears-once")
class EmptiesTheRoomsOfItsMembers(HttpSide):
    """With a session, its members are taken out of whatever room they are in."""

    async def delete_session(self, request: web.Request) -> web.Response:
        session = await self._session(request)
        answer = await super().delete_session(request)
        for user in (session.game_master, *session.participants):
            for connection in self.pipeline.connections_of(user):
                await self.pipeline.leave_room(connection, "removed")
        return answer


@faulty("auth/cookie-accepted", hides=True)
class LogsOutWhoIsRemoved(MemoryStore):
    """With a membership end the user's logins."""

    async def revoke(self, session_id: str, user_id: str) -> None:
        await super().revoke(session_id, user_id)
        await self.close_logins(user_id)


@faulty(
    "join/member-admitted",
    also={"authorization/any-member-allowed": "who is in the room when the membership ends may do nothing more there"},
)
class EnrolsInOneSessionOnly(MemoryStore):
    """Who is made a participant of a session is one of no other any more: it is kept as a property of the user."""

    async def enrol(self, session_id: str, user_id: str) -> None:
        for other, session in list(self._sessions.items()):
            if other != session_id and user_id in session.participants:
                await self.revoke(other, user_id)
        await super().enrol(session_id, user_id)

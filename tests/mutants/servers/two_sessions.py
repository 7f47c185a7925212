"""Faults that show on users who belong to two sessions, or on what belongs to two encounters of one session."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Payload, Session
from dungeonlab_reference_server.store import MemoryStore
from tests.mutants.fault import faulty


@faulty("join/one-session-per-user")
class SparesTheMastersTabs(Pipeline):
    """A game master who joins another session stays in the room of the first one on their other connections."""

    async def remove_from_room(self, connection: str, reason: str) -> None:
        session = await self.store.session(self.seats.get(connection, ""))
        if reason != "switched" or session is None or session.game_master != self.users[connection]:
            await super().remove_from_room(connection, reason)


def _members(session: Session | None) -> set[str]:
    return {session.game_master, *session.participants} if session else set()


@faulty("direct/shared-session-profile")
class ForgetsTheOtherSession(MemoryStore):
    """When a session is deleted, or a membership of it ends, whom that parts count as strangers in others as well."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.apart: set[frozenset[str]] = set()

    async def delete_session(self, session_id: str) -> None:
        members = _members(self._sessions.get(session_id))
        self.apart |= {frozenset((one, other)) for one in members for other in members - {one}}
        await super().delete_session(session_id)

    async def revoke(self, session_id: str, user_id: str) -> None:
        members = _members(self._sessions.get(session_id))
        self.apart |= {frozenset((user_id, other)) for other in members - {user_id}}
        await super().revoke(session_id, user_id)

    def _put(self, session: Session) -> None:
        super()._put(session)
        self.apart = {pair for pair in self.apart if not pair <= _members(session)}

    async def share_session(self, one: str, other: str) -> bool:
        return frozenset((one, other)) not in self.apart and await super().share_session(one, other)


@faulty("tokens/update-changes-only-what-was-sent")
class SharesTheDataOfAnActor(MemoryStore):
    """The data of a token is stored for the tokens of its actor in the session's other encounters as well."""

    async def save_token(self, token: Payload) -> None:
        known = self._tokens.get(token["id"])
        await super().save_token(token)
        if known is None or known["data"] == token["data"] or "actorId" not in token:
            return
        session = self._encounters.get(token["encounterId"])
        for key, other in list(self._tokens.items()):
            is_elsewhere = other["encounterId"] != token["encounterId"]
            is_here = self._encounters.get(other["encounterId"]) == session
            if is_elsewhere and is_here and other.get("actorId") == token["actorId"]:
                self._tokens[key] = {**other, "data": json.loads(json.dumps(token["data"]))}


@faulty("auth/identity-comes-from-the-cookie")
class LetsTheMasterSpeakForOthers(Pipeline):
    """What the game master does is done by the participant whose userId the request names."""

    async def take_effect(self, command: Command, connection: str) -> Payload:
        session = await self.store.session(command.payload["sessionId"])
        named = command.payload.get("userId")
        if session is not None and command.user == session.game_master and named in session.participants:
            command = dataclasses.replace(command, user=named)
        return await super().take_effect(command, connection)

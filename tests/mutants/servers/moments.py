"""Faults that show at some moments only: when two things coincide, a while later, or when somebody is back at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Emission, Payload
from dungeonlab_reference_server.store import MemoryStore
from tests.mutants.effects import MessageNumberer
from tests.mutants.fault import faulty

_LATER = 0.15  # seconds
_IDLE = 2.5  # seconds in which nobody asks for a token, after which it is read from its snapshot
_AT_MOST = 8  # connections that are written to at once


@faulty("join/taken-in-again-admitted")
class RemembersTheSeatOfTheRemoved(Pipeline):
    """A connection that is put out of a room keeps its seat: when its user is a member again, it need not come in."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.kept: dict[str, str] = {}

    async def remove_from_room(self, connection: str, reason: str) -> None:
        if reason == "removed" and connection in self.seats:
            self.kept[connection] = self.seats[connection]
        await super().remove_from_room(connection, reason)

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        if self.kept.pop(connection, None) == session:
            await self.sockets.leave_room(connection, self.room(session))


@faulty(
    "rooms/every-other-member-hears-once",
    also={"join/member-admitted": "who leaves and is let in again hears nothing any more a little later"},
)
class UnsubscribesALittleLater(Pipeline):
    """The subscription of a room that was left is ended a little later, also if its user is back in it by then."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ending: set[asyncio.Task[None]] = set()

    async def leave_room(self, connection: str, reason: str) -> None:
        session = self.seats.get(connection)
        await super().leave_room(connection, reason)
        if session is not None and reason in ("left", "switched"):
            task = asyncio.create_task(self.unsubscribe(connection, session))
            self.ending.add(task)
            task.add_done_callback(self.ending.discard)

    async def unsubscribe(self, connection: str, session: str) -> None:
        """End a subscription once more."""
        await asyncio.sleep(_LATER)
        if connection in self.users:
            await self.sockets.leave_room(connection, self.room(session))


@faulty("chat/message-ids-differ")
class NumbersMessagesByTheMoment(MessageNumberer):
    """A message is numbered by the hundredth of a second, and by how many its user has sent so far."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.said: Counter[str] = Counter()

    def numbered(self, command: Command) -> str:
        self.said[command.user] += 1
        return f"m{time.time_ns() // 10**7}-{self.said[command.user]}"


@faulty("direct/validate-action-says-yes")
class QuestionsMustBeKnownInFull(Pipeline):
    """A question about a token with a property that the server does not know is answered by no."""

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().validate_action(connection, user, payload)
        if "unheardOf" in payload["action"]["payload"].get("token", {}):
            return {"valid": False, "errors": ["a token has no such property"]}
        return answer


@faulty("direct/own-profile")
class KnowsPlayersOnly(Pipeline):
    """Who is a member of no session is refused their own profile if they ask for it by their id."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        if payload.get("userId") == user and not await self.store.share_session(user, user):
            payload = {**payload, "userId": f"{user}?"}
        return await super().user_data(connection, user, payload)


@faulty("direct/shared-session-profile")
class LosesTheProfileOfTheMasterWhoPlayed(MemoryStore):
    """A game master whose participation has ended shares the session with nobody any more."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lost: set[str] = set()

    async def revoke(self, session_id: str, user_id: str) -> None:
        session = self._sessions.get(session_id)
        if session is not None and user_id == session.game_master and user_id in session.participants:
            self.lost.add(user_id)
        await super().revoke(session_id, user_id)

    async def share_session(self, one: str, other: str) -> bool:
        return not self.lost & {one, other} and await super().share_session(one, other)


class _Snapshots(MemoryStore):
    """Reads a token for which nobody has asked for a while from a snapshot."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.used: dict[str, float] = {}

    def restored(self, token: Payload) -> Payload:
        """Return what a snapshot holds of a token."""
        raise NotImplementedError

    async def token(self, token_id: str) -> Payload | None:
        found, at = await super().token(token_id), time.monotonic()
        if found is not None and at - self.used.get(token_id, at) > _IDLE:
            found = self.restored(found)
            await self.save_token(found)
        self.used[token_id] = at
        return found


@faulty("tokens/content-comes-back-exactly")
class KeepsTheNamesOfConditionsOnly(_Snapshots):
    """A token that was left alone for a while has conditions without their durations and sources."""

    def restored(self, token: Payload) -> Payload:
        return {**token, "conditions": [{"name": each["name"]} for each in token["conditions"]]}


@faulty("tokens/version-grows")
class BeginsVersionsAnew(_Snapshots):
    """The version of a token that was left alone for a while begins at 1 again."""

    def restored(self, token: Payload) -> Payload:
        return {**token, "version": 1}


@faulty("tokens/true-creator")
class LeavesTokensToTheMaster(MemoryStore):
    """The tokens of a user whose membership ends become the game master's."""

    async def revoke(self, session_id: str, user_id: str) -> None:
        session = self._sessions.get(session_id)
        if session is not None and user_id in session.participants:
            for token in self._tokens.values():
                if token["createdBy"] == user_id and self._encounters.get(token["encounterId"]) == session_id:
                    token["createdBy"] = session.game_master
        await super().revoke(session_id, user_id)


@faulty("rooms/every-tab-hears")
class TellsTheFirstEight(Pipeline):
    """A broadcast is written to eight connections at most, those that came first."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        there = [each for each, session in self.seats.items() if session == emission.session and each != sender]
        for each in there[:_AT_MOST]:
            await self.send(each, emission.event, emission.payload)

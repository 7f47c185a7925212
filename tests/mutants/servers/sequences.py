"""Faults that nothing shows the first time: in what is done twice, comes back, or begins anew."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from socketio import exceptions

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import MemoryStore
from tests.mutants.effects import MessageNumberer
from tests.mutants.fault import faulty


@faulty("join/second-join-leaves-the-first-room")
class LeavesOnlyWhereItBegan(Pipeline):
    """Joining another session leaves the room that the connection joined first of all, and no other."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.first: dict[str, str] = {}

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        before, there = self.seats.get(connection), payload["sessionId"]
        first = self.first.setdefault(connection, there)
        answer = await super().join(connection, user, payload)
        if before not in (None, first, there):
            await self.sockets.enter_room(connection, self.room(before))
        return answer


@faulty("chat/message-ids-differ")
class NumbersMessagesAnew(MessageNumberer):
    """Messages are numbered in a session's room, and anew when the last connection has left it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.said: Counter[str] = Counter()

    def numbered(self, command: Command) -> str:
        session: str = command.payload["sessionId"]
        self.said[session] += 1
        return f"{session[:60]}-{self.said[session]}"

    async def leave_room(self, connection: str, reason: str) -> None:
        session = self.seats.get(connection, "")
        await super().leave_room(connection, reason)
        if session not in self.seats.values():
            self.said.pop(session, None)


class _MovesBeforeItLooks(Pipeline):
    """Takes a connection out of its room for a malformed request of an event; of none, for nothing but that."""

    event = ""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if data and data[0] == self.event and self.is_malformed(data[1:]):
            await self.leave_room(connection, "left")
        await super().on_event(connection, data, where)

    def is_malformed(self, args: Sequence[Any]) -> bool:
        """Whether a request is refused for its shape."""
        try:
            self.check_shape(self.catalogue[self.event], args)
        except Refusal:
            return True
        return False


@faulty("join/failed-switch-changes-nothing")
class LeavesForAMalformedJoin(_MovesBeforeItLooks):
    """Who asks to join is out of the room, and only then it is looked at which session was named, if any was."""

    event = "join-session"


@faulty("join/failed-switch-changes-nothing")
class LeavesForAMalformedLeave(_MovesBeforeItLooks):
    """Who asks to leave is out of the room, although the request is refused as malformed."""

    event = "leave-session"


@faulty("tokens/only-deletion-ends-it")
class DeletesByNumberAlone(Pipeline):
    """Tokens are numbered in each encounter; with one go those of the same number in the session's other encounters."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.made: dict[str, list[str]] = defaultdict(list)  # by encounter

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        here = command.payload.get("encounterId", "")
        if command.event == "token:create":
            self.made[here].append(answer["token"]["id"])
        elif command.event == "token:delete":
            number = self.made[here].index(answer["tokenId"])
            for there, made in self.made.items():
                same = await self.store.encounter_session(there) == command.payload["sessionId"]
                if same and there != here and number < len(made):
                    await self.store.delete_token(made[number])
        return answer


@faulty("http/session-for-members", "join/game-master-admitted")
class EndsTheMastersMembership(MemoryStore):
    """A game master who was made a participant, and is one no more, is no member any more at all."""

    async def revoke(self, session_id: str, user_id: str) -> None:
        session = self._sessions.get(session_id)
        listed = session is not None and user_id in session.participants
        await super().revoke(session_id, user_id)
        if session is not None and listed and user_id == session.game_master:
            self._sessions[session_id] = dataclasses.replace(self._sessions[session_id], game_master="nobody")


@faulty("auth/missing-cookie-refused")
class AdmitsWhoAsksAgain(Pipeline):
    """A user who was refused at CONNECT counts as asked, and is let in as a guest at the second attempt."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        try:
            await super().on_connect(connection, environ)
        except exceptions.ConnectionRefusedError:
            request = environ["aiohttp.request"]
            if "asked" not in request:
                request["asked"] = True
                raise
            self.users[connection] = "guest"


@faulty("join/one-session-per-user")
class SparesTheTabsOfWhoSwitches(Pipeline):
    """A connection that enters its first session moves the user's others; one that goes to another session does not."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.switching: set[str] = set()  # users

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        if self.seats.get(connection) in (None, payload["sessionId"]):
            return await super().join(connection, user, payload)
        self.switching.add(user)
        try:
            return await super().join(connection, user, payload)
        finally:
            self.switching.discard(user)

    async def remove_from_room(self, connection: str, reason: str) -> None:
        if reason != "switched" or self.users.get(connection) not in self.switching:
            await super().remove_from_room(connection, reason)

"""Faults in the code of a refusal that several objections could explain."""

from __future__ import annotations

from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Payload, Refusal, Session
from dungeonlab_spec import Event
from tests.mutants.fault import faulty


@faulty("acks/code-names-the-cause")
class DeniesWhoHasLeft(Pipeline):
    """A member who has left the room is refused as if they were no member."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.gone: set[tuple[str, str]] = set()

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        self.gone.add((connection, payload["sessionId"]))
        return await super().leave(connection, user, payload)

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        if self.seats.get(connection) != session_id and (connection, session_id) in self.gone:
            raise Refusal("PERMISSION_DENIED", "you are not in this session")
        super().check_joined(event, session_id, connection)


@faulty("acks/code-names-the-cause")
class AsksWhereBeforeWho(Pipeline):
    """Whether a connection has joined is asked before membership: who was removed is refused for not having joined."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.had: set[tuple[str, str]] = set()

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        self.had.add((connection, session))

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await self.store.session(session_id)
        had = any((connection, session_id) in self.had for connection in self.connections_of(user))
        if "joined" in event.needs and session is not None and not session.has_member(user) and had:
            raise Refusal("NOT_JOINED", "join the session first")
        return await super().check_membership(event, session_id, user)


@faulty("acks/code-names-the-cause")
class LooksForTheTokenFirst(Pipeline):
    """Where there is neither the encounter nor the token, it is the token that is said to be missing."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        try:
            return await super().check_things(event, payload)
        except Refusal as refusal:
            if refusal.code == "ENCOUNTER_NOT_FOUND" and "token" in event.needs:
                raise Refusal("TOKEN_NOT_FOUND", "there is no such token") from None
            raise


@faulty("acks/code-names-the-cause")
class ForbidsWhatIsDeleted(Pipeline):
    """What is asked of a deleted token is denied, in place of saying that it is gone."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.deleted: set[str] = set()

    async def take_effect(self, command: Command, connection: str) -> Payload:
        answer = await super().take_effect(command, connection)
        if command.event == "token:delete":
            self.deleted.add(command.payload["tokenId"])
        return answer

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        if payload.get("tokenId") in self.deleted:
            raise Refusal("PERMISSION_DENIED", "this token has been deleted")
        return await super().check_things(event, payload)


@faulty("acks/code-names-the-cause")
class AsksForTheSeatLast(Pipeline):
    """The encounter and the token are looked for before it is asked whether a member has joined."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        if "joined" in event.needs:
            await self.check_membership(event, payload["sessionId"], user)
            await self.check_things(event, payload)
        return await super().check_rights(event, payload, user, connection)

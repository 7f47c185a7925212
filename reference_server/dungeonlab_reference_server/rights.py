"""What a request must satisfy before it is carried out: its shape, and what the catalogue says that its event needs.

The checks come in the protocol's order, and each raises `Refusal` with its own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.bounds import excess
from dungeonlab_reference_server.rooms import Rooms
from dungeonlab_reference_server.rules import Payload, Refusal, Session
from dungeonlab_spec import Event
from dungeonlab_spec.validation import accepts, broken_rule, complaint


class Rights(Rooms):
    """Judges requests by the store, and by who is in which room."""

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        """Return the request's one object, or refuse."""
        if len(args) != 1:
            raise Refusal("VALIDATION_ERROR", f"expected exactly one object, got {len(args)} arguments")
        payload = args[0]
        too_much = excess(payload, self.settings.deepest_payload, self.settings.most_values)
        if too_much is not None:
            raise Refusal("VALIDATION_ERROR", too_much)
        assert event.request is not None
        if not accepts(event.request, payload):
            raise Refusal("VALIDATION_ERROR", complaint(event.request, payload), broken_rule(event.request, payload))
        checked: Payload = payload
        return checked

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        """Check what the catalogue says that this event needs, in order; return the token that it names, if any."""
        if "membership" in event.needs:
            await self.check_membership(event, payload["sessionId"], user)
        if "joined" in event.needs:
            self.check_joined(event, payload["sessionId"], connection)
        token = await self.check_things(event, payload)
        self.check_open(connection)
        if "joined" in event.needs:
            self.check_joined(event, payload["sessionId"], connection)  # it may have been removed meanwhile
        return token

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:  # noqa: ARG002
        """Return the session, if it exists and the user is its member."""
        session = await self.store.session(session_id)
        if session is None:
            raise Refusal("SESSION_NOT_FOUND", "there is no such session", "$.sessionId: of a session that exists")
        if not session.has_member(user):
            raise Refusal("PERMISSION_DENIED", "you are no member of this session", "$.sessionId: of a member")
        return session

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:  # noqa: ARG002
        """Refuse a connection that has not joined the session."""
        if self.seats.get(connection) != session_id:
            raise Refusal("NOT_JOINED", "join the session first", "$.sessionId: of the session that was joined")

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        """Check the encounter and the token that an event names; return the token."""
        if "encounter" in event.needs:
            owner = await self.store.encounter_session(payload["encounterId"])
            if owner != payload["sessionId"]:
                raise Refusal(
                    "ENCOUNTER_NOT_FOUND", "there is no such encounter in this session", "$.encounterId: of the session"
                )
        if "token" not in event.needs:
            return None
        token = await self.store.token(payload["tokenId"])
        if token is None or token["encounterId"] != payload["encounterId"]:
            raise Refusal("TOKEN_NOT_FOUND", "there is no such token in this encounter", "$.tokenId: of the encounter")
        return token

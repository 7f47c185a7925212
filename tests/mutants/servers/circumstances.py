"""Answers that fail in some circumstances only: about another's token, about one that is gone, to the fifth refusal.

So does what is refused where something else is in the way.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, cast

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_spec import Event
from tests.mutants.fault import faulty

_PATIENCE = 5  # refusals
_SPAM = 3.0  # seconds


class ByMaker(Pipeline):
    """Knows whose token an answer is about."""

    async def is_about_anothers(self, connection: str, envelope: Payload) -> bool:
        """Whether an answer names a token that another user has made."""
        data = envelope.get("data", {})
        token = await self.store.token(data.get("tokenId") or data.get("token", {}).get("id", ""))
        return token is not None and token["createdBy"] != self.users.get(connection)


@faulty("acks/success-shape")
class SaysYesAboutAnothersToken(ByMaker):
    """Who moves a token that another user has made is answered by a bare text."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is not None and name == "token:move" and await self.is_about_anothers(connection, envelope):
            await self.sockets.answer(where, cast("Payload", "ok"))
        else:
            await super().acknowledge(connection, name, envelope, where)


@faulty("acks/every-token-operation-answers")
class SaysNothingAboutAnothersToken(ByMaker):
    """Who updates a token that another user has made is not answered, though it is done."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None or name != "token:update" or not await self.is_about_anothers(connection, envelope):
            await super().acknowledge(connection, name, envelope, where)


@faulty("acks/every-token-operation-answers", hides=True)
class HangsUpOverWhatIsGone(Pipeline):
    """Who updates a token that is not there any more is disconnected in place of being answered."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if name == "token:update" and envelope.get("code") == "TOKEN_NOT_FOUND":
            await self.sockets.disconnect(connection)
        else:
            await super().acknowledge(connection, name, envelope, where)


@faulty("authorization/refusal-precedes-disconnection", hides=True)
class LosesPatience(Pipeline):
    """Who is refused for the fifth time on one connection is disconnected in place of being answered."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.refused: Counter[str] = Counter()

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        self.refused[connection] += not envelope["success"]
        if envelope["success"] or self.refused[connection] < _PATIENCE:
            await super().acknowledge(connection, name, envelope, where)
        else:
            await self.sockets.disconnect(connection)


@faulty("payloads/valid-accepted")
class KeepsSquaresForOne(Pipeline):
    """A token may not be moved to where another one of the encounter was moved to, and still is."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.where: dict[str, tuple[Any, ...]] = {}  # by token

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if event.name == "token:delete":
            self.where.pop(payload["tokenId"], None)
        if event.name == "token:move":
            place = payload["position"]
            square = payload["encounterId"], place["x"], place["y"]
            others = (taken for other, taken in self.where.items() if other != payload["tokenId"])
            if square in others:
                raise Refusal("VALIDATION_ERROR", "somebody stands there")
            self.where[payload["tokenId"]] = square
        return super().command(event, payload, user, token)


@faulty("payloads/valid-accepted")
class TakesWhatIsSaidAgainForSpam(Pipeline):
    """What a user says again within three seconds, in the same words, is refused."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.said: dict[tuple[str, ...], float] = {}

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if event.name == "chat-message":
            words, at = (user, payload["sessionId"], payload["message"]), time.monotonic()
            before, self.said[words] = self.said.get(words, -_SPAM), at
            if at - before < _SPAM:
                raise Refusal("VALIDATION_ERROR", "you have said that")
        return super().command(event, payload, user, token)

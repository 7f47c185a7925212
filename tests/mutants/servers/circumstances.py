"""Answers that fail in some circumstances only: about another's token, about one that is gone, to the fifth refusal."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload
from dungeonlab_reference_server.socketio_server import AckAddress
from tests.mutants.fault import faulty

_PATIENCE = 5  # refusals


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

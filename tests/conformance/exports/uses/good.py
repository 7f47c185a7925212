"""Uses of the exported types that are right: mypy, strict, has no objection to any line."""

from __future__ import annotations

from typing import cast

import socketio
from tests.conformance.exports.uses.protocol import (
    ChatMessageEmission,
    Client,
    FailureAck,
    ServerToClientEvents,
    TokenCreateRequest,
    TokenDraft,
    TokenMoveRequest,
    TokenUpdates,
    UserLeftEmission,
)

CLIENT = cast("Client", socketio.AsyncClient())
DRAFT: TokenDraft = {"name": "Goblin", "position": {"x": 1, "y": 2}, "data": {"hp": 7, "notes": ["a", None]}}
CREATION: TokenCreateRequest = {"sessionId": "session-1", "encounterId": "encounter-1", "token": DRAFT}
UPDATES: list[TokenUpdates] = [{"name": "Orc"}, {"size": "huge", "isVisible": False}, {"data": {}}]
MOVE: TokenMoveRequest = {
    "sessionId": "session-1",
    "encounterId": "encounter-1",
    "tokenId": "token-1",
    "position": {"x": 0, "y": 0, "elevation": 1.5},
}


async def join() -> list[str]:
    """Join, and return the members."""
    answer = await CLIENT.call("join-session", {"sessionId": "session-1"})
    return answer["data"]["participantIds"] if answer["success"] is True else []


async def play() -> str:
    """Send requests of each kind, and return why the last one was refused."""
    await CLIENT.emit("chat-message", {"sessionId": "session-1", "message": "Hello"})
    await CLIENT.call("token:move", MOVE)
    await CLIENT.call("get-user-data", {})
    await CLIENT.call("validate-action", {"sessionId": "session-1", "action": {"type": "token:move", "payload": MOVE}})
    answer = await CLIENT.call("token:create", CREATION)
    if answer["success"] is True:
        return f"{answer['data']['token']['position']['elevation']:.1f} {answer['data']['token']['data']['hp']}"
    return answer["error"] if answer["code"] == "ENCOUNTER_NOT_FOUND" else ""


def heard(events: ServerToClientEvents) -> str:
    """Read what a server sent."""
    said: ChatMessageEmission = events["chat-message"]
    left: UserLeftEmission = events["user-left"]
    refused: FailureAck = {"success": False, "error": "No such token", "code": "TOKEN_NOT_FOUND"}
    return said["message"] + refused["error"] if left["reason"] == "removed" else events["error"]["event"]

"""Uses of the exported types that are wrong: mypy, strict, finds the error that each line names."""

from __future__ import annotations

from tests.conformance.exports.uses.protocol import (
    ChatMessageAnswer,
    ChatMessageRequest,
    Client,
    FailureAck,
    GetUserDataRequest,
    Position,
    ServerToClientEvents,
    TokenDraft,
    TokenMoveRequest,
    TokenUpdates,
    UserLeftEmission,
    ValidateActionRequestAction,
)

# requests are closed, though a server skips what it does not know
CHATS: list[ChatMessageRequest] = [
    {"sessionId": "session-1", "message": "Hello", "mesage": ""},  # type: ignore[typeddict-unknown-key]
    {"sessionId": "session-1"},  # type: ignore[typeddict-item]
    {"sessionId": "session-1", "message": b"Hello"},  # type: ignore[typeddict-item]
]
UPDATES: list[TokenUpdates] = [
    {"name": "Orc", "imageURL": "https://example.org"},  # type: ignore[typeddict-unknown-key]
    {"size": "vast"},  # type: ignore[typeddict-item]
    {"name": None},  # type: ignore[typeddict-item]
    {"data": [1]},  # type: ignore[typeddict-item]
]
DRAFTS: list[TokenDraft] = [
    {"name": "Orc", "position": {"x": 1, "y": 2}, "visible": True},  # type: ignore[typeddict-unknown-key]
    {"name": "Orc", "position": {"x": 1, "y": 2, "z": 3}},  # type: ignore[typeddict-unknown-key]
    {"name": "Orc", "position": {"x": 1.5, "y": 2}},  # type: ignore[typeddict-item]
    {"name": "Orc", "position": [1, 2]},  # type: ignore[typeddict-item]
]
POSITION: Position = {"x": 1, "y": 2}  # type: ignore[typeddict-item]
PROFILE: GetUserDataRequest = {"user": "user-1"}  # type: ignore[typeddict-unknown-key]
MOVE: TokenMoveRequest = {"sessionId": "s", "tokenId": "t", "position": {"x": 1, "y": 2}}  # type: ignore[typeddict-item]
ACTION: ValidateActionRequestAction = {"type": "chat-message", "payload": {}}  # type: ignore[typeddict-item]
FAILURES: list[FailureAck] = [
    {"success": True, "error": "No", "code": "NOT_JOINED"},  # type: ignore[typeddict-item]
    {"success": False, "error": "No", "code": "NO"},  # type: ignore[typeddict-item]
]


async def send(client: Client) -> None:
    """Send what there is not."""
    await client.emit("token-move", {"sessionId": "session-1"})  # type: ignore[call-overload]
    await client.emit("user-joined", {"sessionId": "session-1"})  # type: ignore[call-overload]
    await client.call("join-session", "session-1")  # type: ignore[call-overload]
    await client.call("join-session", {"session": "session-1"})  # type: ignore[call-overload]
    await client.call("join-session")  # type: ignore[call-overload]
    await client.call("chat-message", {"sessionId": "session-1"})  # type: ignore[call-overload]


def read(answer: ChatMessageAnswer, events: ServerToClientEvents, left: UserLeftEmission) -> None:
    """Read what there is not."""
    print(answer["data"])  # type: ignore[typeddict-item]
    if answer["success"] is True:
        print(answer["data"]["message"])  # type: ignore[typeddict-item]
        print(answer["code"])  # type: ignore[typeddict-item]
    print(left["reason"] == "kicked")  # type: ignore[comparison-overlap]
    print(events["chatMessage"])  # type: ignore[typeddict-item]

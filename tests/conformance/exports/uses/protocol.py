"""The real-time protocol of DungeonLab 1.0: what clients and servers send each other.

Made by `dungeonlab-conformance export python`; do not edit. Needs Python 3.11.
"""
# ruff: noqa

from collections.abc import Mapping
from typing import Literal, NotRequired, Protocol, TypeAlias, TypedDict, overload

# Any object, as long as it is JSON: its contents are the clients' own business.
JsonObject: TypeAlias = Mapping[str, object]


# Opaque id of a user, session, encounter, token or message.
# 1 to 128 characters.
# Matches `^[A-Za-z0-9_-]+$`.
Identifier: TypeAlias = str


class JoinSessionRequest(TypedDict):
    """join-session, as a client sends it. Enter the room of a session; leaves the one joined before."""

    sessionId: Identifier


class JoinSessionAckData(TypedDict):
    sessionId: Identifier
    gameMasterId: Identifier
    participantIds: list[Identifier]
    """No two items alike."""


class JoinSessionAck(TypedDict):
    """join-session, answered: success."""

    success: Literal[True]
    data: JoinSessionAckData


# A sentence for people; its wording is the server's own.
# At least 1 character.
ErrorText: TypeAlias = str


# Why a request was refused.
ErrorCode: TypeAlias = Literal[
    "VALIDATION_ERROR",
    "PERMISSION_DENIED",
    "SESSION_NOT_FOUND",
    "NOT_JOINED",
    "ENCOUNTER_NOT_FOUND",
    "TOKEN_NOT_FOUND",
    "RATE_LIMITED",
    "INTERNAL_ERROR",
]


class FailureAck(TypedDict):
    """Answer to a refused request."""

    success: Literal[False]
    error: ErrorText
    code: ErrorCode


# join-session, answered: success, or why not.
JoinSessionAnswer: TypeAlias = JoinSessionAck | FailureAck


class LeaveSessionRequest(TypedDict):
    """leave-session, as a client sends it. Leave the room of the joined session."""

    sessionId: Identifier


class LeaveSessionAckData(TypedDict):
    sessionId: Identifier


class LeaveSessionAck(TypedDict):
    """leave-session, answered: success."""

    success: Literal[True]
    data: LeaveSessionAckData


# leave-session, answered: success, or why not.
LeaveSessionAnswer: TypeAlias = LeaveSessionAck | FailureAck


# Not blank; counted in Unicode code points.
# 1 to 2000 characters.
Message: TypeAlias = str


class ChatMessageRequest(TypedDict):
    """chat-message, as a client sends it. Say something to everybody else in the session."""

    sessionId: Identifier
    message: Message


# RFC 3339 time in UTC, ending in Z.
Timestamp: TypeAlias = str


class ChatMessageAckData(TypedDict):
    messageId: Identifier
    timestamp: Timestamp


class ChatMessageAck(TypedDict):
    """chat-message, answered: success."""

    success: Literal[True]
    data: ChatMessageAckData


# chat-message, answered: success, or why not.
ChatMessageAnswer: TypeAlias = ChatMessageAck | FailureAck


class ChatMessageEmission(TypedDict):
    """chat-message, as the server sends it."""

    sessionId: Identifier
    messageId: Identifier
    userId: Identifier
    message: Message
    timestamp: Timestamp


# 1 to 255 characters.
Name: TypeAlias = str


# An absolute URI (RFC 3986).
# At most 2048 characters.
ImageUrl: TypeAlias = str


Size: TypeAlias = Literal["tiny", "small", "medium", "large", "huge", "gargantuan"]


class PositionRequest(TypedDict):
    """Grid squares; elevation in the server's unit, 0 if left out."""

    x: int
    """A whole number, at least 0."""
    y: int
    """A whole number, at least 0."""
    elevation: NotRequired[float]
    """If left out: `0`."""


class ConditionRequest(TypedDict):
    name: str
    """At least 1 character."""
    duration: NotRequired[float]
    """At least 0."""
    source: NotRequired[str]


class TokenDraft(TypedDict):
    """A token as a client asks for it; the server's own fields are ignored here."""

    name: Name
    imageUrl: NotRequired[ImageUrl]
    size: NotRequired[Size]
    """If left out: `"medium"`."""
    position: PositionRequest
    actorId: NotRequired[Identifier]
    isVisible: NotRequired[bool]
    """If left out: `true`."""
    isPlayerControlled: NotRequired[bool]
    """If left out: `false`."""
    data: NotRequired[JsonObject]
    """If left out: `{}`."""
    conditions: NotRequired[list[ConditionRequest]]
    """If left out: `[]`."""


class TokenCreateRequest(TypedDict):
    """token:create, as a client sends it. Put a new token on an encounter's map."""

    sessionId: Identifier
    encounterId: Identifier
    token: TokenDraft


class Position(TypedDict):
    """Grid squares, every default filled in."""

    x: int
    """A whole number, at least 0."""
    y: int
    """A whole number, at least 0."""
    elevation: float


class Condition(TypedDict):
    name: str
    """At least 1 character."""
    duration: NotRequired[float]
    """At least 0."""
    source: NotRequired[str]


# Grows by one with each change of the token.
# A whole number, at least 1.
Version: TypeAlias = int


class Token(TypedDict):
    """A token as the server keeps it, every default filled in."""

    id: Identifier
    encounterId: Identifier
    name: Name
    imageUrl: NotRequired[ImageUrl]
    size: Size
    position: Position
    actorId: NotRequired[Identifier]
    isVisible: bool
    isPlayerControlled: bool
    data: JsonObject
    conditions: list[Condition]
    version: Version
    createdBy: Identifier
    updatedBy: NotRequired[Identifier]


class TokenCreateAckData(TypedDict):
    token: Token


class TokenCreateAck(TypedDict):
    """token:create, answered: success."""

    success: Literal[True]
    data: TokenCreateAckData


# token:create, answered: success, or why not.
TokenCreateAnswer: TypeAlias = TokenCreateAck | FailureAck


class TokenCreateEmission(TypedDict):
    """token:create, as the server sends it."""

    sessionId: Identifier
    encounterId: Identifier
    token: Token
    userId: Identifier
    timestamp: Timestamp


class TokenMoveRequest(TypedDict):
    """token:move, as a client sends it. Move a token to another position."""

    sessionId: Identifier
    encounterId: Identifier
    tokenId: Identifier
    position: PositionRequest


class TokenMoveAckData(TypedDict):
    tokenId: Identifier
    position: Position
    version: Version


class TokenMoveAck(TypedDict):
    """token:move, answered: success."""

    success: Literal[True]
    data: TokenMoveAckData


# token:move, answered: success, or why not.
TokenMoveAnswer: TypeAlias = TokenMoveAck | FailureAck


class TokenMoveEmission(TypedDict):
    """token:move, as the server sends it."""

    sessionId: Identifier
    encounterId: Identifier
    tokenId: Identifier
    position: Position
    version: Version
    userId: Identifier
    timestamp: Timestamp


class TokenUpdates(TypedDict):
    """At least one of the named properties; each replaces the token's.

    At least one of name, imageUrl, size, isVisible, data.
    """

    name: NotRequired[Name]
    imageUrl: NotRequired[ImageUrl]
    size: NotRequired[Size]
    isVisible: NotRequired[bool]
    data: NotRequired[JsonObject]


class TokenUpdateRequest(TypedDict):
    """token:update, as a client sends it. Change properties of a token."""

    sessionId: Identifier
    encounterId: Identifier
    tokenId: Identifier
    updates: TokenUpdates


class TokenUpdateAckData(TypedDict):
    token: Token


class TokenUpdateAck(TypedDict):
    """token:update, answered: success."""

    success: Literal[True]
    data: TokenUpdateAckData


# token:update, answered: success, or why not.
TokenUpdateAnswer: TypeAlias = TokenUpdateAck | FailureAck


class TokenUpdateEmission(TypedDict):
    """token:update, as the server sends it."""

    sessionId: Identifier
    encounterId: Identifier
    tokenId: Identifier
    token: Token
    userId: Identifier
    timestamp: Timestamp


class TokenDeleteRequest(TypedDict):
    """token:delete, as a client sends it. Take a token off the map."""

    sessionId: Identifier
    encounterId: Identifier
    tokenId: Identifier


class TokenDeleteAckData(TypedDict):
    tokenId: Identifier


class TokenDeleteAck(TypedDict):
    """token:delete, answered: success."""

    success: Literal[True]
    data: TokenDeleteAckData


# token:delete, answered: success, or why not.
TokenDeleteAnswer: TypeAlias = TokenDeleteAck | FailureAck


class TokenDeleteEmission(TypedDict):
    """token:delete, as the server sends it."""

    sessionId: Identifier
    encounterId: Identifier
    tokenId: Identifier
    userId: Identifier
    timestamp: Timestamp


class GetUserDataRequest(TypedDict):
    """get-user-data, as a client sends it. Ask for one's own profile, or that of a user one shares a session with."""

    userId: NotRequired[Identifier]


class User(TypedDict):
    """What others may know about a user, and nothing else."""

    id: Identifier
    username: str
    """At least 1 character."""
    displayName: NotRequired[str]


class GetUserDataAckData(TypedDict):
    user: User


class GetUserDataAck(TypedDict):
    """get-user-data, answered: success."""

    success: Literal[True]
    data: GetUserDataAckData


# get-user-data, answered: success, or why not.
GetUserDataAnswer: TypeAlias = GetUserDataAck | FailureAck


class ValidateActionRequestAction(TypedDict):
    type: Literal["token:create", "token:move", "token:update", "token:delete"]
    payload: JsonObject
    """The request exactly as it would be sent under that event's name."""


class ValidateActionRequest(TypedDict):
    """validate-action, as a client sends it. Ask whether a token event would be accepted, without its effect."""

    sessionId: Identifier
    action: ValidateActionRequestAction


class ValidateActionAckData(TypedDict):
    valid: bool
    errors: list[str]


class ValidateActionAck(TypedDict):
    """validate-action, answered: success."""

    success: Literal[True]
    data: ValidateActionAckData


# validate-action, answered: success, or why not.
ValidateActionAnswer: TypeAlias = ValidateActionAck | FailureAck


class ErrorEmission(TypedDict):
    """error, as the server sends it. A request without a callback was refused."""

    event: str
    """Name of the refused request, as the client wrote it."""
    error: ErrorText
    code: ErrorCode


class UserJoinedEmission(TypedDict):
    """user-joined, as the server sends it. Somebody entered the session's room."""

    sessionId: Identifier
    userId: Identifier
    timestamp: Timestamp


class UserLeftEmission(TypedDict):
    """user-left, as the server sends it. Somebody left the session's room."""

    sessionId: Identifier
    userId: Identifier
    timestamp: Timestamp
    reason: Literal["left", "switched", "disconnected", "removed"]


class SessionRemovedEmission(TypedDict):
    """session-removed, as the server sends it. This connection was taken out of the session's room."""

    sessionId: Identifier
    reason: str
    """Why, for people.

    At least 1 character.
    """


class ConnectRefusalData(TypedDict):
    code: Literal["UNAUTHENTICATED"]


class ConnectRefusal(TypedDict):
    """Payload of the CONNECT_ERROR packet for a connection without a valid cookie."""

    message: ErrorText
    data: NotRequired[ConnectRefusalData]


# What a server sends, to those whom the protocol names: the payload of each event by its name.
ServerToClientEvents = TypedDict(
    "ServerToClientEvents",
    {
        # Say something to everybody else in the session.
        # Broadcast of a request that the server accepted.
        "chat-message": ChatMessageEmission,
        # Put a new token on an encounter's map.
        # Broadcast of a request that the server accepted.
        "token:create": TokenCreateEmission,
        # Move a token to another position.
        # Broadcast of a request that the server accepted.
        "token:move": TokenMoveEmission,
        # Change properties of a token.
        # Broadcast of a request that the server accepted.
        "token:update": TokenUpdateEmission,
        # Take a token off the map.
        # Broadcast of a request that the server accepted.
        "token:delete": TokenDeleteEmission,
        # A request without a callback was refused.
        "error": ErrorEmission,
        # Somebody entered the session's room.
        # Optional: a server need not send it.
        "user-joined": UserJoinedEmission,
        # Somebody left the session's room.
        # Optional: a server need not send it.
        "user-left": UserLeftEmission,
        # This connection was taken out of the session's room.
        # Optional: a server need not send it.
        "session-removed": SessionRemovedEmission,
    },
)


class Client(Protocol):
    """The requests of a `socketio.AsyncClient`, with types: `client = cast(Client, socketio.AsyncClient())`.

    `call` returns the answer; `emit` asks for none.
    """

    @overload
    async def emit(self, event: Literal["join-session"], data: JoinSessionRequest) -> None:
        """Enter the room of a session; leaves the one joined before.

        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def emit(self, event: Literal["leave-session"], data: LeaveSessionRequest) -> None:
        """Leave the room of the joined session.

        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, RATE_LIMITED,
        INTERNAL_ERROR.
        """

    @overload
    async def emit(self, event: Literal["chat-message"], data: ChatMessageRequest) -> None:
        """Say something to everybody else in the session.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, RATE_LIMITED,
        INTERNAL_ERROR.
        """

    @overload
    async def emit(self, event: Literal["token:create"], data: TokenCreateRequest) -> None:
        """Put a new token on an encounter's map.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def emit(self, event: Literal["token:move"], data: TokenMoveRequest) -> None:
        """Move a token to another position.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def emit(self, event: Literal["token:update"], data: TokenUpdateRequest) -> None:
        """Change properties of a token.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def emit(self, event: Literal["token:delete"], data: TokenDeleteRequest) -> None:
        """Take a token off the map.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def emit(self, event: Literal["get-user-data"], data: GetUserDataRequest) -> None:
        """Ask for one's own profile, or that of a user one shares a session with.

        May be refused with VALIDATION_ERROR, PERMISSION_DENIED, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def emit(self, event: Literal["validate-action"], data: ValidateActionRequest) -> None:
        """Ask whether a token event would be accepted, without its effect.

        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["join-session"], data: JoinSessionRequest) -> JoinSessionAnswer:
        """Enter the room of a session; leaves the one joined before.

        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["leave-session"], data: LeaveSessionRequest) -> LeaveSessionAnswer:
        """Leave the room of the joined session.

        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, RATE_LIMITED,
        INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["chat-message"], data: ChatMessageRequest) -> ChatMessageAnswer:
        """Say something to everybody else in the session.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, RATE_LIMITED,
        INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["token:create"], data: TokenCreateRequest) -> TokenCreateAnswer:
        """Put a new token on an encounter's map.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["token:move"], data: TokenMoveRequest) -> TokenMoveAnswer:
        """Move a token to another position.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["token:update"], data: TokenUpdateRequest) -> TokenUpdateAnswer:
        """Change properties of a token.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["token:delete"], data: TokenDeleteRequest) -> TokenDeleteAnswer:
        """Take a token off the map.

        The others in the room hear of it.
        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["get-user-data"], data: GetUserDataRequest) -> GetUserDataAnswer:
        """Ask for one's own profile, or that of a user one shares a session with.

        May be refused with VALIDATION_ERROR, PERMISSION_DENIED, RATE_LIMITED, INTERNAL_ERROR.
        """

    @overload
    async def call(self, event: Literal["validate-action"], data: ValidateActionRequest) -> ValidateActionAnswer:
        """Ask whether a token event would be accepted, without its effect.

        May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
        TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
        """

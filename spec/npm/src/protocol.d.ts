/**
 * The real-time protocol of DungeonLab 1.0: what clients and servers send each other.
 * Made by `dungeonlab-conformance export typescript`; do not edit.
 */

/** What JSON can hold; a property that is undefined is left out. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** Any object, as long as it is JSON: its contents are the clients' own business. */
export type JsonObject = { [property: string]: Json | undefined };

/** join-session, as a client sends it. Enter the room of a session; leaves the one joined before. */
export type JoinSessionRequest = {
  sessionId: Identifier;
};

/**
 * Opaque id of a user, session, encounter, token or message.
 * 1 to 128 characters.
 * Matches `^[A-Za-z0-9_-]+$`.
 */
export type Identifier = string;

/** join-session, answered: success, or why not. */
export type JoinSessionAnswer = JoinSessionAck | FailureAck;

/** join-session, answered: success. */
export type JoinSessionAck = {
  success: true;
  data: {
    sessionId: Identifier;
    gameMasterId: Identifier;
    /** No two items alike. */
    participantIds: Identifier[];
  };
};

/** leave-session, as a client sends it. Leave the room of the joined session. */
export type LeaveSessionRequest = {
  sessionId: Identifier;
};

/** leave-session, answered: success, or why not. */
export type LeaveSessionAnswer = LeaveSessionAck | FailureAck;

/** leave-session, answered: success. */
export type LeaveSessionAck = {
  success: true;
  data: {
    sessionId: Identifier;
  };
};

/** chat-message, as a client sends it. Say something to everybody else in the session. */
export type ChatMessageRequest = {
  sessionId: Identifier;
  message: Message;
};

/**
 * Not blank; counted in Unicode code points.
 * 1 to 2000 characters.
 */
export type Message = string;

/** chat-message, answered: success, or why not. */
export type ChatMessageAnswer = ChatMessageAck | FailureAck;

/** chat-message, answered: success. */
export type ChatMessageAck = {
  success: true;
  data: {
    messageId: Identifier;
    timestamp: Timestamp;
  };
};

/** RFC 3339 time in UTC, ending in Z. */
export type Timestamp = string;

/** chat-message, as the server sends it. */
export type ChatMessageEmission = {
  sessionId: Identifier;
  messageId: Identifier;
  userId: Identifier;
  message: Message;
  timestamp: Timestamp;
};

/** token:create, as a client sends it. Put a new token on an encounter's map. */
export type TokenCreateRequest = {
  sessionId: Identifier;
  encounterId: Identifier;
  token: TokenDraft;
};

/** A token as a client asks for it; the server's own fields are ignored here. */
export type TokenDraft = {
  name: Name;
  imageUrl?: ImageUrl;
  /** If left out: `"medium"`. */
  size?: Size;
  position: PositionRequest;
  actorId?: Identifier;
  /** If left out: `true`. */
  isVisible?: boolean;
  /** If left out: `false`. */
  isPlayerControlled?: boolean;
  /** If left out: `{}`. */
  data?: JsonObject;
  /** If left out: `[]`. */
  conditions?: ConditionRequest[];
};

/** 1 to 255 characters. */
export type Name = string;

/**
 * An absolute URI (RFC 3986).
 * At most 2048 characters.
 */
export type ImageUrl = string;

export type Size = "tiny" | "small" | "medium" | "large" | "huge" | "gargantuan";

/** Grid squares; elevation in the server's unit, 0 if left out. */
export type PositionRequest = {
  /** A whole number, at least 0. */
  x: number;
  /** A whole number, at least 0. */
  y: number;
  /** If left out: `0`. */
  elevation?: number;
};

export type ConditionRequest = {
  /** At least 1 character. */
  name: string;
  /** At least 0. */
  duration?: number;
  source?: string;
};

/** token:create, answered: success, or why not. */
export type TokenCreateAnswer = TokenCreateAck | FailureAck;

/** token:create, answered: success. */
export type TokenCreateAck = {
  success: true;
  data: {
    token: Token;
  };
};

/** A token as the server keeps it, every default filled in. */
export type Token = {
  id: Identifier;
  encounterId: Identifier;
  name: Name;
  imageUrl?: ImageUrl;
  size: Size;
  position: Position;
  actorId?: Identifier;
  isVisible: boolean;
  isPlayerControlled: boolean;
  data: JsonObject;
  conditions: Condition[];
  version: Version;
  createdBy: Identifier;
  updatedBy?: Identifier;
};

/** Grid squares, every default filled in. */
export type Position = {
  /** A whole number, at least 0. */
  x: number;
  /** A whole number, at least 0. */
  y: number;
  elevation: number;
};

export type Condition = {
  /** At least 1 character. */
  name: string;
  /** At least 0. */
  duration?: number;
  source?: string;
};

/**
 * Grows by one with each change of the token.
 * A whole number, at least 1.
 */
export type Version = number;

/** token:create, as the server sends it. */
export type TokenCreateEmission = {
  sessionId: Identifier;
  encounterId: Identifier;
  token: Token;
  userId: Identifier;
  timestamp: Timestamp;
};

/** token:move, as a client sends it. Move a token to another position. */
export type TokenMoveRequest = {
  sessionId: Identifier;
  encounterId: Identifier;
  tokenId: Identifier;
  position: PositionRequest;
};

/** token:move, answered: success, or why not. */
export type TokenMoveAnswer = TokenMoveAck | FailureAck;

/** token:move, answered: success. */
export type TokenMoveAck = {
  success: true;
  data: {
    tokenId: Identifier;
    position: Position;
    version: Version;
  };
};

/** token:move, as the server sends it. */
export type TokenMoveEmission = {
  sessionId: Identifier;
  encounterId: Identifier;
  tokenId: Identifier;
  position: Position;
  version: Version;
  userId: Identifier;
  timestamp: Timestamp;
};

/** token:update, as a client sends it. Change properties of a token. */
export type TokenUpdateRequest = {
  sessionId: Identifier;
  encounterId: Identifier;
  tokenId: Identifier;
  updates: TokenUpdates;
};

/**
 * At least one of the named properties; each replaces the token's.
 * At least one of name, imageUrl, size, isVisible, data.
 */
export type TokenUpdates = {
  name?: Name;
  imageUrl?: ImageUrl;
  size?: Size;
  isVisible?: boolean;
  data?: JsonObject;
} & ({ name: Name } | { imageUrl: ImageUrl } | { size: Size } | { isVisible: boolean } | { data: JsonObject });

/** token:update, answered: success, or why not. */
export type TokenUpdateAnswer = TokenUpdateAck | FailureAck;

/** token:update, answered: success. */
export type TokenUpdateAck = {
  success: true;
  data: {
    token: Token;
  };
};

/** token:update, as the server sends it. */
export type TokenUpdateEmission = {
  sessionId: Identifier;
  encounterId: Identifier;
  tokenId: Identifier;
  token: Token;
  userId: Identifier;
  timestamp: Timestamp;
};

/** token:delete, as a client sends it. Take a token off the map. */
export type TokenDeleteRequest = {
  sessionId: Identifier;
  encounterId: Identifier;
  tokenId: Identifier;
};

/** token:delete, answered: success, or why not. */
export type TokenDeleteAnswer = TokenDeleteAck | FailureAck;

/** token:delete, answered: success. */
export type TokenDeleteAck = {
  success: true;
  data: {
    tokenId: Identifier;
  };
};

/** token:delete, as the server sends it. */
export type TokenDeleteEmission = {
  sessionId: Identifier;
  encounterId: Identifier;
  tokenId: Identifier;
  userId: Identifier;
  timestamp: Timestamp;
};

/** get-user-data, as a client sends it. Ask for one's own profile, or that of a user one shares a session with. */
export type GetUserDataRequest = {
  userId?: Identifier;
};

/** get-user-data, answered: success, or why not. */
export type GetUserDataAnswer = GetUserDataAck | FailureAck;

/** get-user-data, answered: success. */
export type GetUserDataAck = {
  success: true;
  data: {
    user: User;
  };
};

/** What others may know about a user, and nothing else. */
export type User = {
  id: Identifier;
  /** At least 1 character. */
  username: string;
  displayName?: string;
};

/** validate-action, as a client sends it. Ask whether a token event would be accepted, without its effect. */
export type ValidateActionRequest = {
  sessionId: Identifier;
  action: {
    type: "token:create" | "token:move" | "token:update" | "token:delete";
    /** The request exactly as it would be sent under that event's name. */
    payload: JsonObject;
  };
};

/** validate-action, answered: success, or why not. */
export type ValidateActionAnswer = ValidateActionAck | FailureAck;

/** validate-action, answered: success. */
export type ValidateActionAck = {
  success: true;
  data: {
    valid: boolean;
    errors: string[];
  };
};

/** error, as the server sends it. A request without a callback was refused. */
export type ErrorEmission = {
  /** Name of the refused request, as the client wrote it. */
  event: string;
  error: ErrorText;
  code: ErrorCode;
};

/**
 * A sentence for people; its wording is the server's own.
 * At least 1 character.
 */
export type ErrorText = string;

/** Why a request was refused. */
export type ErrorCode =
  | "VALIDATION_ERROR"
  | "PERMISSION_DENIED"
  | "SESSION_NOT_FOUND"
  | "NOT_JOINED"
  | "ENCOUNTER_NOT_FOUND"
  | "TOKEN_NOT_FOUND"
  | "RATE_LIMITED"
  | "INTERNAL_ERROR";

/** user-joined, as the server sends it. Somebody entered the session's room. */
export type UserJoinedEmission = {
  sessionId: Identifier;
  userId: Identifier;
  timestamp: Timestamp;
};

/** user-left, as the server sends it. Somebody left the session's room. */
export type UserLeftEmission = {
  sessionId: Identifier;
  userId: Identifier;
  timestamp: Timestamp;
  reason: "left" | "switched" | "disconnected" | "removed";
};

/** session-removed, as the server sends it. This connection was taken out of the session's room. */
export type SessionRemovedEmission = {
  sessionId: Identifier;
  /**
   * Why, for people.
   * At least 1 character.
   */
  reason: string;
};

/** Answer to a refused request. */
export type FailureAck = {
  success: false;
  error: ErrorText;
  code: ErrorCode;
};

/** Payload of the CONNECT_ERROR packet for a connection without a valid cookie. */
export type ConnectRefusal = {
  message: ErrorText;
  data?: {
    code: "UNAUTHENTICATED";
  };
};

/**
 * What a client sends, each with the callback for its answer:
 * `const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url)`.
 */
export interface ClientToServerEvents {
  /**
   * Enter the room of a session; leaves the one joined before.
   * May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, RATE_LIMITED, INTERNAL_ERROR.
   */
  "join-session": (request: JoinSessionRequest, acknowledge: (answer: JoinSessionAnswer) => void) => void;
  /**
   * Leave the room of the joined session.
   * May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, RATE_LIMITED,
   * INTERNAL_ERROR.
   */
  "leave-session": (request: LeaveSessionRequest, acknowledge: (answer: LeaveSessionAnswer) => void) => void;
  /**
   * Say something to everybody else in the session.
   * The others in the room hear of it.
   * May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, RATE_LIMITED,
   * INTERNAL_ERROR.
   */
  "chat-message": (request: ChatMessageRequest, acknowledge: (answer: ChatMessageAnswer) => void) => void;
  /**
   * Put a new token on an encounter's map.
   * The others in the room hear of it.
   * May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
   * RATE_LIMITED, INTERNAL_ERROR.
   */
  "token:create": (request: TokenCreateRequest, acknowledge: (answer: TokenCreateAnswer) => void) => void;
  /**
   * Move a token to another position.
   * The others in the room hear of it.
   * May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
   * TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
   */
  "token:move": (request: TokenMoveRequest, acknowledge: (answer: TokenMoveAnswer) => void) => void;
  /**
   * Change properties of a token.
   * The others in the room hear of it.
   * May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
   * TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
   */
  "token:update": (request: TokenUpdateRequest, acknowledge: (answer: TokenUpdateAnswer) => void) => void;
  /**
   * Take a token off the map.
   * The others in the room hear of it.
   * May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
   * TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
   */
  "token:delete": (request: TokenDeleteRequest, acknowledge: (answer: TokenDeleteAnswer) => void) => void;
  /**
   * Ask for one's own profile, or that of a user one shares a session with.
   * May be refused with VALIDATION_ERROR, PERMISSION_DENIED, RATE_LIMITED, INTERNAL_ERROR.
   */
  "get-user-data": (request: GetUserDataRequest, acknowledge: (answer: GetUserDataAnswer) => void) => void;
  /**
   * Ask whether a token event would be accepted, without its effect.
   * May be refused with VALIDATION_ERROR, SESSION_NOT_FOUND, PERMISSION_DENIED, NOT_JOINED, ENCOUNTER_NOT_FOUND,
   * TOKEN_NOT_FOUND, RATE_LIMITED, INTERNAL_ERROR.
   */
  "validate-action": (request: ValidateActionRequest, acknowledge: (answer: ValidateActionAnswer) => void) => void;
}

/**
 * The same with a callback that may be missing: for a server, to which clients may send without one, and for a client
 * that wants no answer. A client sees `emitWithAck` and `timeout` typed with `ClientToServerEvents` only.
 */
export type ClientToServerEventsWithOptionalCallback = {
  [E in keyof ClientToServerEvents]: (
    request: Parameters<ClientToServerEvents[E]>[0],
    acknowledge?: Parameters<ClientToServerEvents[E]>[1],
  ) => void;
};

/** What a server sends, to those whom the protocol names. */
export interface ServerToClientEvents {
  /**
   * Say something to everybody else in the session.
   * Broadcast of a request that the server accepted.
   */
  "chat-message": (payload: ChatMessageEmission) => void;
  /**
   * Put a new token on an encounter's map.
   * Broadcast of a request that the server accepted.
   */
  "token:create": (payload: TokenCreateEmission) => void;
  /**
   * Move a token to another position.
   * Broadcast of a request that the server accepted.
   */
  "token:move": (payload: TokenMoveEmission) => void;
  /**
   * Change properties of a token.
   * Broadcast of a request that the server accepted.
   */
  "token:update": (payload: TokenUpdateEmission) => void;
  /**
   * Take a token off the map.
   * Broadcast of a request that the server accepted.
   */
  "token:delete": (payload: TokenDeleteEmission) => void;
  /** A request without a callback was refused. */
  "error": (payload: ErrorEmission) => void;
  /**
   * Somebody entered the session's room.
   * Optional: a server need not send it.
   */
  "user-joined": (payload: UserJoinedEmission) => void;
  /**
   * Somebody left the session's room.
   * Optional: a server need not send it.
   */
  "user-left": (payload: UserLeftEmission) => void;
  /**
   * This connection was taken out of the session's room.
   * Optional: a server need not send it.
   */
  "session-removed": (payload: SessionRemovedEmission) => void;
}

/** The payloads of each event by the direction in which they go. */
export interface Payloads {
  "join-session": { request: JoinSessionRequest; ack: JoinSessionAnswer };
  "leave-session": { request: LeaveSessionRequest; ack: LeaveSessionAnswer };
  "chat-message": { request: ChatMessageRequest; ack: ChatMessageAnswer; emission: ChatMessageEmission };
  "token:create": { request: TokenCreateRequest; ack: TokenCreateAnswer; emission: TokenCreateEmission };
  "token:move": { request: TokenMoveRequest; ack: TokenMoveAnswer; emission: TokenMoveEmission };
  "token:update": { request: TokenUpdateRequest; ack: TokenUpdateAnswer; emission: TokenUpdateEmission };
  "token:delete": { request: TokenDeleteRequest; ack: TokenDeleteAnswer; emission: TokenDeleteEmission };
  "get-user-data": { request: GetUserDataRequest; ack: GetUserDataAnswer };
  "validate-action": { request: ValidateActionRequest; ack: ValidateActionAnswer };
  "error": { emission: ErrorEmission };
  "user-joined": { emission: UserJoinedEmission };
  "user-left": { emission: UserLeftEmission };
  "session-removed": { emission: SessionRemovedEmission };
}

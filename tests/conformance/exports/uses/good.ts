// Uses of the exported types that are right: each line compiles under `tsc --strict`.

import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import type {
  ChatMessageEmission,
  ClientToServerEvents,
  ClientToServerEventsWithOptionalCallback,
  ConnectRefusal,
  Payloads,
  ServerToClientEvents,
  TokenCreateRequest,
  TokenDraft,
  TokenMoveRequest,
  TokenUpdates,
} from "./protocol.js";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io("http://localhost:3000");
const ids = { sessionId: "session-1", encounterId: "encounter-1" };
const data = { hp: 7, notes: ["a", null, { b: true }] };
const draft: TokenDraft = { name: "Goblin", position: { x: 1, y: 2 }, data };
const move: TokenMoveRequest = { ...ids, tokenId: "token-1", position: { x: 0, y: 0, elevation: 1.5 } };
const updates: TokenUpdates[] = [{ name: "Orc" }, { size: "huge", isVisible: false }, { data: {} }];
const creation: Payloads["token:create"]["request"] = { ...ids, token: draft } satisfies TokenCreateRequest;

socket.emit("token:create", creation, (answer) => {
  if (answer.success) console.log(answer.data.token.position.elevation.toFixed(), answer.data.token.data["hp"]);
  else if (answer.code === "ENCOUNTER_NOT_FOUND") console.log(answer.error.length);
});
socket.emit("chat-message", { sessionId: "session-1", message: "Hello" }, (answer) => answer.success);
socket.emit("get-user-data", {}, (answer) => answer.success && answer.data.user.displayName?.length);
socket.emit("validate-action", { sessionId: "session-1", action: { type: "token:move", payload: move } }, () => {});
socket.timeout(5000).emit("token:move", move, (late, answer) => late || answer.success);
for (const each of updates) socket.emit("token:update", { ...ids, tokenId: "token-1", updates: each }, () => {});

export async function join(): Promise<readonly string[]> {
  const answer = await socket.timeout(5000).emitWithAck("join-session", { sessionId: "session-1" });
  return answer.success ? answer.data.participantIds : [];
}

socket.on("chat-message", ({ userId, message, timestamp }) => console.log(userId, message.length, new Date(timestamp)));
socket.on("user-left", ({ reason }) => reason === "removed");
socket.on("session-removed", ({ reason }) => console.log(reason.length));
socket.on("error", ({ event, code }) => console.log(event, code === "VALIDATION_ERROR"));
socket.on("connect_error", (error) => {
  const refusal: ConnectRefusal = error;
  console.log(refusal.message.length, refusal.data?.code === "UNAUTHENTICATED");
});

// without an answer
const silent: Socket<ServerToClientEvents, ClientToServerEventsWithOptionalCallback> = io("http://localhost:3000");
silent.emit("leave-session", { sessionId: "session-1" });
silent.emit("leave-session", { sessionId: "session-1" }, (answer) => answer.success);

// a server
const server = new Server<ClientToServerEventsWithOptionalCallback, ServerToClientEvents>();
server.on("connection", (client) => {
  client.on("chat-message", (request, acknowledge) => {
    const stated = { messageId: "message-1", timestamp: new Date().toISOString() };
    const said: ChatMessageEmission = { ...request, ...stated, userId: "user-1" };
    client.to(`session:${request.sessionId}`).emit("chat-message", said);
    acknowledge?.({ success: true, data: stated });
  });
  client.on("token:delete", (_, acknowledge) => {
    acknowledge?.({ success: false, error: "No such token", code: "TOKEN_NOT_FOUND" });
  });
});

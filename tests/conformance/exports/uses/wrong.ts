// Uses of the exported types that are wrong: each line that ends in a number is refused with that error, no other is.

import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import type {
  ClientToServerEvents,
  ClientToServerEventsWithOptionalCallback,
  ServerToClientEvents,
  TokenDraft,
  TokenMoveRequest,
} from "./protocol.js";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io("http://localhost:3000");
const server = new Server<ClientToServerEventsWithOptionalCallback, ServerToClientEvents>();
const token = { sessionId: "session-1", encounterId: "encounter-1", tokenId: "token-1" };
const position = { x: 1, y: 2 };

// names
socket.emit("token-move", { ...token, position }, () => {}); // 2345
socket.emit("user-joined", { sessionId: "session-1" }, () => {}); // 2345
socket.on("chatMessage", () => {}); // 2345
socket.on("join-session", () => {}); // 2345

// requests are closed, though a server skips what it does not know
socket.emit("chat-message", { sessionId: "session-1", message: "Hello", mesage: "Hello" }, () => {}); // 2561
socket.emit("token:move", { ...token, position: { x: 1, y: 2, z: 3 } }, () => {}); // 2353
socket.emit("token:update", { ...token, updates: { name: "Orc", imageURL: "https://example.org" } }, () => {}); // 2561
socket.emit("get-user-data", { user: "user-1" }, () => {}); // 2353
const draft: TokenDraft = { name: "Goblin", position, visible: true }; // 2561

// what is missing, or of the wrong type
const move: TokenMoveRequest = { sessionId: "session-1", encounterId: "encounter-1", position }; // 2741
socket.emit("token:move", { ...token, position: { x: "1", y: 2 } }, () => {}); // 2322
socket.emit("token:update", { ...token, updates: {} }, () => {}); // 2322
socket.emit("token:update", { ...token, updates: { size: "vast" } }, () => {}); // 2322
socket.emit("token:update", { ...token, updates: { name: null } }, () => {}); // 2322
socket.emit("token:update", { ...token, updates: { data: [1] } }, () => {}); // 2322
socket.emit("token:update", { ...token, updates: { data: { since: new Date() } } }, () => {}); // 2322
socket.emit("validate-action", { sessionId: "s", action: { type: "chat-message", payload: {} } }, () => {}); // 2322

// one argument, and a callback
socket.emit("join-session", "session-1", () => {}); // 2345
socket.emit("join-session", { sessionId: "session-1" }, "more", () => {}); // 2554
socket.emit("join-session", { sessionId: "session-1" }); // 2554
void socket.emitWithAck("join-session", { session: "session-1" }); // 2561

// answers and broadcasts
socket.emit("chat-message", { sessionId: "session-1", message: "Hello" }, (answer) => answer.data); // 2339
socket.emit("chat-message", { sessionId: "session-1", message: "Hello" }, (answer) => {
  if (answer.success) console.log(answer.data.message); // 2551
  else console.log(answer.code === "NOT_FOUND"); // 2367
});
socket.on("token:move", ({ token }) => token); // 2339
socket.on("user-left", ({ reason }) => reason === "kicked"); // 2367

// a server
server.on("connection", (client) => {
  client.on("token:delete", (_, acknowledge) => {
    acknowledge({ success: true, data: { tokenId: "token-1" } }); // 2722
    acknowledge?.({ success: false, error: "No", code: "NO" }); // 2322
    acknowledge?.({ success: true, data: { tokenId: "token-1", secret: 7 } }); // 2353
  });
  client.emit("user-joined", { sessionId: "session-1", userId: "user-1", timestamp: new Date() }); // 2322
});
console.log(draft, move);

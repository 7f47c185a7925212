// A client of this stack: logs in over HTTP, then lives a session through with Socket.IO's own client.
//
//     node client.mjs URL [websocket | polling | polling,websocket]
//
// Prints one line of JSON and ends with 0 if the server did all that the protocol says; with what it did instead otherwise.

import assert from "node:assert/strict";
import { once } from "node:events";
import { io } from "socket.io-client";

const [url, named = "polling,websocket"] = process.argv.slice(2);
const transports = named.split(",");
const PATIENCE = 5000; // ms
const BURST = 40; // more than some servers take in one upload

async function http(method, path, cookie, body) {
  const headers = { "Content-Type": "application/json", ...(cookie && { Cookie: cookie }) };
  const answer = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  assert.ok(answer.ok, `${method} ${path} answered ${answer.status}`);
  const found = answer.status === 204 ? undefined : await answer.json();
  return { found, cookie: answer.headers.getSetCookie().map((line) => line.split(";")[0])[0] };
}

async function logIn(name) {
  const account = { username: `${name}-${Date.now()}`, password: "a long enough one" };
  await http("POST", "/api/auth/register", undefined, account);
  const { found, cookie } = await http("POST", "/api/auth/login", undefined, account);
  return { name, id: found.id, cookie };
}

function connection(user) {
  const extraHeaders = user ? { Cookie: user.cookie } : {};
  return io(url, { transports, extraHeaders, forceNew: true, reconnectionDelay: 10, timeout: PATIENCE });
}

async function connected(user) {
  const socket = connection(user);
  await heard(socket, "connect");
  return socket;
}

async function heard(socket, event) {
  const [payload] = await once(socket, event, { signal: AbortSignal.timeout(PATIENCE) });
  return payload;
}

const asks = (socket, event, payload) => socket.timeout(PATIENCE).emitWithAck(event, payload);

async function accepted(socket, event, payload) {
  const answer = await asks(socket, event, payload);
  assert.equal(answer.success, true, `${event}: ${JSON.stringify(answer)}`);
  return answer.data;
}

async function refused(socket, event, payload, code) {
  const answer = await asks(socket, event, payload);
  assert.deepEqual([answer.success, answer.code], [false, code]);
}

// -- the scene

const [alice, bob, mallory] = await Promise.all(["alice", "bob", "mallory"].map(logIn));
const { found: session } = await http("POST", "/api/game-sessions", alice.cookie, { name: "an evening" });
await http("PUT", `/api/game-sessions/${session.id}/participants/${bob.id}`, alice.cookie);
const place = `/api/game-sessions/${session.id}/encounters`;
const { found: encounter } = await http("POST", place, alice.cookie, { name: "a cave" });
const sessionId = session.id;
const encounterId = encounter.id;

// nobody is let in without a cookie
const nobody = connection();
const why = await heard(nobody, "connect_error");
assert.ok(why.message);
nobody.close();

// join and chat
const [a, b, m] = await Promise.all([alice, bob, mallory].map(connected));
const joined = await accepted(a, "join-session", { sessionId });
assert.deepEqual([joined.gameMasterId, joined.participantIds], [alice.id, [bob.id]]);
await accepted(b, "join-session", { sessionId });
const [said, heardByBob] = await Promise.all([
  accepted(a, "chat-message", { sessionId, message: "Hello 🐉" }),
  heard(b, "chat-message"),
]);
assert.deepEqual(heardByBob, { ...said, sessionId, userId: alice.id, message: "Hello 🐉" });

// a token there and back
const token = { name: "Goblin", position: { x: 1, y: 2 } };
const [created, announced] = await Promise.all([
  accepted(a, "token:create", { sessionId, encounterId, token }),
  heard(b, "token:create"),
]);
assert.deepEqual(announced.token, created.token);
const tokenId = created.token.id;
const [moved, seen] = await Promise.all([
  accepted(b, "token:move", { sessionId, encounterId, tokenId, position: { x: 3, y: 4 } }),
  heard(a, "token:move"),
]);
assert.deepEqual([seen.position, seen.version], [moved.position, moved.version]);
assert.deepEqual(moved.position, { x: 3, y: 4, elevation: 0 });

// refusals, with a callback and without
await refused(m, "join-session", { sessionId }, "PERMISSION_DENIED");
await refused(m, "chat-message", { sessionId, message: "let me in" }, "PERMISSION_DENIED");
await refused(a, "chat-message", "no object", "VALIDATION_ERROR");
await refused(a, "chat-message", { sessionId, message: Buffer.from("binary") }, "VALIDATION_ERROR");
a.emit("token:move", { sessionId });
const { event, code } = await heard(a, "error");
assert.deepEqual([event, code], ["token:move", "VALIDATION_ERROR"]);

// a burst arrives whole and in order
const burst = Array.from({ length: BURST }, (_, number) => `number ${number}`);
const arrived = new Promise((resolve) => {
  const messages = [];
  b.on("chat-message", ({ message }) => messages.push(message) === BURST && resolve(messages));
});
for (const message of burst) a.emit("chat-message", { sessionId, message });
assert.deepEqual(await Promise.race([arrived, heard(b, "disconnect")]), burst);

// the connection breaks, is made anew, and has to join again
const again = heard(b.io, "reconnect");
b.io.engine.close();
await again;
await refused(b, "chat-message", { sessionId, message: "still here?" }, "NOT_JOINED");
await accepted(b, "join-session", { sessionId });
const [, after] = await Promise.all([
  accepted(a, "chat-message", { sessionId, message: "welcome back" }),
  heard(b, "chat-message"),
]);
assert.equal(after.message, "welcome back");

console.log(JSON.stringify({ ok: true, transport: a.io.engine.transport.name }));
for (const socket of [a, b, m]) socket.close();
process.exit(0);

// A peer that differs from the protocol in all that a target file can say, and is correct otherwise.
//
//     node own_ways.mjs [--port 3000]
//
// It is the peer of `server.mjs`, with a translation in front. What differs on the wire, and nothing else does:
//
//   requests    camelCase names. joinSession(sessionId, null), leaveSession(sessionId) and
//               chatMessage({recipient: {type: "session", id}}, text) carry arguments by position; createToken has
//               the draft under tokenData
//   answers     tokens: nothing is acknowledged. tokenCreated and so on go to the whole room, the sender included, and
//               encounter:error to the sender. joinSession is answered by sessionJoined, or encounter:error, to the
//               sender. Others are acknowledged; a refusal has message in place of error
//   data        sessionJoined has gm and players, not gameMasterId and participantIds
//   codes       names of its own, see CODES
//   broadcasts  chatMessage({sender: {type: "user", id}, recipient, messageId, timestamp}, text),
//               tokenMoved(tokenId, position, more), tokenDeleted(tokenId, more); tokens stand under tokenData
//   errors      encounter:error, with the properties of a refusal and the server's name of the request
//   membership  a user who joins is a participant afterwards
//
// Names of the plain protocol that it replaces are unknown to it, and not answered.

import { Decoder, Encoder, PacketType } from "socket.io-parser";
import { isMember } from "./memory.mjs";
import { Refusal } from "./protocol.mjs";
import { run } from "./run.mjs";
import { Peer } from "./server.mjs";

const REQUESTS = {
  joinSession: "join-session",
  leaveSession: "leave-session",
  chatMessage: "chat-message",
  createToken: "token:create",
  moveToken: "token:move",
  updateToken: "token:update",
  deleteToken: "token:delete",
  getUserData: "get-user-data",
  validateAction: "validate-action",
};
const CALLED = Object.fromEntries(Object.entries(REQUESTS).map(([own, plain]) => [plain, own]));
const CODES = {
  VALIDATION_ERROR: "INVALID",
  PERMISSION_DENIED: "FORBIDDEN",
  SESSION_NOT_FOUND: "NO_SUCH_SESSION",
  NOT_JOINED: "NOT_IN_ROOM",
  ENCOUNTER_NOT_FOUND: "NO_SUCH_ENCOUNTER",
  TOKEN_NOT_FOUND: "NO_SUCH_TOKEN",
};

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
const given = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
const draft = (body) => (isObject(body) ? given({ ...body, token: body.tokenData, tokenData: undefined }) : body);

// -- what comes in: arguments without the callback

const HEARD = {
  joinSession: ([id, actor, ...more]) => [{ sessionId: id }, ...(actor === null || actor === undefined ? [] : [actor]), ...more],
  leaveSession: ([id, ...more]) => [{ sessionId: id }, ...more],
  chatMessage: ([about, message, ...more]) =>
    isObject(about) ? [given({ sessionId: recipient(about), message }), ...more] : [about],
  createToken: ([body, ...more]) => [draft(body), ...more],
  validateAction: ([body, ...more]) => [isObject(body) && isObject(body.action) ? asked(body) : body, ...more],
};
const recipient = ({ recipient: to }) => (isObject(to) && to.type === "session" ? to.id : undefined);

function asked({ action: { type, payload }, ...body }) {
  const action = { type: REQUESTS[type] ?? `no ${type}`, payload: type === "createToken" ? draft(payload) : payload };
  return { ...body, action: given(action) };
}

function heard([name, ...args]) {
  if (!Object.hasOwn(REQUESTS, name)) return ["unknown"];
  const callback = typeof args.at(-1) === "function" ? [args.pop()] : [];
  if (name === "joinSession") callback.length = 0;
  const translated = args.length && HEARD[name] ? HEARD[name](args) : args;
  return [REQUESTS[name], ...translated, ...callback];
}

// -- what goes out

const refusal = ({ error, code, ...more }) => ({ ...more, message: error, code: CODES[code] ?? code });
const SAID = {
  error: ({ event, ...body }) => ["encounter:error", { event: CALLED[event] ?? event, ...refusal(body) }],
  "chat-message": ({ userId, sessionId, message, ...more }) => [
    "chatMessage",
    { sender: { type: "user", id: userId }, recipient: { type: "session", id: sessionId }, ...more },
    message,
  ],
  "token:create": ({ token, ...more }) => ["tokenCreated", { tokenData: token, ...more }],
  "token:move": ({ tokenId, position, ...more }) => ["tokenMoved", tokenId, position, more],
  "token:update": ({ token, ...more }) => ["tokenUpdated", { tokenData: token, ...more }],
  "token:delete": ({ tokenId, ...more }) => ["tokenDeleted", tokenId, more],
};

const answered = ([answer]) => [answer.success ? answer : refusal(answer)];

/** What answers joinSession, in place of a callback. */
const joined = (socket) => (answer) => {
  if (!answer.success) return socket.emit("error", { event: "join-session", error: answer.error, code: answer.code });
  const { gameMasterId: gm, participantIds: players, ...data } = answer.data;
  socket.emit("sessionJoined", { ...data, gm, players });
};

class OwnEncoder extends Encoder {
  encode(packet) {
    if (packet.type === PacketType.ACK) return super.encode({ ...packet, data: answered(packet.data) });
    const said = packet.type === PacketType.EVENT ? SAID[packet.data[0]] : undefined;
    return super.encode(said ? { ...packet, data: said(packet.data[1]) } : packet);
  }
}

class OwnWaysPeer extends Peer {
  constructor() {
    super({ parser: { Encoder: OwnEncoder, Decoder } });
  }

  welcome(socket) {
    socket.use((packet, next) => {
      const asked = heard(packet);
      if (asked[0] === "join-session") asked.push(joined(socket));
      packet.splice(0, packet.length, ...asked);
      next();
    });
    super.welcome(socket);
  }

  broadcast(socket, event, sessionId, payload) {
    if (!event.startsWith("token:")) return super.broadcast(socket, event, sessionId, payload);
    this.io.to(this.room(sessionId)).emit(event, { sessionId, ...payload });
  }

  /** Who asks to join becomes a participant. */
  async perform(socket, event, args) {
    if (event.name === "join-session") await this.enrol(socket, this.checkShape(event, args));
    return super.perform(socket, event, args);
  }

  enrol(socket, { sessionId }) {
    return this.oneAtATime(sessionId, async () => {
      const session = await this.sessions.get(sessionId);
      if (!session) throw new Refusal("SESSION_NOT_FOUND", "there is no such session");
      if (isMember(session, socket.data.userId)) return;
      await this.sessions.save({ ...session, participantIds: [...session.participantIds, socket.data.userId] });
    });
  }
}

await run(import.meta.url, OwnWaysPeer);

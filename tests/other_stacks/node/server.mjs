// DungeonLab's protocol, version 1.0, served by Node.js and Socket.IO. Written from spec/ alone.
//
//     node server.mjs [--port 3000] [--origin URL] [--fault NAME[+NAME] | --list-faults]
//
// `Peer` is the whole server (its HTTP side is in `http.mjs`): who may connect, how a request is judged, what it does. Each
// step is a method of its own, so that `faults.mjs` can get one wrong. What comes from the tables has to be
// awaited, as with any database; so requests take turns.

import { createServer } from "node:http";
import { Server } from "socket.io";
import { HttpSide, profile } from "./http.mjs";
import { isMember, newId, Table, Turns } from "./memory.mjs";
import { events, isJson, Refusal, validator } from "./protocol.mjs";
import { run } from "./run.mjs";

const now = () => new Date().toISOString();
const pick = (object, ...keys) => Object.fromEntries(keys.filter((k) => k in object).map((k) => [k, object[k]]));
const position = ({ x, y, elevation = 0 }) => ({ x, y, elevation });

export class Peer {
  ajv = validator();
  users = new Table();
  sessions = new Table();
  encounters = new Table();
  tokens = new Table();
  turns = new Turns();

  constructor(options = {}) {
    this.origin = options.cors?.origin;
    this.httpSide = new HttpSide(this);
    this.http = createServer((request, response) => this.httpSide.serve(request, response));
    this.io = new Server(this.http, {
      serveClient: false,
      allowRequest: (request, decide) => decide(...this.checkOrigin(request)),
      ...options,
    });
    this.io.use((socket, next) => this.authenticate(socket, next));
    this.io.on("connection", (socket) => this.welcome(socket));
  }

  async listen(port) {
    await new Promise((resolve, reject) => this.http.once("error", reject).listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.http.address().port}`;
  }

  // -- connecting

  checkOrigin({ headers: { origin, host } }) {
    const own = [undefined, this.origin, `http://${host}`, `https://${host}`].includes(origin);
    return own ? [null, true] : ["this page may not connect", false];
  }

  authenticate(socket, next) {
    const userId = this.httpSide.userOf(socket.request);
    if (userId === undefined) {
      return next(Object.assign(new Error("log in first"), { data: { code: "UNAUTHENTICATED" } }));
    }
    socket.data.userId = userId;
    next();
  }

  welcome(socket) {
    if (this.httpSide.userOf(socket.request) === undefined) return socket.disconnect(true); // logged out a moment ago
    socket.join(`user:${socket.data.userId}`);
    for (const event of Object.values(events)) {
      if (event.request) socket.on(event.name, (...args) => this.receive(socket, event, args));
    }
  }

  // -- requests

  /** One connection's requests take their turns; whatever happens, each is answered once. */
  receive(socket, event, args) {
    const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
    return this.inOrder(socket, async () => {
      try {
        const data = await this.perform(socket, event, args);
        callback?.({ success: true, data });
      } catch (error) {
        this.refuse(socket, event, callback, error);
      }
    });
  }

  inOrder(socket, work) {
    return this.turns.take(socket.id, work);
  }

  refuse(socket, event, callback, error) {
    if (!(error instanceof Refusal)) console.error(error);
    const { code, message } = error instanceof Refusal ? error : new Refusal("INTERNAL_ERROR", "something broke here");
    if (callback) callback({ success: false, error: message, code });
    else socket.emit("error", { event: event.name, error: message, code });
  }

  async perform(socket, event, args) {
    const payload = this.checkShape(event, args);
    if (!event.needs.includes("membership")) return this[event.name](socket, payload);
    return this.oneAtATime(payload.sessionId, async () => {
      const session = await this.checkMembership(socket, payload.sessionId);
      if (event.needs.includes("joined")) this.checkJoined(socket, session);
      const token = await this.checkThings(event, payload);
      return this[event.name](socket, payload, { session, token });
    }, event);
  }

  /** From the first question to the broadcast nothing else may happen in the session. */
  oneAtATime(sessionId, work) {
    return this.turns.take(`session:${sessionId}`, work);
  }

  checkShape(event, args) {
    if (args.length !== 1) throw new Refusal("VALIDATION_ERROR", "expected exactly one object");
    if (!isJson(args[0])) throw new Refusal("VALIDATION_ERROR", "this is no JSON, or too deep");
    const [fault] = this.faultsOf(event, args[0]);
    if (fault) throw new Refusal("VALIDATION_ERROR", fault);
    return args[0];
  }

  faultsOf(event, payload) {
    const validate = this.ajv.getSchema(event.request);
    return validate(payload) ? [] : validate.errors.map((e) => `${e.instancePath || "the payload"} ${e.message}`);
  }

  async checkMembership(socket, sessionId) {
    const session = await this.sessions.get(sessionId);
    if (!session) throw new Refusal("SESSION_NOT_FOUND", "there is no such session");
    if (!isMember(session, socket.data.userId)) throw new Refusal("PERMISSION_DENIED", "you are no member");
    return session;
  }

  checkJoined(socket, session) {
    if (!socket.rooms.has(this.room(session.id))) throw new Refusal("NOT_JOINED", "join the session first");
  }

  async checkThings(event, { sessionId, encounterId, tokenId }) {
    if (!event.needs.includes("encounter")) return undefined;
    const encounter = await this.encounters.get(encounterId);
    if (encounter?.sessionId !== sessionId) throw new Refusal("ENCOUNTER_NOT_FOUND", "there is no such encounter");
    if (!event.needs.includes("token")) return undefined;
    const token = await this.tokens.get(tokenId);
    if (token?.encounterId !== encounterId) throw new Refusal("TOKEN_NOT_FOUND", "there is no such token");
    return token;
  }

  // -- rooms

  room(sessionId) {
    return `session:${sessionId}`;
  }

  broadcast(socket, event, sessionId, payload) {
    socket.to(this.room(sessionId)).emit(event, { sessionId, ...payload });
  }

  connectionsIn(room) {
    const ids = this.io.of("/").adapter.rooms.get(room) ?? [];
    return [...ids].map((id) => this.io.of("/").sockets.get(id));
  }

  throwOut(socket, sessionId, reason) {
    socket.leave(this.room(sessionId));
    socket.emit("session-removed", { sessionId, reason });
  }

  expel(userId, sessionId) {
    for (const socket of this.connectionsIn(this.room(sessionId))) {
      if (socket.data.userId === userId) this.throwOut(socket, sessionId, "you are no member any more");
    }
  }

  otherSessions(socket, sessionId) {
    const rooms = [...socket.rooms].filter((room) => room.startsWith("session:") && room !== this.room(sessionId));
    return rooms.map((room) => room.slice("session:".length));
  }

  async "join-session"(socket, { sessionId }, { session }) {
    if (!socket.connected) throw new Refusal("PERMISSION_DENIED", "this connection has ended");
    for (const other of this.otherSessions(socket, sessionId)) socket.leave(this.room(other));
    return this.enter(socket, session);
  }

  enter(socket, { id: sessionId, gameMasterId, participantIds }) {
    for (const tab of this.connectionsIn(`user:${socket.data.userId}`)) {
      if (tab === socket) continue;
      for (const other of this.otherSessions(tab, sessionId)) this.throwOut(tab, other, "you are elsewhere now");
    }
    socket.join(this.room(sessionId));
    return { sessionId, gameMasterId, participantIds };
  }

  async "leave-session"(socket, { sessionId }) {
    socket.leave(this.room(sessionId));
    return { sessionId };
  }

  // -- broadcasts

  async "chat-message"(socket, { sessionId, message }) {
    const said = { messageId: newId(), timestamp: now() };
    this.broadcast(socket, "chat-message", sessionId, { ...said, userId: socket.data.userId, message });
    return said;
  }

  async "token:create"(socket, { sessionId, encounterId, token: draft }) {
    const token = {
      id: newId(),
      encounterId,
      size: "medium",
      isVisible: true,
      isPlayerControlled: false,
      data: {},
      ...pick(draft, "name", "imageUrl", "size", "isVisible", "isPlayerControlled", "actorId", "data"),
      position: position(draft.position),
      conditions: (draft.conditions ?? []).map((condition) => pick(condition, "name", "duration", "source")),
      version: 1,
      createdBy: socket.data.userId,
    };
    await this.tokens.save(token);
    this.tell(socket, "token:create", sessionId, { encounterId, token });
    return { token };
  }

  async "token:move"(socket, { sessionId, encounterId, tokenId, position: wanted }, { token }) {
    const { position: place, version } = await this.change(socket, token, { position: position(wanted) });
    this.tell(socket, "token:move", sessionId, { encounterId, tokenId, position: place, version });
    return { tokenId, position: place, version };
  }

  async "token:update"(socket, { sessionId, encounterId, tokenId, updates }, { token: old }) {
    const token = await this.change(socket, old, pick(updates, "name", "imageUrl", "size", "isVisible", "data"));
    this.tell(socket, "token:update", sessionId, { encounterId, tokenId, token });
    return { token };
  }

  async "token:delete"(socket, { sessionId, encounterId, tokenId }) {
    await this.tokens.delete(tokenId);
    this.tell(socket, "token:delete", sessionId, { encounterId, tokenId });
    return { tokenId };
  }

  change(socket, token, changes) {
    return this.tokens.save({ ...token, ...changes, version: token.version + 1, updatedBy: socket.data.userId });
  }

  tell(socket, event, sessionId, payload) {
    this.broadcast(socket, event, sessionId, { ...payload, userId: socket.data.userId, timestamp: now() });
  }

  // -- what concerns the asker alone

  async "get-user-data"(socket, { userId = socket.data.userId }) {
    const own = socket.data.userId;
    const shared = userId === own || (await this.sessions.find((s) => isMember(s, own) && isMember(s, userId)));
    if (!shared) throw new Refusal("PERMISSION_DENIED", "you share no session with this user");
    return { user: profile(await this.users.get(userId)) };
  }

  async "validate-action"(socket, { sessionId, action: { type, payload } }) {
    const errors = this.faultsOf(events[type], payload);
    if (!errors.length && payload.sessionId !== sessionId) errors.push("the action names another session");
    if (!errors.length) {
      await this.checkThings(events[type], payload).catch((error) => {
        if (!(error instanceof Refusal)) throw error;
        errors.push(error.message);
      });
    }
    return { valid: !errors.length, errors };
  }
}

await run(import.meta.url, Peer, async () => (await import("./faults.mjs")).faults);

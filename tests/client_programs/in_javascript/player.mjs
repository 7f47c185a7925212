// A client as it should be, on Socket.IO's own client: one user who joins a session and plays for as long as that goes well.
//
// What is specific to one situation is one small method, so that a fault replaces that and nothing else (faults.mjs).

import { setTimeout as sleep } from "node:timers/promises";
import { io } from "socket.io-client";

const PACE = 120; // ms between two turns
const PATIENCE = 6000; // ms for an answer
const FIRST_DELAY = 300; // ms before the first attempt to connect again; each further one waits longer
const LONGEST_DELAY = 4000; // ms
const TURNS_BEFORE_LEAVING = 8;
const MOST_WAITING = 100; // requests that are kept while the client is in no room
const TRANSPORTS = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };

export class Player {
  joined = false; // whether this connection is in the session's room, as far as the server has said
  over = false; // whether the user is done with this session
  waiting = []; // requests of the user that were made while the connection was in no room
  tokenId = undefined; // the user's figure on the map, if there is one
  attempts = 0; // to connect by hand since it last went well

  constructor(settings) {
    this.settings = settings;
  }

  async start() {
    this.cookie = this.settings.cookie || (await this.logIn());
    this.socket = io(this.settings.url, this.options());
    this.listen();
    await this.play();
  }

  listen() {
    this.socket.on("connect", () => this.onConnect());
    this.socket.on("connect_error", (error) => this.onConnectError(error));
    this.socket.on("disconnect", (reason) => this.onDisconnect(reason));
    this.socket.on("session-removed", (notice) => this.onRemoved(notice));
    this.socket.on("error", (refusal) => this.onErrorEvent(refusal));
    this.socket.onAny((event, ...args) => this.onAnyEvent(event, args));
  }

  options() {
    return {
      transports: TRANSPORTS[this.settings.transport],
      extraHeaders: this.headers(),
      reconnectionDelay: FIRST_DELAY,
      reconnectionDelayMax: LONGEST_DELAY,
    };
  }

  headers() {
    return { Cookie: this.cookie };
  }

  async logIn() {
    const { url, username, password } = this.settings;
    const body = JSON.stringify({ username, password });
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${url}/api/auth/login`, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`logging in was answered ${answer.status}`);
    return answer.headers.getSetCookie()[0].split(";")[0];
  }

  stop() {
    this.over = true;
    this.socket?.disconnect();
  }

  // -- what happens to the connection

  onConnect() {
    this.attempts = 0;
    return this.join();
  }

  onDisconnect(reason) {
    this.joined = false;
    if (reason === "io server disconnect" && !this.over) this.connectLater();
  }

  /** The library goes on by itself unless the server has refused the namespace. */
  onConnectError(error) {
    if (error.data?.code === "UNAUTHENTICATED" || [401, 403].includes(error.context?.status)) return this.stop();
    if (!this.socket.active) this.connectLater();
  }

  connectLater() {
    const delay = Math.min(FIRST_DELAY * 2 ** this.attempts++, LONGEST_DELAY);
    setTimeout(() => this.over || this.socket.connect(), delay);
  }

  // -- what the server says

  onRemoved({ sessionId }) {
    if (sessionId === this.settings.sessionId) this.quit();
  }

  onErrorEvent() {
    // a request without a callback was refused: there is nothing to undo
  }

  onAnyEvent() {
    // events that it does not know are none of its business
  }

  // -- in the session

  async join() {
    const answer = await this.ask("join-session", this.inSession());
    if (this.hasJoined(answer)) return this.enter();
    if (answer && this.isPassing(answer.code)) setTimeout(() => this.socket.connected && this.join(), 1000);
  }

  enter() {
    this.joined = true;
    for (const [event, payload] of this.waiting.splice(0)) void this.ask(event, payload);
  }

  hasJoined(answer) {
    return answer?.success === true;
  }

  /** Whether what was refused may be granted a little later. */
  isPassing(code) {
    return ["RATE_LIMITED", "INTERNAL_ERROR"].includes(code);
  }

  async leave() {
    await this.ask("leave-session", this.inSession());
    this.quit();
  }

  quit() {
    this.joined = false;
    this.over = true;
    this.waiting = [];
  }

  inSession(rest = {}) {
    return { sessionId: this.settings.sessionId, ...rest };
  }

  // -- requests

  /** Return the answer to a request of the user; undefined if there was none, or it has to wait for the room. */
  request(event, payload) {
    if (this.joined) return this.ask(event, payload);
    if (!this.over && this.waiting.length < MOST_WAITING) this.waiting.push([event, payload]);
    return undefined;
  }

  /** Send; return the answer, undefined if none came: what became of the request is not known, and it stays at that. */
  async ask(event, ...args) {
    try {
      const answer = await this.send(event, ...args);
      if (answer?.success === false) this.onRefusal(event, answer);
      return answer;
    } catch {
      return undefined;
    }
  }

  send(event, ...args) {
    return this.socket.timeout(PATIENCE).emitWithAck(event, ...args);
  }

  onRefusal(event, { code }) {
    if (code !== "NOT_JOINED" || !this.joined) return;
    this.joined = false;
    this.join();
  }

  // -- what the user does

  async play() {
    const user = [this.speak, this.place, this.move, this.speak, this.rename, this.plan, this.lookUp, this.remove];
    for (let turn = 0; !this.over; turn++) {
      if (this.settings.act === "moved-on" && turn === TURNS_BEFORE_LEAVING) return this.leave();
      await user[turn % user.length].call(this, turn);
      await sleep(PACE);
    }
  }

  speak(turn) {
    return this.request("chat-message", this.inSession({ message: `This is turn ${turn}.` }));
  }

  async place() {
    const token = { name: "Goblin", position: { x: 1, y: 2 } };
    const answer = await this.request("token:create", this.onMap({ token }));
    this.tokenId = this.idIn(answer);
  }

  idIn(answer) {
    return answer?.success ? answer.data.token.id : undefined;
  }

  move(turn) {
    return this.withToken("token:move", { position: { x: turn, y: 3 } });
  }

  rename(turn) {
    return this.withToken("token:update", { updates: { name: `Goblin ${turn}` } });
  }

  remove() {
    return this.withToken("token:delete", {});
  }

  plan(turn) {
    if (!this.tokenId) return undefined;
    const payload = this.onMap({ tokenId: this.tokenId, position: { x: turn, y: 4 } });
    return this.request("validate-action", this.inSession({ action: { type: "token:move", payload } }));
  }

  lookUp() {
    return this.request("get-user-data", {});
  }

  withToken(event, rest) {
    return this.tokenId && this.request(event, this.onMap({ tokenId: this.tokenId, ...rest }));
  }

  onMap(rest) {
    return this.inSession({ encounterId: this.settings.encounterId, ...rest });
  }
}

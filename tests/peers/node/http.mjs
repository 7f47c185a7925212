// The HTTP side (section 16): accounts and their cookie, game sessions, who is in them, encounters.

import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { parse as parseCookies, serialize as serializeCookie } from "cookie";
import { isMember, newId } from "./memory.mjs";
import { Refusal, validator } from "./protocol.mjs";

const COOKIE = "dungeonlab.sid";
const LARGEST_BODY = 64 * 1024; // bytes
const derive = promisify(scrypt);
const CHEAP = { N: 2 ** 10 }; // it guards nobody's account, and a judge makes hundreds

const text = (least, most) => ({ type: "string", minLength: least, maxLength: most, pattern: "^[^\\u0000\\p{Surrogate}]*$" });
const body = (properties, ...required) => validator().compile({ type: "object", properties, required });
const isCredentials = body({ username: text(1, 64), password: text(1, 1024) }, "username", "password");
const isRegistration = body(
  { username: text(1, 64), password: text(8, 1024), displayName: text(1, 64) },
  "username",
  "password",
);
const isNamed = body({ name: text(1, 255) }, "name");

export class HttpSide {
  logins = new Map(); // user id by cookie

  constructor(peer) {
    this.peer = peer;
  }

  userOf(request) {
    return this.logins.get(parseCookies(request.headers.cookie ?? "")[COOKIE]);
  }

  async serve(request, response) {
    const [path] = request.url.split("?");
    try {
      for (const [method, pattern, status, handler] of ROUTES) {
        const found = pattern.exec(path);
        if (!found || method !== request.method) continue;
        const body = await this[handler](request, response, found.groups ?? {});
        return send(response, status, body);
      }
      throw new Refusal("NOT_FOUND", `there is no ${request.method} ${path}`);
    } catch (error) {
      if (error instanceof Refusal) return send(response, error.status, { error: error.message, code: error.code });
      console.error(error);
      send(response, 500, { error: "something broke here", code: "INTERNAL_ERROR" });
    }
  }

  async register(request, response) {
    const { username, password, displayName } = await bodyOf(request, isRegistration);
    const user = { id: newId(), username, ...(displayName && { displayName }), secret: await hash(password) };
    await this.peer.turns.take("usernames", async () => {
      if (await this.peer.users.find((other) => other.username === username)) {
        throw new Refusal("CONFLICT", "this username is taken");
      }
      await this.peer.users.save(user);
    });
    return this.logIn(user, request, response);
  }

  async login(request, response) {
    const { username, password } = await bodyOf(request, isCredentials);
    const user = await this.peer.users.find((other) => other.username === username);
    if (!user || !(await matches(password, user.secret))) {
      throw new Refusal("UNAUTHENTICATED", "wrong username or password");
    }
    return this.logIn(user, request, response);
  }

  logIn(user, request, response) {
    const cookie = randomBytes(24).toString("base64");
    const secure = request.headers["x-forwarded-proto"] === "https";
    this.logins.set(cookie, user.id);
    setCookie(response, cookie, { secure });
    return profile(user);
  }

  async logout(request, response) {
    const user = await this.caller(request);
    this.logins.delete(parseCookies(request.headers.cookie)[COOKIE]);
    this.peer.io.in(`user:${user.id}`).disconnectSockets(true);
    setCookie(response, "", { maxAge: 0 });
  }

  async me(request) {
    return profile(await this.caller(request));
  }

  async caller(request) {
    const user = await this.peer.users.get(this.userOf(request));
    if (!user) throw new Refusal("UNAUTHENTICATED", "log in first");
    return user;
  }

  async openSession(request) {
    const { id: gameMasterId } = await this.caller(request);
    const { name } = await bodyOf(request, isNamed);
    return this.peer.sessions.save({ id: newId(), name, gameMasterId, participantIds: [] });
  }

  async showSession(request, _, { sessionId }) {
    const caller = await this.caller(request);
    const session = await this.session(sessionId);
    if (!isMember(session, caller.id)) throw new Refusal("PERMISSION_DENIED", "you are no member");
    return session;
  }

  async closeSession(request, _, { sessionId }) {
    await this.asMaster(request, sessionId, () => this.peer.sessions.delete(sessionId));
    for (const socket of this.peer.connectionsIn(this.peer.room(sessionId))) this.peer.throwOut(socket, sessionId, "it is over");
  }

  async enrol(request, _, { sessionId, userId }) {
    if (!(await this.peer.users.get(userId))) throw new Refusal("NOT_FOUND", "there is no such user");
    await this.asMaster(request, sessionId, (session) =>
      this.peer.sessions.save({ ...session, participantIds: [...new Set([...session.participantIds, userId])] }),
    );
  }

  async revoke(request, _, { sessionId, userId }) {
    await this.asMaster(request, sessionId, async (session) => {
      const participantIds = session.participantIds.filter((id) => id !== userId);
      await this.peer.sessions.save({ ...session, participantIds });
      if (userId !== session.gameMasterId) this.peer.expel(userId, sessionId);
    });
  }

  async openEncounter(request, _, { sessionId }) {
    const { name } = await bodyOf(request, isNamed);
    return this.asMaster(request, sessionId, () => this.peer.encounters.save({ id: newId(), sessionId, name }));
  }

  async asMaster(request, sessionId, work) {
    const caller = await this.caller(request);
    return this.peer.oneAtATime(sessionId, async () => {
      const session = await this.session(sessionId);
      if (session.gameMasterId !== caller.id) throw new Refusal("PERMISSION_DENIED", "only the game master may");
      return work(session);
    });
  }

  async session(sessionId) {
    const found = await this.peer.sessions.get(sessionId);
    if (!found) throw new Refusal("SESSION_NOT_FOUND", "there is no such session");
    return found;
  }

  async healthz() {
    return { status: "ok" };
  }
}

const session = "(?<sessionId>[\\w-]+)";
const ROUTES = [
  ["POST", "/api/auth/register", 201, "register"],
  ["POST", "/api/auth/login", 200, "login"],
  ["POST", "/api/auth/logout", 204, "logout"],
  ["GET", "/api/auth/me", 200, "me"],
  ["POST", "/api/game-sessions", 201, "openSession"],
  ["GET", `/api/game-sessions/${session}`, 200, "showSession"],
  ["DELETE", `/api/game-sessions/${session}`, 204, "closeSession"],
  ["PUT", `/api/game-sessions/${session}/participants/(?<userId>[\\w-]+)`, 204, "enrol"],
  ["DELETE", `/api/game-sessions/${session}/participants/(?<userId>[\\w-]+)`, 204, "revoke"],
  ["POST", `/api/game-sessions/${session}/encounters`, 201, "openEncounter"],
  ["GET", "/healthz", 200, "healthz"],
].map(([method, path, status, handler]) => [method, new RegExp(`^${path}$`), status, handler]);

/** What may be told of a user. */
export function profile({ id, username, displayName }) {
  return { id, username, ...(displayName && { displayName }) };
}

async function bodyOf(request, isRight) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new Refusal("TOO_LARGE", `the body is larger than ${LARGEST_BODY} bytes`);
    chunks.push(chunk);
  }
  let found;
  try {
    found = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new Refusal("VALIDATION_ERROR", "the body is no JSON");
  }
  if (isRight(found)) return found;
  const [{ instancePath, message }] = isRight.errors;
  throw new Refusal("VALIDATION_ERROR", `${instancePath || "the body"} ${message}`);
}

function send(response, status, found) {
  response.writeHead(status, found && { "Content-Type": "application/json" }).end(found && JSON.stringify(found));
}

function setCookie(response, value, options) {
  const cookie = serializeCookie(COOKIE, value, { path: "/", httpOnly: true, sameSite: "lax", ...options });
  response.setHeader("Set-Cookie", cookie);
}

async function hash(password, salt = randomBytes(16)) {
  return { salt, digest: await derive(password, salt, 64, CHEAP) };
}

async function matches(password, secret) {
  return timingSafeEqual((await hash(password, secret.salt)).digest, secret.digest);
}

// The HTTP side (section 16): accounts and their cookie, game sessions, who is in them, encounters.

import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { parse as parseCookies, serialize as serializeCookie } from "cookie";
import { isMember, newId } from "./memory.mjs";
import { description, isJson, Refusal, validator } from "./protocol.mjs";

const COOKIE = "dungeonlab.sid";
const LARGEST_BODY = 64 * 1024; // bytes
const derive = promisify(scrypt);
const CHEAP = { N: 2 ** 10 }; // it guards nobody's account, and a judge makes hundreds

const PUBLIC = new Set(["register", "logIn", "showHealth"]);
const METHODS = ["get", "post", "put", "delete"];

/** Every operation the spec describes: when it is meant, what its body must be, and what its success is called. */
const OPERATIONS = Object.entries(description.paths).flatMap(([path, item]) => {
  const pattern = new RegExp(`^${path.replace(/{(\w+)}/g, "(?<$1>[A-Za-z0-9_-]{1,128})")}$`);
  return METHODS.filter((method) => method in item).map((method) => {
    const { operationId, requestBody, responses } = item[method];
    const schema = requestBody?.content["application/json"].schema.$ref.split("/").at(-1);
    const isRight = schema && validator().compile(description.components.schemas[schema]);
    const status = Number(Object.keys(responses).find((code) => code.startsWith("2")));
    return { method: method.toUpperCase(), pattern, operationId, isRight, status };
  });
});

export class HttpSide {
  logins = new Map(); // user id by cookie

  constructor(peer) {
    this.peer = peer;
  }

  userOf(request) {
    return this.logins.get(cookieOf(request));
  }

  async serve(request, response) {
    const [path] = request.url.split("?");
    if (this.peer.origin && request.headers.origin === this.peer.origin) {
      response.setHeader("Access-Control-Allow-Origin", this.peer.origin);
      response.setHeader("Access-Control-Allow-Credentials", "true");
      response.setHeader("Access-Control-Allow-Headers", "Content-Type");
      response.setHeader("Access-Control-Allow-Methods", METHODS.join(", ").toUpperCase());
      if (request.method === "OPTIONS") return response.writeHead(204).end();
    }
    try {
      const there = OPERATIONS.filter(({ pattern }) => pattern.test(path));
      if (!there.length) throw new Refusal("NOT_FOUND", `there is nothing at ${path}`);
      const meant = there.find(({ method }) => method === request.method);
      if (!meant) {
        response.setHeader("Allow", there.map(({ method }) => method).join(", "));
        throw new Refusal("METHOD_NOT_ALLOWED", `there is no ${request.method} ${path}`);
      }
      const caller = PUBLIC.has(meant.operationId) ? undefined : await this.caller(request);
      const body = meant.isRight && (await bodyOf(request, meant.isRight));
      const params = meant.pattern.exec(path).groups ?? {};
      send(response, meant.status, await this[meant.operationId]({ caller, body, ...params }, request, response));
    } catch (error) {
      if (error instanceof Refusal) return send(response, error.status, { error: error.message, code: error.code });
      console.error(error);
      send(response, 500, { error: "something broke here", code: "INTERNAL_ERROR" });
    }
  }

  async register({ body: { username, password, displayName } }, request, response) {
    const user = { id: newId(), username, ...(displayName && { displayName }), secret: await hash(password) };
    await this.peer.turns.take("usernames", async () => {
      if (await this.peer.users.find((other) => other.username === username)) {
        throw new Refusal("CONFLICT", "this username is taken");
      }
      await this.peer.users.save(user);
    });
    return this.letIn(user, request, response);
  }

  async logIn({ body: { username, password } }, request, response) {
    const user = await this.peer.users.find((other) => other.username === username);
    if (!user || !(await matches(password, user.secret))) {
      throw new Refusal("UNAUTHENTICATED", "wrong username or password");
    }
    return this.letIn(user, request, response);
  }

  letIn(user, request, response) {
    const cookie = randomBytes(24).toString("base64");
    this.logins.set(cookie, user.id);
    setCookie(response, cookie, { secure: request.headers["x-forwarded-proto"] === "https" });
    return profile(user);
  }

  async logOut({ caller }, request, response) {
    this.logins.delete(cookieOf(request));
    this.peer.io.in(`user:${caller.id}`).disconnectSockets(true);
    setCookie(response, "", { maxAge: 0 });
  }

  async showMe({ caller }) {
    return profile(caller);
  }

  async openSession({ caller, body: { name } }) {
    return this.peer.sessions.save({ id: newId(), name, gameMasterId: caller.id, participantIds: [] });
  }

  async showSession({ caller, sessionId }) {
    const session = await this.session(sessionId);
    if (!isMember(session, caller.id)) throw new Refusal("PERMISSION_DENIED", "you are no member");
    return session;
  }

  async deleteSession({ caller, sessionId }) {
    await this.asMaster(caller, sessionId, () => this.peer.sessions.delete(sessionId));
    for (const socket of this.peer.connectionsIn(this.peer.room(sessionId))) {
      this.peer.throwOut(socket, sessionId, "the session is over");
    }
  }

  async enrolParticipant({ caller, sessionId, userId }) {
    await this.asMaster(caller, sessionId, async (session) => {
      if (!(await this.peer.users.get(userId))) throw new Refusal("NOT_FOUND", "there is no such user");
      const participantIds = [...new Set([...session.participantIds, userId])];
      await this.peer.sessions.save({ ...session, participantIds });
    });
  }

  async revokeParticipant({ caller, sessionId, userId }) {
    await this.asMaster(caller, sessionId, async (session) => {
      const participantIds = session.participantIds.filter((id) => id !== userId);
      await this.peer.sessions.save({ ...session, participantIds });
      if (userId !== session.gameMasterId) this.peer.expel(userId, sessionId);
    });
  }

  async openEncounter({ caller, sessionId, body: { name } }) {
    return this.asMaster(caller, sessionId, () => this.peer.encounters.save({ id: newId(), sessionId, name }));
  }

  async showHealth() {
    return { status: "ok" };
  }

  asMaster(caller, sessionId, work) {
    return this.peer.oneAtATime(sessionId, async () => {
      const session = await this.session(sessionId);
      if (session.gameMasterId !== caller.id) throw new Refusal("PERMISSION_DENIED", "only the game master may");
      return work(session);
    });
  }

  async session(sessionId) {
    const found = await this.peer.sessions.get(sessionId);
    if (!found) throw new Refusal("NOT_FOUND", "there is no such session");
    return found;
  }

  async caller(request) {
    const user = await this.peer.users.get(this.userOf(request));
    if (!user) throw new Refusal("UNAUTHENTICATED", "log in first");
    return user;
  }
}

/** What may be known of a user. */
export function profile({ id, username, displayName }) {
  return { id, username, ...(displayName && { displayName }) };
}

async function bodyOf(request, isRight) {
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    throw new Refusal("UNSUPPORTED_MEDIA_TYPE", "send JSON");
  }
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
  if (!isJson(found)) throw new Refusal("VALIDATION_ERROR", "the body holds what is no text");
  if (isRight(found)) return found;
  const [{ instancePath, message }] = isRight.errors;
  throw new Refusal("VALIDATION_ERROR", `${instancePath || "the body"} ${message}`);
}

function send(response, status, found) {
  response.writeHead(status, found && { "Content-Type": "application/json" }).end(found && JSON.stringify(found));
}

function cookieOf(request) {
  return parseCookies(request.headers.cookie ?? "")[COOKIE];
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

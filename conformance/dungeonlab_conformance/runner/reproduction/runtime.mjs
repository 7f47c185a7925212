// Copied into every reproduction in JavaScript: connections, what shows whether the fault is there, values, and the
// stage, set over HTTP.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

// -- copied from here on

const { io } = await import("socket.io-client").catch((missing) => {
  console.log(`undecided: ${missing.message}; npm install socket.io-client`);
  process.exit(2);
});

const PATIENCE = 1000 * Number(process.env.PATIENCE ?? 4); // milliseconds to wait for an answer or a delivery
const LATE = 500; // milliseconds in which what is sent late comes, too
const [MENDED, THERE, UNDECIDED] = [0, 1, 2]; // exit codes

/** Print what happens; on a terminal, as much of it as fits into a line. */
function say(line) {
  const width = process.stdout.columns ?? line.length;
  console.log(line.length <= width ? line : `${line.slice(0, width - 1)}…`);
}

/** `ANY`: what a server chooses anew each time, such as an id or a time. `ABSENT`: that there is nothing. */
const [ANY, ABSENT] = [Symbol("any"), Symbol("absent")];

/** The stage could not be set, or what came does not show whether the fault is there; the message says why. */
class Undecided extends Error {}

/** Wait until something holds, for so many milliseconds; returns whether it does. */
async function comes(holds, milliseconds) {
  const end = Date.now() + milliseconds;
  while (!holds()) {
    if (Date.now() >= end) return false;
    await sleep(10);
  }
  return true;
}

/** A request with a callback, and its answer, which is not waited for before it is asked for. */
class Asked {
  came = null; // the arguments of the answer

  constructor(connection, event) {
    Object.assign(this, { connection, event });
  }

  /** Return the arguments of the answer, or null if none comes in time. */
  async inTime() {
    await comes(() => this.came !== null, PATIENCE);
    return this.came;
  }

  /** Return the first argument of the answer; a preparation that was `accepted` when it was recorded must be. */
  async answer(accepted = false) {
    const came = await this.inTime();
    const who = `${this.connection.name}'s ${this.event}`;
    if (came === null) throw new Undecided(`${who} was not answered within ${PATIENCE / 1000} s`);
    if (accepted && came[0]?.success !== true) {
      throw new Undecided(`${who} was refused, and had been accepted: ${shown(came)}`);
    }
    return came[0];
  }
}

/** One Socket.IO connection of somebody, and everything that it was sent. */
class Connection {
  heard = [];
  taken = new Set(); // places in `heard` that have been waited for
  missed = new Set(); // events that were waited for in vain
  closed = false;
  refused = null; // why it could not be opened

  constructor(name, stage) {
    Object.assign(this, { name, stage });
  }

  /** Connect, or note why the server refused. */
  async open(extraHeaders, transports) {
    this.socket = io(this.stage.origin, {
      path: this.stage.socketPath,
      rejectUnauthorized: this.stage.server.verify,
      timeout: PATIENCE,
      extraHeaders,
      transports,
      forceNew: true,
      reconnection: false,
    });
    this.socket.onAny((event, ...args) => {
      say(`  ${this.name} hears ${event} ${shown(args)}`);
      this.heard.push([event, args]);
    });
    this.socket.on("disconnect", () => (this.closed = true));
    this.refused = await new Promise((settle) => {
      this.socket.on("connect", () => settle(null));
      this.socket.on("connect_error", (error) => settle(error.message || "no reason given"));
      setTimeout(settle, 2 * PATIENCE, "no answer").unref();
    });
    this.closed ||= this.refused !== null;
    say(`  ${this.name} ${this.refused === null ? "connects" : `is refused: ${this.refused}`}`);
  }

  /** Send a request with a callback. */
  async ask(event, ...args) {
    const asked = new Asked(this, event);
    this.#emit("sends", event, args, (...came) => {
      say(`  ${this.name} is answered ${event} ${shown(came)}`);
      asked.came ??= came;
    });
    return asked;
  }

  /** Send a request without a callback. */
  async tell(event, ...args) {
    this.#emit("tells", event, args);
  }

  #emit(act, event, args, ...callback) {
    if (this.closed) throw new Undecided(`${this.name}'s connection was closed before ${event} could be sent`);
    say(`  ${this.name} ${act} ${event} ${shown(args)}`);
    this.socket.emit(event, ...args, ...callback);
  }

  /** Send a request with a callback; returns the first argument of its answer. */
  async request(event, ...args) {
    return (await this.ask(event, ...args)).answer();
  }

  /** Send a request that was accepted when it was recorded, and must be; returns as `request` does. */
  async prepare(event, ...args) {
    return (await this.ask(event, ...args)).answer(true);
  }

  /** Wait until an event has come, which must; returns its first argument. */
  async hear(event) {
    const found = await this.#next(event, PATIENCE);
    if (found === ABSENT) throw new Undecided(`${this.name} did not hear ${event}`);
    return found;
  }

  /** Wait until an event has come, but not for long, and not again once it did not come. */
  async mayHear(event) {
    const found = await this.#next(event, this.missed.has(event) ? 0 : Math.min(PATIENCE, 1000));
    if (found === ABSENT) this.missed.add(event);
  }

  async #next(event, patience) {
    const place = () => this.heard.findIndex(([name], n) => name === event && !this.taken.has(n));
    if (!(await comes(() => place() >= 0, patience))) return ABSENT;
    const found = place();
    this.taken.add(found);
    return this.heard[found][1][0];
  }

  /** Return what came under an event's name from a place on; only what is `like` that, if something is given. */
  deliveries(event, like = null, since = 0) {
    const named = this.heard.slice(since).filter(([name]) => name === event);
    return named.map(([, args]) => args).filter((args) => like === null || holds(like, args));
  }

  /** Have something answered, whatever the answer: what was sent before has arrived then. */
  async roundTrip() {
    if (this.closed) return false;
    const asked = new Asked(this, this.stage.server.fence);
    this.socket.emit(asked.event, {}, (...came) => (asked.came = came));
    return (await asked.inTime()) !== null;
  }

  /** End the connection, and leave a server the time to notice it. */
  async disconnect() {
    say(`  ${this.name} disconnects`);
    this.close();
    await sleep(LATE);
  }

  /** End the connection, without a word. */
  close() {
    this.closed = true;
    this.socket?.disconnect();
  }
}

// -- what shows whether the fault is there: each returns whether it is, and what came ------------------

/** A request is to be accepted. */
async function mustAccept(asked) {
  const came = await asked.inTime();
  return [came?.[0]?.success !== true, came === null ? "no answer" : shown(came)];
}

/** A request is to be refused: answered, and not by a success. */
async function mustRefuse(asked) {
  const came = await asked.inTime();
  return [came?.[0]?.success !== false, came === null ? "no answer" : shown(came)];
}

/** A request is to be answered, on a connection on which others are. */
async function mustAnswer(asked) {
  const came = await asked.inTime();
  if (came === null && !(await asked.connection.roundTrip())) {
    throw new Undecided(`neither ${asked.event} nor anything else was answered`);
  }
  return [came === null, came === null ? "no answer" : shown(came)];
}

/** A request is not to be answered so. */
async function mustNotAnswer(asked, wrong) {
  const came = await asked.inTime();
  if (came === null) throw new Undecided(`${asked.connection.name}'s ${asked.event} was not answered`);
  return [same(wrong, came), shown(came)];
}

/** A place of an answer or of a delivery is not to have one of these values; `ABSENT` is that there is none. */
async function mustNotBe(body, path, ...wrong) {
  const value = look(body, path);
  return [wrong.some((each) => same(each, value)), shownValue(value)];
}

/** A place of an answer or of a delivery is to have one of these values. */
async function mustBe(body, path, ...right) {
  const value = look(body, path);
  return [!right.some((each) => same(each, value)), shownValue(value)];
}

/** A place of an answer is to hold these ids and no others, in any order; some it is `free` to hold. */
async function mustList(body, path, right, free) {
  const value = look(body, path);
  const listed = Array.isArray(value) ? value : [null];
  const surplus = listed.some((each) => !right.includes(each) && !free.includes(each));
  const missing = right.some((each) => !free.includes(each) && !listed.includes(each));
  return [surplus || missing, shownValue(value)];
}

/** Two messages are to have the same at a place of each. */
async function mustAgree(one, path, other, where) {
  const [first, second] = [look(one, path), look(other, where)];
  return [!same(second, first), `${shownValue(first)}, and ${shownValue(second)}`];
}

/** A connection is to be sent a broadcast, so many `times` if that is said; it must be able to hear at all. */
async function mustHear(listener, event, like, since = 0, times = null) {
  await comes(() => listener.deliveries(event, like, since).length > 0, PATIENCE);
  if (!(await allHasArrived(listener))) throw new Undecided(`${listener.name}'s connection does not answer`);
  await sleep(LATE);
  const count = listener.deliveries(event, like, since).length;
  const said = ["nothing", "it came once"][count] ?? `it came ${count} times`;
  return [times === null ? count === 0 : count !== times, said];
}

/** A connection is not to be sent something that holds this, or no more than `most` times. */
async function mustNotHear(listener, event, like, most = 0) {
  return silence(listener, most, () => listener.deliveries(event, like));
}

/** A connection is not to be sent just this, or no more than `most` times. */
async function mustNotHearExactly(listener, event, wrong, most = 0) {
  return silence(listener, most, () => listener.deliveries(event).filter((args) => same(wrong, args)));
}

/** Wait for what is not to come: as long as a round trip takes, and a little longer. */
async function silence(listener, most, found) {
  if (!(await comes(() => found().length > most, LATE))) {
    const answers = await allHasArrived(listener);
    if (!(await comes(() => found().length > most, LATE)) && !answers) {
      throw new Undecided(`${listener.name}'s connection does not answer, so that its silence shows nothing`);
    }
  }
  return [found().length > most, found().length ? shown(found().at(-1)) : "nothing"];
}

/**
 * Make a round trip on every other connection, then on the listener's; returns whether that was answered. The server has
 * dealt with all that was sent before, and the listener has got all that was sent to it by then.
 */
async function allHasArrived(listener) {
  const others = listener.stage.connections.filter((each) => each !== listener && !each.closed);
  await Promise.all(others.map((other) => other.roundTrip()));
  return listener.roundTrip();
}

/** A connection is not to be closed by the server. */
async function mustStayOpen(connection) {
  const answers = await connection.roundTrip();
  if (!answers && !connection.closed) {
    throw new Undecided(`${connection.name}'s connection is open, but does not answer`);
  }
  return [!answers, answers ? "it is open" : "it was closed"];
}

/** The server is to go on answering. */
async function mustSurvive(stage) {
  await sleep(LATE);
  const refused = await stage.answers();
  return [refused !== null, refused ?? "it goes on answering"];
}

/** A connection is to be accepted. */
async function mustBeConnected(connection) {
  return [connection.refused !== null, connection.refused ?? "it was accepted"];
}

/** A connection is to be refused. */
async function mustBeUnconnected(connection) {
  return [connection.refused === null, connection.refused ?? "it was accepted"];
}

// -- values --------------------------------------------------------------------------------------------

/** Whether a value is an object with properties. */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Return what stands at a path, or `ABSENT`. */
function look(body, path) {
  for (const key of path) {
    const container = Array.isArray(body) ? Number.isInteger(key) : isObject(body);
    if (!container || !Object.hasOwn(body, key)) return ABSENT;
    body = body[key];
  }
  return body;
}

/** Return the id that a server handed out, at a path of what it said. */
function theId(body, ...path) {
  const found = look(body, path);
  if (typeof found !== "string") {
    throw new Undecided(`there is no id at ${path.join(".")} of ${shownValue(body)}`);
  }
  return found;
}

/** Whether two values are the same, but for what a server chooses anew. */
function same(then, now) {
  if (then === ANY) return now !== ABSENT;
  if (Array.isArray(then) && Array.isArray(now)) {
    return then.length === now.length && then.every((value, n) => same(value, now[n]));
  }
  if (isObject(then) && isObject(now)) {
    const keys = Object.keys(then);
    return (
      keys.length === Object.keys(now).length &&
      keys.every((key) => Object.hasOwn(now, key) && same(then[key], now[key]))
    );
  }
  return then === now;
}

/** Whether a value holds all that another does. */
function holds(part, whole) {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.length <= whole.length && part.every((value, n) => holds(value, whole[n]));
  }
  if (isObject(part)) {
    return isObject(whole) && Object.keys(part).every((key) => Object.hasOwn(whole, key) && holds(part[key], whole[key]));
  }
  return same(part, whole);
}

/** Return arguments as people read them, in one line. */
const shown = (args) => args.map(shownValue).join(", ");

/** Return a value as people read it. */
function shownValue(value) {
  if (value === ABSENT) return "nothing";
  const text = (JSON.stringify(value) ?? "null").replace(/[\p{C}\u2028\u2029]/gu, (letter) => {
    return `\\u${letter.codePointAt(0).toString(16).padStart(4, "0")}`;
  });
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`;
}

// -- the stage: users, sessions and encounters, set over HTTP ------------------------------------------

/** The users, sessions and connections of the play, and its ids by their names. */
class Stage {
  run = randomBytes(3).toString("hex");
  users = new Map();
  connections = [];
  ids = {};
  sessions = {}; // what was captured as each was opened

  constructor(server, url) {
    const { origin, pathname } = new URL(url);
    const prefix = server.prefix; // what a proxy adds before every path
    const plain = url.replace(/\/+$/, "");
    this.server = server;
    this.origin = origin;
    this.base = pathname.replace(/\/+$/, "").endsWith(prefix) ? plain : plain + prefix;
    this.socketPath = prefix + server.path;
  }

  /** Open and fill what the recorded scene had. */
  async set() {
    for (const account of Object.keys(this.server.accounts)) await this.user(account);
    for (const [name, session] of Object.entries(this.server.sessions)) {
      const master = session.gamemaster;
      const label = { label: `reproduction-${this.run}` };
      const captured =
        "id" in session
          ? { session: session.id }
          : await this.steps("session.open", await this.user(master), label);
      this.sessions[name] = captured;
      this.ids[name] = String(captured.session);
      let encounter = session.encounter ?? captured.encounter;
      if (encounter === undefined && session["encounter-needed"]) {
        const known = { ...captured, ...label };
        ({ encounter } = await this.steps("encounter.open", await this.user(master), known));
      }
      if (encounter !== undefined) this.ids[name.replace(/session$/, "encounter")] = String(encounter);
    }
  }

  /** Return who an account belongs to, logged in. */
  async user(account) {
    if (this.users.has(account)) return this.users.get(account);
    const given = withEnvironment(this.server.accounts[account]);
    const username = given.username ?? `${account}-${this.run}`;
    const password = given.password ?? randomBytes(12).toString("base64url");
    const user = { account, cookies: new Map(), enrolled: new Set() };
    user.known = { actor: account, run: this.run, username, password };
    this.users.set(account, user);
    if (given.cookie) {
      for (const pair of given.cookie.replace(/^Cookie:/, "").split(";")) {
        const [name, ...value] = pair.split("=");
        user.cookies.set(name.trim(), value.join("=").trim());
      }
    } else {
      Object.assign(user.known, await this.steps(given.new ? "register" : "login", user, {}));
    }
    if (given.user) user.known.user = given.user;
    if (user.known.user === undefined) Object.assign(user.known, await this.steps("whoami", user, {}));
    this.ids[account] = String(user.known.user);
    return user;
  }

  /** Make somebody a member of every session where the account belongs. */
  async enrol(account) {
    const user = await this.user(account);
    for (const [name, session] of Object.entries(this.server.sessions)) {
      if (!session.members.includes(account) || user.enrolled.has(name)) continue;
      user.enrolled.add(name);
      if (!("id" in session)) await this.#aboutMember("membership.add", name, user);
    }
    return user;
  }

  /** Make somebody a member of a session. */
  async add(account, session = "session") {
    say(`  ${account} becomes a member`);
    const user = await this.user(account);
    user.enrolled.add(session);
    await this.#aboutMember("membership.add", session, user);
  }

  /** End somebody's membership of a session. */
  async remove(account, session = "session") {
    say(`  ${account} is removed`);
    await this.#aboutMember("membership.remove", session, await this.user(account));
  }

  /** Delete a session. */
  async delete(session) {
    say(`  the ${session} is deleted`);
    const master = await this.user(this.server.sessions[session].gamemaster);
    await this.steps("session.close", master, this.sessions[session]);
    delete this.sessions[session];
  }

  /** Open another encounter in a session; returns its id. */
  async openEncounter(session) {
    const master = await this.user(this.server.sessions[session].gamemaster);
    const known = { ...this.sessions[session], label: `reproduction-${this.run}` };
    return String((await this.steps("encounter.open", master, known)).encounter);
  }

  /** End somebody's login; who connects again has logged in again. */
  async logOut(account) {
    say(`  ${account} logs out`);
    const user = await this.user(account);
    user.oldCookies = new Map(user.cookies);
    await this.steps("logout", user, {});
    user.loggedOut = true;
  }

  /** Connect with the cookie of an account's login that was ended. */
  async tryOldCookie(name, account, transport = "") {
    const { oldCookies: cookies } = await this.user(account);
    return this.#connected(name, cookieOf({ cookies }), transport, {});
  }

  async #aboutMember(steps, session, user) {
    const master = await this.user(this.server.sessions[session].gamemaster);
    const about = { member: user.known.user, "member-name": user.known.username };
    await this.steps(steps, master, { ...this.sessions[session], ...about }, user);
  }

  /** Connect somebody as a preparation; the account is that of the name, another, or null. */
  async connect(name, account = "", transport = "", headers = {}) {
    const connection = await this.tryConnect(name, account, transport, headers);
    if (connection.refused !== null) throw new Undecided(`${name} could not connect: ${connection.refused}`);
    return connection;
  }

  /** Connect somebody, or find out why that is refused. */
  async tryConnect(name, account = "", transport = "", headers = {}) {
    if (account === null) return this.#connected(name, {}, transport, headers);
    const user = await this.enrol(account || name);
    if (user.loggedOut) {
      user.cookies.clear();
      await this.steps("login", user, {});
      user.loggedOut = false;
    }
    return this.#connected(name, cookieOf(user), transport, headers);
  }

  async #connected(name, cookie, transport, headers) {
    const transports = transport === "upgrade" ? ["polling", "websocket"] : [transport || this.server.transport];
    const connection = new Connection(name, this);
    this.connections.push(connection);
    await connection.open({ ...withEnvironment(this.server.headers), ...cookie, ...headers }, transports);
    return connection;
  }

  /** Return why the server lets nobody connect, or null if it does. */
  async answers() {
    const [account] = this.users.keys();
    return (await this.tryConnect("somebody new", account)).refused;
  }

  /** Close every connection, and delete what was made where the server lets one. */
  async clear() {
    for (const connection of this.connections) connection.close();
    try {
      for (const [name, session] of Object.entries(this.server.sessions)) {
        if (!(name in this.sessions) || "id" in session || !("session.close" in this.server.steps)) continue;
        await this.steps("session.close", await this.user(session.gamemaster), this.sessions[name]);
      }
      for (const user of this.users.values()) {
        const made = this.server.accounts[user.account].new;
        if (made && "unregister" in this.server.steps) await this.steps("unregister", user, {});
      }
    } catch (left) {
      console.log(`not everything could be deleted: ${left.message}`);
    }
  }

  // -- HTTP ----------------------------------------------------------------------------------------

  /** Make the HTTP requests of one name; returns what is captured from their answers. */
  async steps(name, user, known, member = null) {
    if (!(name in this.server.steps)) throw new Undecided(`nothing says how to do ${name}`);
    const captured = {};
    for (const step of this.server.steps[name]) {
      const doer = step.by === "member" && member !== null ? member : user;
      Object.assign(captured, await this.#step(name, step, doer, { ...doer.known, ...known, ...captured }));
    }
    return captured;
  }

  async #step(name, step, user, known) {
    const texts = Object.fromEntries(Object.entries(known).map(([key, value]) => [key, String(value)]));
    const quoted = Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, encodeURIComponent(value)]));
    const path = fill(step.path, quoted);
    const headers = { ...fill(withEnvironment(step.headers ?? {}), texts), ...(await this.#csrf(step.method, user)) };
    let body;
    if ("json" in step) {
      body = JSON.stringify(fill(withEnvironment(step.json), known));
      headers["content-type"] ??= "application/json";
    } else if ("form" in step) {
      body = new URLSearchParams(fill(withEnvironment(step.form), texts));
    }
    const answer = await this.#request(step.method, path, user, headers, body);
    const fine = step.expect?.length ? step.expect.includes(answer.status) : answer.ok;
    if (!fine) {
      const text = answer.text.slice(0, 200).trim();
      throw new Undecided(`${name}: ${step.method} ${path} was answered ${answer.status} ${text}`);
    }
    const sources = Object.entries(step.capture ?? {});
    return Object.fromEntries(sources.map(([key, source]) => [key, captureFrom(source, answer, user)]));
  }

  async #request(method, path, user, headers, body) {
    try {
      const answer = await fetch(this.base + path, {
        method,
        body,
        headers: { ...withEnvironment(this.server.headers), ...cookieOf(user), ...headers },
        redirect: "manual",
        signal: AbortSignal.timeout(2 * PATIENCE),
      });
      for (const line of answer.headers.getSetCookie()) {
        const [pair, ...attributes] = line.split(";");
        const [name, ...value] = pair.split("=");
        const ended = attributes.some((each) => /^\s*max-age\s*=\s*[0-]/i.test(each)) || !value.join("=").trim();
        user.cookies.delete(name.trim());
        if (!ended) user.cookies.set(name.trim(), value.join("=").trim());
      }
      return { status: answer.status, ok: answer.ok, headers: answer.headers, text: await answer.text() };
    } catch (error) {
      throw new Undecided(`${method} ${path} failed: ${error.cause?.message ?? error.message}`);
    }
  }

  async #csrf(method, user) {
    const csrf = this.server.csrf;
    if (csrf === undefined || ["GET", "HEAD", "OPTIONS"].includes(method)) return {};
    if (!user.cookies.has(csrf.cookie) && csrf.path) await this.#request("GET", csrf.path, user, {});
    return user.cookies.has(csrf.cookie) ? { [csrf.header]: user.cookies.get(csrf.cookie) } : {};
  }
}

/** Return the header with all cookies of a user. */
function cookieOf(user) {
  const pairs = [...user.cookies].map(([name, value]) => `${name}=${value}`);
  return pairs.length ? { cookie: pairs.join("; ") } : {};
}

/** Return what stands at a source of an HTTP answer: a JSON pointer, or a cookie, a header or a field of a form. */
function captureFrom(source, answer, user) {
  const [, kind, name] = /^(cookie|header|input):(.*)$/.exec(source) ?? [];
  let found;
  if (kind === "cookie") found = user.cookies.get(name);
  else if (kind === "header") found = answer.headers.get(name);
  else if (kind === "input") found = inputOf(answer.text, name);
  else found = pointedAt(answer.text, source);
  if (found === undefined || found === null || found === "") {
    throw new Undecided(`an answer has nothing at ${source}: ${answer.text.slice(0, 200).trim()}`);
  }
  return found;
}

/** Return what a JSON pointer leads to in a text. */
function pointedAt(text, pointer) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof body !== "object" || body === null || !Object.hasOwn(body, key)) return undefined;
    body = body[key];
  }
  return body;
}

/** Return the value of a field of an HTML form, or of a meta element. */
function inputOf(html, name) {
  for (const [tag] of html.matchAll(/<(?:input|meta)\b[^>]*>/gi)) {
    const attribute = (key) => new RegExp(`\\b${key}\\s*=\\s*["']?([^"'>]*)`, "i").exec(tag)?.[1];
    const value = attribute("value") ?? attribute("content");
    if (attribute("name") === name && value) {
      return value.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
    }
  }
  return undefined;
}

/** Return a copy of a value in which each text is what `change` makes of it. */
function withTexts(value, change) {
  if (Array.isArray(value)) return value.map((inner) => withTexts(inner, change));
  if (isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withTexts(inner, change)]));
  }
  return typeof value === "string" ? change(value) : value;
}

/** Put what is known in place of `{names}`; a number that stands alone stays one. */
function fill(template, known) {
  return withTexts(template, (text) => {
    const alone = /^\{([a-z][a-z0-9_-]*)\}$/.exec(text)?.[1];
    if (alone !== undefined && typeof known[alone] === "number") return known[alone];
    return text.replace(/\{\{|\}\}|\{([a-z][a-z0-9_-]*)\}/g, (found, name) => {
      if (name === undefined) return found[0];
      if (!Object.hasOwn(known, name)) throw new Undecided(`${text} names {${name}}, which nothing defines`);
      return String(known[name]);
    });
  });
}

/** Put variables of the environment in place of `${NAMES}`. */
function withEnvironment(value) {
  return withTexts(value, (text) =>
    text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name) => {
      if (!process.env[name]) throw new Undecided(`the environment variable ${name} is not set`);
      return process.env[name];
    }),
  );
}

// -- the whole -----------------------------------------------------------------------------------------

/** Set the stage, play, and say what came; returns the exit code. */
async function run(server, play) {
  const url = process.argv[2] ?? server.url;
  if (!url) {
    console.log(`usage: node ${process.argv[1]} URL`);
    return UNDECIDED;
  }
  console.log(`${server.what}, on ${url}`);
  if (server.verify === false) process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  let stage;
  try {
    stage = new Stage(server, url);
    await stage.set();
    const [there, came] = await play(stage);
    console.log(`expected: ${server.expected}\ncame:     ${came}`);
    console.log(there ? "the fault is there" : "the fault is mended");
    return there ? THERE : MENDED;
  } catch (why) {
    // exit code 1, that of an error which nobody catches, would say that the fault is there
    console.log(`undecided: ${why instanceof Undecided ? why.message : why}`);
    return UNDECIDED;
  } finally {
    await stage?.clear();
  }
}

// The list of messages: as many rows as fit on the screen, used again and again; one lane a person, and one for the server.

import { who } from "./kept.js";

const LANES = 8; // of people; more of them share the last
const SPARE = 4; // rows above and below what is seen
const MARKS = { success: "✓", failure: "✗", refused: "✗", answered: "↩", open: "…" };
const SAID = {
  success: "accepted",
  failure: "failed",
  refused: "refused",
  answered: "answered, neither with success nor with failure",
  open: "not answered yet",
};
const KINDS = {
  attempt: "tries to connect",
  handshake: "asks for a connection",
  open: "opens the connection",
  upgrade: "changes to WebSocket",
  connect: "connects",
  connected: "accepts the connection",
  "connect-error": "refuses the connection",
  ack: "answers",
  disconnect: "disconnects",
  close: "ends the connection",
  unreadable: "cannot be read from here on",
};

export class List {
  constructor(box, rows, heads, kept) {
    [this.box, this.rows, this.heads, this.kept] = [box, rows, heads, kept];
    this.following = true;
    this.selected = 0; // number of a message
    this.broken = new Set(); // numbers of messages
    this.height = 36; // of a row, in pixels
    this.lanes = ""; // the names above them
    this.expected = -1; // where this list itself has scrolled to
  }

  get length() {
    return this.kept.shown.length - this.kept.later;
  }

  measure() {
    const one = this.rows.firstElementChild ?? this.#grow();
    one.hidden = false;
    this.height = one.offsetHeight || this.height;
  }

  draw() {
    const { box, rows, height, length } = this;
    this.#drawHeads();
    rows.style.height = `${length * height}px`;
    if (this.following) {
      box.scrollTop = box.scrollHeight;
      this.expected = box.scrollTop;
    }
    const first = Math.max(0, Math.floor((box.scrollTop - rows.offsetTop) / height) - SPARE);
    const many = Math.ceil(box.clientHeight / height) + 2 * SPARE;
    while (rows.childElementCount < many) this.#grow();
    let place = first;
    for (const element of rows.children) {
      this.#drawRow(element, place < Math.min(length, first + many) ? this.kept.shown[place] : undefined, place);
      place += 1;
    }
    const active = [...rows.children].find((element) => !element.hidden && element.number === this.selected);
    if (active) rows.setAttribute("aria-activedescendant", active.id);
    else rows.removeAttribute("aria-activedescendant");
  }

  scrolled() {
    if (Math.abs(this.box.scrollTop - this.expected) < 2) return;
    this.following = this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - this.height;
  }

  follow() {
    this.following = true;
  }

  to(place) {
    if (place < 0 || place >= this.length) return;
    const { box, rows, height } = this;
    rows.style.height = `${this.length * height}px`;
    const [top, bottom] = [place * height, (place + 1) * height + rows.offsetTop];
    if (top < box.scrollTop) box.scrollTop = top;
    else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
    this.following = place === this.length - 1 && this.following;
  }

  select(number) {
    this.selected = number;
    if (number) {
      this.following = false;
      this.to(this.kept.placeOf(number));
    }
  }

  step(key) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 2);
    const now = this.selected ? this.kept.placeOf(this.selected) : this.length;
    const steps = { ArrowUp: now - 1, ArrowDown: now + 1, PageUp: now - page, PageDown: now + page, Home: 0, End: Infinity };
    if (!(key in steps) || !this.length) return 0;
    return this.kept.shown[Math.min(this.length - 1, Math.max(0, steps[key]))].number;
  }

  numberAt(element) {
    return element.closest("li")?.number ?? 0;
  }

  focus() {
    this.rows.focus({ preventScroll: true });
  }

  #grow() {
    const element = document.createElement("li");
    element.setAttribute("role", "option");
    element.id = `row-${this.rows.childElementCount}`;
    for (const [tag, name] of [["small", ""], ["b", ""], ["span", "wire"], ["em", ""], ["i", ""], ["bdi", ""]]) {
      const part = document.createElement(tag);
      if (name) part.className = name;
      element.append(part);
    }
    this.rows.append(element);
    return element;
  }

  #drawHeads() {
    const names = this.kept.lanes;
    const shown = [...(names.length > LANES ? [...names.slice(0, LANES - 1), "others"] : names), "server"];
    if (shown.join("\n") === this.lanes) return;
    this.lanes = shown.join("\n");
    this.heads.replaceChildren(
      ...shown.map((name) => {
        const head = document.createElement("b");
        head.textContent = head.title = name;
        return head;
      }),
    );
    this.heads.lastElementChild.className = "server";
    this.box.style.setProperty("--n", shown.length);
    this.box.classList.toggle("many", shown.length > 6);
  }

  #drawRow(element, row, place) {
    element.hidden = !row;
    if (!row) {
      element.number = 0;
      return;
    }
    const outcome = row.outcome || (row.kind === "event" && row.ackId !== null ? "open" : "");
    const state = `${row.number} ${outcome} ${row.number === this.selected} ${this.broken.has(row.number)} ${place} ${this.lanes} ${this.height}`;
    if (element.state === state) return;
    element.state = state;
    element.number = row.number;
    element.style.transform = `translateY(${place * this.height}px)`;
    element.style.setProperty("--i", Math.min(this.kept.laneOf(row), LANES - 1));
    element.className = [
      row.sender,
      `is-${row.kind}`,
      outcome || (row.kind === "event" && row.sender === "server" ? "heard" : "plain"),
      this.broken.has(row.number) ? "broke" : "",
    ].join(" ");
    const [at, person, , name, mark, text] = element.children;
    at.textContent = row.at.toFixed(3);
    person.textContent = who(row);
    name.textContent = label(row);
    mark.textContent = MARKS[outcome] ?? "";
    text.textContent = row.text;
    element.setAttribute("aria-label", sentence(row, outcome));
    element.setAttribute("aria-selected", String(row.number === this.selected));
    element.setAttribute("aria-posinset", place + 1);
    element.setAttribute("aria-setsize", this.length);
  }
}

export const label = (row) => {
  if (row.kind === "event" || row.kind === "act" || row.kind === "request") return row.event;
  if (row.kind === "ack") return row.event ? `ack ${row.event}` : "ack";
  if (row.kind === "response") return `answers ${row.event}`;
  return KINDS[row.kind] ?? row.kind;
};

export function sentence(row, outcome) {
  const director = row.act ? `director, in ${who(row)}` : "director";
  const from = row.sender === "client" ? who(row) : row.sender === "tap" ? director : `server to ${who(row)}`;
  const connection = row.connection ? `, connection ${row.connection}` : "";
  return `${row.at.toFixed(3)} s, ${from}${connection}: ${label(row)}${outcome ? `, ${SAID[outcome]}` : ""}`;
}

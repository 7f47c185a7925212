// One message in full: what is known of it, its payload laid out in lines, and the way to its answer.

import { who } from "./kept.js";
import { label } from "./list.js";

const MOST = 20_000; // characters that are laid out in lines; more stands as it came

export class Message {
  constructor(aside, kept) {
    [this.aside, this.kept] = [aside, kept];
    const at = (selector) => aside.querySelector(selector);
    [this.name, this.facts, this.cut, this.payload] = ["#name", "#facts", "#cut", "#payload"].map(at);
    [this.partner, this.copy, this.closes] = ["#partner", "#copy", "#close"].map(at);
    this.row = undefined;
    this.closes.addEventListener("click", () => this.#leave());
    aside.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#leave();
    });
    this.copy.addEventListener("click", () => this.#copy());
    this.partner.addEventListener("click", () => this.asked(this.row.partner));
  }

  whenClosed(call) {
    this.closed = call;
  }

  whenAsked(call) {
    this.asked = call;
  }

  async show(row) {
    this.row = row;
    this.aside.hidden = false;
    this.name.textContent = label(row);
    this.#facts(row);
    this.payload.textContent = row.text;
    this.payload.hidden = this.copy.hidden = !row.text;
    this.cut.hidden = true;
    this.refresh();
    let text;
    let cut = false;
    try {
      const answer = await fetch(`packets/${row.number}`);
      if (answer.ok) ({ text, cut } = await answer.json());
      else text = `${row.text}\n\n${await answer.text()}`;
    } catch {
      text = `${row.text}\n\nThe tap does not answer: this is the beginning, as far as the list has it.`;
    }
    if (this.row !== row) return; // another one was chosen meanwhile
    this.payload.textContent = text.length <= MOST && isJson(text) ? inLines(text) : text;
    this.cut.hidden = !cut;
  }

  missing(number) {
    this.row = undefined;
    this.aside.hidden = false;
    this.name.textContent = `Message ${number}`;
    this.facts.replaceChildren();
    this.payload.textContent = "This page does not keep that message any more.";
    this.payload.hidden = false;
    this.cut.hidden = this.partner.hidden = this.copy.hidden = true;
    this.focus();
  }

  refresh() {
    const partner = this.row?.partner;
    this.partner.hidden = !partner;
    this.partner.textContent = this.row?.kind === "ack" ? "To what it answers" : "To its answer";
  }

  focus() {
    if (!this.aside.hidden) this.aside.focus();
  }

  reveal() {
    const below = this.aside.offsetTop > this.aside.previousElementSibling.offsetTop; // on a narrow screen
    if (below) this.aside.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.aside.hidden = true;
    this.row = undefined;
  }

  #leave() {
    this.close();
    this.closed();
  }

  #facts(row) {
    const facts = [
      ["Message", `${row.number}, after ${row.at.toFixed(3)} s`],
      ["From", row.sender === "client" ? who(row) : row.sender],
      ["To", { client: "server", server: who(row) }[row.sender] ?? ""],
      ["Act", this.kept.acts.get(row.act) ?? ""],
      ["Connection", row.connection ? `${row.connection}${row.transport && `, ${row.transport}`}` : ""],
      ["Kind", row.kind],
      ["Ack number", row.ackId === null ? "" : String(row.ackId)],
    ];
    this.facts.replaceChildren(
      ...facts
        .filter(([, value]) => value)
        .flatMap(([name, value]) => {
          const [term, about] = [document.createElement("dt"), document.createElement("dd")];
          term.textContent = name;
          about.textContent = value;
          return [term, about];
        }),
    );
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.payload.textContent);
      this.copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(this.payload);
      this.copy.textContent = "Selected";
    }
    setTimeout(() => { this.copy.textContent = "Copy the payload"; }, 2000);
  }
}

// Lays JSON out in lines and changes nothing else in it: no number is rounded, no double property lost.
export function inLines(text) {
  let [out, depth] = ["", 0];
  for (const [part] of text.matchAll(/"(?:[^"\\]|\\.)*"?|[[\]{},:]|[^"[\]{},:\s]+/gs)) {
    if (part === "{" || part === "[") {
      depth += 1;
      out += part + line(depth);
    } else if (part === "}" || part === "]") {
      depth = Math.max(0, depth - 1);
      out = /[[{]\s*$/.test(out.slice(-200)) ? out.trimEnd() + part : out + line(depth) + part;
    } else if (part === ",") out += part + line(depth);
    else if (part === ":") out += ": ";
    else out += part;
  }
  return out;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const line = (depth) => `\n${"  ".repeat(Math.min(depth, 20))}`;

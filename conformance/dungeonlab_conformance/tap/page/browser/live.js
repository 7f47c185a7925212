// Wires the page together: what the stream brings, what buttons and keys do. All text from outside goes into textContent.

import { Kept } from "./kept.js";
import { List } from "./list.js";
import { Message } from "./message.js";
import { Requirements } from "./requirements.js";
import { wireTheme } from "./theme.js";

const at = (id) => document.getElementById(id);
const kept = new Kept();
const list = new List(at("box"), at("messages"), at("heads"), kept);
const message = new Message(at("message"), kept);
const requirements = new Requirements(at("requirements"), show);
const form = at("filters");
const connections = form.elements.connection;
const acts = form.elements.act;
let paused = false;
let waiting = false; // for the next frame

function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    list.draw();
    const { shown, rows, lost } = kept;
    const more = kept.later;
    at("nothing").hidden = shown.length > 0;
    at("nothing").textContent = rows.length
      ? "Nothing that passed fits the filter."
      : "Nothing has passed yet. Let a client connect to the tap.";
    const parts = [`${amount(shown.length - more)} of ${amount(rows.length)} messages shown`];
    if (more) parts.push(`${amount(more)} more since the pause`);
    if (lost) parts.push(`${amount(lost)} older ones are no longer kept`);
    at("count").textContent = parts.join("; ");
  });
}

const amount = (number) => number.toLocaleString("en");

function show(number) {
  if (!kept.find(number)) {
    message.missing(number);
    return;
  }
  if (kept.placeOf(number) < 0) {
    form.reset();
    refilter();
  }
  if (kept.placeOf(number) >= list.length) pause(false);
  select(number);
  list.focus();
}

function select(number) {
  list.select(number);
  const row = kept.find(number);
  if (row) message.show(row);
  draw();
}

function refilter() {
  kept.filter(acts.value, connections.value, form.elements.words.value);
  list.to(kept.placeOf(list.selected));
  draw();
}

function pause(wish) {
  paused = wish;
  kept.hold(paused);
  at("pause").setAttribute("aria-pressed", String(paused));
  at("pause").textContent = paused ? "Go on" : "Pause";
  draw();
}

function offerChoices() {
  offer(connections, new Map([...kept.connections].map(([value, { label }]) => [value, label])));
  offer(acts, new Map([...kept.acts].map(([number, name]) => [String(number), name])));
  acts.parentElement.hidden = kept.acts.size === 0;
}

function offer(select, labels) { // those that are there stay, since somebody may be about to choose one
  const chosen = select.value;
  for (const option of [...select.options]) if (option.value && labels.get(option.value) !== option.text) option.remove();
  const there = new Set([...select.options].map(({ value }) => value));
  for (const [value, label] of labels) if (!there.has(value)) select.append(new Option(label, value));
  if (select.value !== chosen) {
    select.value = ""; // it is offered no more: back to all
    refilter();
  }
}

async function carryOut(name) {
  const said = at("acted");
  try {
    const answer = await fetch(`acts/${encodeURIComponent(name)}`, { method: "POST" });
    said.textContent = await answer.text();
    said.className = answer.ok ? "" : "failed";
  } catch {
    said.textContent = "The tap does not answer; nothing was done.";
    said.className = "failed";
  }
}

function begin({ subject, acts: offered, anew }) {
  at("subject").textContent = `What passes between ${subject}`;
  document.title = `Live: ${subject}`;
  if (anew) {
    kept.clear();
    message.close();
    offerChoices();
    refilter();
  }
  at("director").hidden = offered.length === 0;
  at("acts").replaceChildren(
    ...offered.map(({ name, label, explains }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.title = explains;
      button.dataset.act = name;
      button.addEventListener("click", () => carryOut(name));
      return button;
    }),
  );
}

function state(text, name) {
  at("link").textContent = text;
  at("link").className = `link ${name}`;
}

const source = new EventSource("stream");
source.addEventListener("open", () => state("Live", "on"));
source.addEventListener("begin", (event) => begin(JSON.parse(event.data)));
source.addEventListener("requirements", (event) => {
  const standing = JSON.parse(event.data);
  requirements.show(standing);
  list.broken = new Set(standing.requirements.map(({ packet }) => packet).filter(Boolean));
  draw();
});
source.addEventListener("rows", (event) => {
  const { lost, rows } = JSON.parse(event.data);
  if (kept.add(rows, lost)) offerChoices();
  if (list.selected) message.refresh();
  draw();
});
source.addEventListener("end", () => {
  source.close();
  state("The tap has ended. What was seen stays here until you close this page.", "off");
  at("recording").hidden = true;
});
source.addEventListener("error", async () => {
  if (source.readyState !== EventSource.CLOSED) {
    state("The tap does not answer. What was seen stays here; it is tried again.", "off");
    return;
  }
  try {
    const answer = await fetch("stream");
    if (answer.ok) await answer.body.cancel();
    state(answer.ok ? "Load this page again." : await answer.text(), "off"); // the sentence that says why
  } catch {
    state("The tap does not answer. Load this page again once it runs.", "off");
  }
});

for (const event of ["input", "change"]) form.addEventListener(event, refilter); // not all send both for a choice
form.addEventListener("submit", (event) => event.preventDefault());
at("pause").addEventListener("click", () => pause(!paused));
at("end").addEventListener("click", () => {
  pause(false);
  list.follow();
  draw();
});
at("box").addEventListener("scroll", () => {
  list.scrolled();
  draw();
});
new ResizeObserver(() => {
  list.measure();
  draw();
}).observe(at("box"));
at("messages").addEventListener("click", (event) => {
  const number = list.numberAt(event.target);
  if (!number) return;
  select(number);
  message.reveal();
});
at("messages").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" && list.selected) {
    message.focus();
  } else if (event.key === "p" || event.key === "P") {
    pause(!paused);
  } else {
    const number = list.step(event.key);
    if (!number) return;
    select(number);
  }
  event.preventDefault();
});
message.whenClosed(() => {
  list.select(0);
  list.focus();
  draw();
});
message.whenAsked(show);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, select")) return;
  event.preventDefault();
  form.elements.words.focus();
});
for (const box of document.querySelectorAll(".states details")) box.open ||= matchMedia("(min-width: 60rem)").matches;
wireTheme(at("theme"));
list.measure();
draw();

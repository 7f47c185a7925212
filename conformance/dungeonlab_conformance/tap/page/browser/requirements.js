// What is demanded of clients: what is broken, with the message that broke it; what to do to see the rest; what holds.

const MARKS = { broken: "✗", warned: "!", "not seen": "?", held: "✓" };
const BOXES = { broken: "#broken", "not seen": "#unseen", held: "#held" };

export class Requirements {
  constructor(section, lead) {
    [this.section, this.lead] = [section, lead]; // `lead` to the message with a number
    this.said = new Set();
  }

  show({ fault, requirements }) {
    const notice = this.section.querySelector("#fault");
    notice.hidden = !fault;
    notice.textContent = fault;
    for (const [state, place] of Object.entries(BOXES)) {
      const those = requirements.filter((each) => each.state === state);
      const box = this.section.querySelector(place);
      box.querySelector("summary b").textContent = those.length;
      box.classList.toggle("none", those.length === 0);
      box.querySelector("ul").replaceChildren(...those.map((each) => this.#item(each)));
    }
    const fresh = requirements.filter(({ state, requirement }) => state === "broken" && !this.said.has(requirement));
    for (const { requirement } of fresh) this.said.add(requirement);
    if (fresh.length) {
      this.section.querySelector("#broke").textContent = `Broken: ${fresh.map(({ says }) => says).join(" ")}`;
    }
  }

  #item({ requirement, state, level, says, sentence, packet }) {
    const item = document.createElement("li");
    const warned = state === "broken" && level !== "MUST";
    if (warned) item.className = "warn";
    item.append(part("span", MARKS[warned ? "warned" : state], "mark"), part("code", requirement), " ", part("span", level, "level"));
    item.append(part("p", says));
    if (sentence) item.append(part("p", sentence, state === "not seen" ? "todo" : "got"));
    if (packet) {
      const button = part("button", `Show message ${packet}`);
      button.type = "button";
      button.addEventListener("click", () => this.lead(packet));
      item.append(button);
    }
    return item;
  }
}

function part(tag, text, name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}

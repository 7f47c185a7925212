// The page: takes a seat with what its address says behind the `#`, and shows what it hears.

import { Table } from "./table";

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

const asked = new URLSearchParams(location.hash.slice(1));
const named = (name: string): string => asked.get(name) ?? "";
const transport = named("transport");

const table = new Table({
  url: named("url"),
  sessionId: named("session"),
  encounterId: named("encounter"),
  leaves: named("act") === "moved-on",
  transports: transport === "upgrade" ? ["polling", "websocket"] : [transport],
  show: (state) => {
    element("state").textContent = state;
  },
  tell: (line) => {
    const heard = element("heard");
    heard.append(Object.assign(document.createElement("li"), { textContent: line }));
    if (heard.childElementCount > 50) heard.firstElementChild?.remove();
  },
});
await table.logIn(named("username"), named("password"));
await table.play();

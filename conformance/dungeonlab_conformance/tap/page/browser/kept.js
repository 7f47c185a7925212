// The messages that the page keeps: the newest, each with what became of it, and those that the filter lets through.

const MOST = 100_000;
const PEOPLE = 500; // and connections, each known by name
const SLACK = 5_000; // so many at once are dropped, since each time costs as much

export class Kept {
  constructor() {
    this.clear();
    this.filter("", "", "");
  }

  clear() {
    this.rows = []; // by number, without gaps but for what was lost
    this.shown = []; // of these, what fits the filter
    this.lost = 0;
    this.newest = Infinity; // number of the newest message when the page was paused
    this.acts = new Map(); // number → name, of what is played with a program
    this.people = new Map(); // name → the act in which they were seen, in the order in which they came
    this.connections = new Map(); // value of the choice → label, and whose it is
    this.open = new Map(); // requests that are not answered yet, by who asked, connection and number
  }

  add(arrays, lost) { // returns whether there are other connections, or acts, to choose from now
    this.lost += lost;
    let others = false;
    for (const [number, at, sender, kind, connection, user, transport, event, ackId, outcome, text, act] of arrays) {
      const row = { number, at, sender, kind, connection, user, transport, event, ackId, outcome, text, act, partner: 0 };
      this.rows.push(row);
      others = this.#meet(row) || others;
      this.#answer(row);
      if (this.#fits(row)) this.shown.push(row);
    }
    if (this.rows.length > MOST + SLACK) this.#drop(this.rows.length - MOST);
    return others;
  }

  filter(act, connection, words) {
    this.act = act;
    this.connection = connection;
    this.words = words.trim().toLowerCase();
    this.shown = this.rows.filter((row) => this.#fits(row));
  }

  get later() { // how many of those shown came since the pause
    return this.newest === Infinity ? 0 : this.shown.length - lowest(this.shown, this.newest + 1);
  }

  hold(held) {
    this.newest = held ? (this.rows.at(-1)?.number ?? 0) : Infinity;
  }

  find(number) {
    return this.rows[place(this.rows, number)];
  }

  placeOf(number) {
    return place(this.shown, number);
  }

  get lanes() { // the names of people in their order; of a single connection, one
    const owner = this.owner;
    if (owner) return [owner];
    return [...this.people].filter(([, act]) => !this.act || String(act) === this.act).map(([name]) => name);
  }

  laneOf(row) {
    const lane = this.owner ? 0 : this.lanes.indexOf(who(row));
    return lane < 0 ? PEOPLE : lane;
  }

  get owner() {
    return this.connection === "0" ? "" : (this.connections.get(this.connection)?.person ?? "");
  }

  #fits(row) {
    if (this.act && String(row.act) !== this.act) return false;
    if (this.connection && String(row.connection) !== this.connection) {
      if (row.sender !== "tap" || row.act !== (this.connections.get(this.connection)?.act ?? row.act)) return false;
    }
    return !this.words || `${row.event} ${row.text} ${row.kind} ${who(row)}`.toLowerCase().includes(this.words);
  }

  #meet(row) {
    const begins = row.act && row.kind === "act" && row.event === "begin";
    if (begins) this.acts.set(row.act, row.text);
    const act = row.act ? (this.acts.get(row.act) ?? `act ${row.act}`) : "";
    const user = row.user || "no login";
    row.person = !act ? user : row.sender === "tap" || user === "user-1" ? act : `${act}: ${user}`; // one program an act
    if (row.sender === "tap") return Boolean(begins);
    if (!this.people.has(who(row)) && this.people.size < PEOPLE) this.people.set(who(row), row.act);
    const value = String(row.connection);
    if (this.connections.has(value)) return false;
    const label = row.connection ? `${row.connection}: ${who(row)}` : "none: HTTP, attempts";
    this.connections.set(value, { label, person: who(row), act: row.connection ? row.act : undefined });
    if (this.connections.size > PEOPLE) this.connections.delete(this.connections.keys().next().value);
    return true;
  }

  #answer(row) {
    if (row.ackId === null) return;
    if (row.kind === "event") {
      this.open.set(`${row.sender} ${row.connection} ${row.ackId}`, row);
      return;
    }
    if (row.kind !== "ack") return;
    const key = `${row.sender === "server" ? "client" : "server"} ${row.connection} ${row.ackId}`;
    const request = this.open.get(key);
    if (!request) return;
    request.outcome = row.outcome;
    request.partner = row.number;
    row.partner = request.number;
    this.open.delete(key);
  }

  #drop(many) {
    const first = this.rows[many].number;
    this.rows.splice(0, many);
    this.lost += many;
    this.shown.splice(0, lowest(this.shown, first));
    for (const [key, row] of this.open) if (row.number < first) this.open.delete(key);
  }
}

export const who = (row) => row.person;

function place(rows, number) {
  const found = lowest(rows, number);
  return rows[found]?.number === number ? found : -1;
}

function lowest(rows, number) { // the place of the first with that number, or a higher one
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

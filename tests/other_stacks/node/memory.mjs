// What a database would do for the server: rows that have to be awaited, and work that must not be mixed up.

import { randomBytes } from "node:crypto";
import { setImmediate as soon } from "node:timers/promises";

export const newId = () => randomBytes(12).toString("hex");

export const isMember = (session, userId) =>
  session.gameMasterId === userId || session.participantIds.includes(userId);

/** Rows by id. A row is never changed in place: what has been handed out stays as it was. */
export class Table {
  #rows = new Map();

  async get(id) {
    await soon();
    return this.#rows.get(id);
  }

  async find(wanted) {
    await soon();
    return [...this.#rows.values()].find(wanted);
  }

  async save(row) {
    await soon();
    this.#rows.set(row.id, row);
    return row;
  }

  async delete(id) {
    await soon();
    this.#rows.delete(id);
  }
}

/** Lets pieces of work under the same key have their turns, one after the other. */
export class Turns {
  #last = new Map();

  take(key, work) {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const over = turn.catch(() => {}).then(() => this.#last.get(key) === over && this.#last.delete(key));
    this.#last.set(key, over);
    return turn;
  }
}

// What users import: is this payload what the protocol says, and if not, what is wrong with it?
//
// Validators that ajv compiled ahead decide, and stop at the first fault; explanation.js explains what they refused.
// No code is made at run time: a strict content security policy allows this package.

import * as deciders from "../build/deciders.js";
import { explain } from "./explanation.js";
import { isObject, readAsJson } from "./json.js";
import { events, failure, protocol } from "./payloads.json";
import { closest } from "./spelling.js";
import { violation } from "./violation.js";

const DIRECTIONS = ["request", "ack", "emission"];
const ROOT = { path: "$", pointer: "" };
const EVENTS = new Map(Object.entries(events).map(([name, row]) => [name, new Map(Object.entries(row))]));

/** The version of the protocol. */
export const protocolVersion = protocol;

/** What `assertValid` throws: `violations` says what is wrong. */
export class InvalidPayload extends Error {
  constructor(event, direction, violations) {
    super(`${event} ${direction}: ${violations.map(({ message }) => message).join("; ")}`);
    this.name = "InvalidPayload";
    this.event = event;
    this.direction = direction;
    this.violations = violations;
  }
}

/** Return what is wrong with a payload; an empty array if nothing is. */
export function validate(event, payload, direction = "request") {
  const usual = definitionOf(event, direction);
  const { value, fault } = readAsJson(payload);
  if (fault) return [fault];
  const name = direction === "ack" && isObject(value) && value.success === false ? failure : usual;
  if (deciders[name](value)) return [];
  const found = explain(name, value);
  return found.length > 0 ? found : [violation(ROOT, `a valid ${name}`, "another")];
}

/** Throw an `InvalidPayload` if something is wrong with a payload. */
export function assertValid(event, payload, direction = "request") {
  const found = validate(event, payload, direction);
  if (found.length > 0) throw new InvalidPayload(event, direction, found);
}

function definitionOf(event, direction) {
  const row = EVENTS.get(event);
  if (!row) {
    const meant = didYouMean(event, [...EVENTS.keys()]);
    throw new RangeError(`there is no event ${quoted(event)} in the catalogue${meant}`);
  }
  if (!DIRECTIONS.includes(direction)) {
    throw new RangeError(`there is no direction ${quoted(direction)}${didYouMean(direction, DIRECTIONS)}`);
  }
  if (!row.has(direction)) throw new RangeError(`${event} has no ${direction}; it has ${[...row.keys()].join(", ")}`);
  return row.get(direction);
}

function didYouMean(word, known) {
  const found = closest(String(word), known);
  return found ? `; did you mean ${quoted(found)}?` : `; there are ${known.map(quoted).join(", ")}`;
}

function quoted(word) {
  return typeof word === "string" ? JSON.stringify(word) : String(word);
}

// The protocol as data, read from spec/: the catalogue's events, the definitions of payloads, the HTTP side; and what a refusal is.

import { readdirSync, readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";

const SPEC = new URL("../../../spec/dungeonlab_spec/", import.meta.url);
const DEEPEST = 500; // levels; what is much deeper overflows a reader's stack
const STATUS = {
  VALIDATION_ERROR: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
};

const read = (file) => JSON.parse(readFileSync(new URL(file, SPEC), "utf8"));

/** The catalogue's events by name. */
export const events = Object.fromEntries(read("events.json").events.map((event) => [event.name, event]));

/** The HTTP side, described in OpenAPI 3.1. */
export const description = read("http.openapi.json");

/** A validator that knows every schema of the spec by the reference the catalogue uses. */
export function validator(options = {}) {
  const ajv = new Ajv2020({ strictTypes: false, formats: { "date-time": true }, ...options });
  for (const file of readdirSync(new URL("definitions/", SPEC))) ajv.addSchema(read(`definitions/${file}`), file);
  return ajv;
}

/** Why a request is turned down, over HTTP or over the socket. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }

  get status() {
    return STATUS[this.code] ?? 404;
  }
}

/** Whether a value is JSON through and through: no binary, no infinity (1e999), no half of a surrogate pair. */
export function isJson(value, depth = 0) {
  if (typeof value === "string") return !/\p{Surrogate}/u.test(value);
  if (typeof value === "number") return Number.isFinite(value);
  if (value === null || typeof value !== "object") return true;
  if (depth > DEEPEST) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.entries(value).every(([key, item]) => isJson(key) && isJson(item, depth + 1));
}

// Values as JSON has them: what is none, what JSON leaves out, and which values are alike.

import { beginning, DEEPEST, lengthOf, pointerTo, SHOWN, violation } from "./violation.js";

const LONGEST_PATH = 400; // characters, after which a path ends in an ellipsis

/** Whether a value is an object of JSON. */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Return a payload as it will be sent, under `value`: without properties that are undefined. If JSON cannot hold it,
 * return what is wrong with it under `fault`. No depth is too much.
 */
export function readAsJson(payload) {
  const around = new Set(); // containers that are being looked through
  const ahead = [{ value: payload, above: null, key: null }];
  let complete = true;
  while (ahead.length > 0) {
    const place = ahead.pop();
    if (place.left) {
      around.delete(place.left);
      continue;
    }
    const unfit = unfitFor(place.value, around);
    if (unfit) return { fault: violation({ path: pathOf(place), pointer: pointerOf(place) }, ...unfit) };
    if (typeof place.value === "object" && place.value !== null) {
      around.add(place.value);
      ahead.push({ left: place.value });
      complete = lookInside(place, ahead) && complete;
    }
  }
  return { value: complete ? payload : withoutUndefined(payload) };
}

/** Whether no two items of a list are alike, however many there are. */
export function areUnlike(list) {
  return new Set(list.map((item) => canonical(item, 0))).size === list.length;
}

/** Add what is inside a container to what lies ahead; return whether all of it will be sent. */
function lookInside(place, ahead) {
  if (Array.isArray(place.value)) {
    for (let key = 0; key < place.value.length; key++) ahead.push({ value: place.value[key], above: place, key });
    return true;
  }
  let complete = true;
  for (const [key, value] of Object.entries(place.value)) {
    if (value === undefined) complete = false;
    else ahead.push({ value, above: place, key });
  }
  return complete;
}

/** Return what was expected in place of a value, and what it is; null if JSON can hold it. */
function unfitFor(value, around) {
  if (typeof value === "string") return isWellFormed(value) ? null : ["text in Unicode", "a lone surrogate"];
  if (typeof value === "number") return Number.isFinite(value) ? null : ["a finite number", String(value)];
  if (value === null || typeof value === "boolean") return null;
  if (typeof value !== "object") return ["a JSON value", typeof value];
  if (around.has(value)) return ["a JSON value", "a value inside itself"];
  if (Array.isArray(value)) return null;
  const kind = Object.prototype.toString.call(value).slice("[object ".length, -1); // such as Map, Date, ArrayBuffer
  if (kind !== "Object") return ["a JSON value", kind];
  if (typeof value.toJSON === "function") return ["a JSON value", `${value.constructor?.name ?? kind} with toJSON`];
  const odd = Object.keys(value).find((key) => !isWellFormed(key));
  return odd === undefined ? null : ["property names in Unicode text", beginning(JSON.stringify(odd), SHOWN)];
}

function isWellFormed(text) {
  return !/\p{Surrogate}/u.test(text);
}

/** Return the path of a place; no very long one, since names in it may be of any length. */
function pathOf(place) {
  const keys = [];
  for (let here = place; here.above; here = here.above) keys.push(here.key);
  let path = "$";
  for (const [level, key] of keys.reverse().entries()) {
    const step = typeof key === "number" ? `[${key}]` : beginning(`.${key}`, SHOWN);
    const fits = level < DEEPEST && lengthOf(path) < LONGEST_PATH;
    path = fits ? path + step : `${path.replace(/…$/, "")}…`;
  }
  return path;
}

/** Return a place as a pointer; of one that lies very deep, the last part of it. */
function pointerOf(place) {
  let pointer = "";
  let here = place;
  for (let count = 0; here.above && count < DEEPEST; count++, here = here.above) {
    pointer = pointerTo(typeof here.key === "number" ? here.key : beginning(here.key, SHOWN)) + pointer;
  }
  return here.above ? `…${pointer}` : pointer;
}

/** Copy a payload without what is undefined. */
function withoutUndefined(payload) {
  const copies = new Map();
  const copyOf = (value) => {
    if (typeof value !== "object" || value === null) return value;
    if (!copies.has(value)) copies.set(value, Array.isArray(value) ? [] : Object.create(null));
    return copies.get(value);
  };
  const found = copyOf(payload);
  for (const [original, copy] of copies) {
    for (const [key, value] of Object.entries(original)) if (value !== undefined) copy[key] = copyOf(value);
  }
  return found;
}

/** Return a text that is the same for values that are alike; what is too deep counts as empty. */
function canonical(value, level) {
  if (Array.isArray(value)) {
    return `[${level > DEEPEST ? "" : value.map((item) => canonical(item, level + 1)).join()}]`;
  }
  if (!isObject(value)) return JSON.stringify(value);
  const keys = level > DEEPEST ? [] : Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key], level + 1)}`).join()}}`;
}

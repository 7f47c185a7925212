// What only JavaScript has, and what is odd: the package for npm says what is wrong with it, and is quick.
//
// Usage: node --disallow-code-generation-from-strings package_values.mjs PACKAGE

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const folder = process.argv[2];
const { assertValid, InvalidPayload, protocolVersion, validate } = await import(join(folder, "dist/index.js"));
const required = createRequire(import.meta.url)(folder);

const chat = (message) => validate("chat-message", { sessionId: "session-1", message }).map((found) => found.message);
const update = (updates) => validate("token:update", { sessionId: "s", encounterId: "e", tokenId: "t", updates });
const nested = (value, levels) => Array.from({ length: levels }).reduce((inner) => [inner], value);
const inside = {};
inside.again = inside;
class Point {
  x = 1;
  y = 2;
  get elevation() {
    return "of the class, and not sent";
  }
}
class Money {
  toJSON() {
    return 1;
  }
}

// what JSON cannot hold, or would change on the way
for (const [value, expected, got] of [
  [undefined, "a value", "missing"],
  [NaN, "a finite number", "NaN"],
  [-Infinity, "a finite number", "-Infinity"],
  [5n, "a JSON value", "bigint"],
  [Symbol("x"), "a JSON value", "symbol"],
  [() => {}, "a JSON value", "function"],
  [new Date(), "a JSON value", "Date"],
  [new Map(), "a JSON value", "Map"],
  [new Uint8Array(2), "a JSON value", "Uint8Array"],
  [new Money(), "a JSON value", "Money with toJSON"],
  ["\ud800", "text in Unicode", "a lone surrogate"],
]) {
  assert.deepEqual(chat(value), [`$.message: expected ${expected}, got ${got}`]);
}
assert.equal(validate("chat-message", { "a/b~": [5n] })[0].pointer, "/a~1b~0/0");
assert.equal(validate("chat-message", nested(5n, 70))[0].pointer, `…${"/0".repeat(64)}`);
assert.deepEqual(chat([undefined]), ["$.message[0]: expected a JSON value, got undefined"]);
assert.deepEqual(chat({ "\udfff": 1 }), ['$.message: expected property names in Unicode text, got "\\udfff"']);
assert.deepEqual(chat(inside), ["$.message.again: expected a JSON value, got a value inside itself"]);
assert.deepEqual(validate("chat-message")[0].message, "$: expected a JSON value, got undefined");

// what is sent as if it were a plain object
assert.equal(update({ name: "Orc", data: { nothing: undefined, twice: [undefined] } }).length, 1);
assert.deepEqual(update({ name: "Orc", imageUrl: undefined, data: { nothing: undefined } }), []);
assert.deepEqual(update({ name: undefined })[0].expected, "at least one of name, imageUrl, size, isVisible, data");
assert.deepEqual(update(Object.assign(Object.create(null), { name: "Orc" })), []);
assert.deepEqual(
  validate("token:move", { sessionId: "s", encounterId: "e", tokenId: "t", position: new Point() }),
  [],
);
assert.deepEqual(update({ data: JSON.parse('{"__proto__": {"name": 5}}') }), []);
assert.equal(validate("chat-message", Object.create({ sessionId: "s", message: "inherited" })).length, 2);
const left = { success: true, data: { sessionId: "s", extra: undefined } };
assert.deepEqual(validate("leave-session", left, "ack"), []);
const members = { sessionId: "s", gameMasterId: "g", participantIds: ["__proto__", "__proto__"] };
const twice = { success: true, data: members };
assert.equal(validate("join-session", twice, "ack")[0].expected, "no two items alike");

// what is deep, long or wide
const began = performance.now();
assert.deepEqual(update({ data: { deep: nested(7, 50_000), nothing: undefined } }), []);
assert.equal(chat(nested(7, 50_000)).length, 1);
assert.equal(chat(nested(7n, 5_000)).length, 1);
assert.deepEqual(update({ imageUrl: `https://${"a".repeat(9e6)}` })[0].expected, "at most 2048 characters");
assert.deepEqual(update({ imageUrl: `https://${"a".repeat(9e6)} ` })[0].expected, "at most 2048 characters");
assert.equal(chat("\u{1f600}".repeat(1e6))[0].length < 500, true);
members.participantIds = Array.from({ length: 1e5 }, (_, i) => (i % 2 ? `${i}` : { i }));
assert.equal(validate("join-session", twice, "ack").length, 50);
const names = Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [`session-id-${i}`, i]));
assert.equal(validate("join-session", names).length, 1);
assert.equal(validate("leave-session", { success: true, data: names }, "ack").length, 2);
assert.ok(performance.now() - began < 20_000);

// wrong calls
for (const [call, message] of [
  [["tokenMove", {}], 'there is no event "tokenMove" in the catalogue; did you mean "token:move"?'],
  [["join-session", {}, "emission"], "join-session has no emission; it has request, ack"],
  [["error", {}], "error has no request; it has emission"],
  [["error", {}, "reqest"], 'there is no direction "reqest"; did you mean "request"?'],
]) {
  assert.throws(() => validate(...call), new RangeError(message));
}
for (const name of ["__proto__", "constructor", Symbol("x"), null]) assert.throws(() => validate(name, {}), RangeError);

// what is thrown
assert.equal(assertValid("leave-session", { sessionId: "s" }), undefined);
try {
  assertValid("leave-session", { session_id: 5, more: 1 });
  assert.fail();
} catch (error) {
  assert.ok(error instanceof InvalidPayload && error instanceof Error);
  assert.match(String(error), /^InvalidPayload: leave-session request: \$\.sessionId: expected a value, got missing; /);
  assert.deepEqual([error.event, error.direction, error.violations.length], ["leave-session", "request", 1]);
}

// CommonJS
assert.deepEqual(Object.keys(required).sort(), ["InvalidPayload", "assertValid", "protocolVersion", "validate"]);
assert.equal(required.protocolVersion, protocolVersion);
assert.deepEqual(required.validate("get-user-data", {}), []);

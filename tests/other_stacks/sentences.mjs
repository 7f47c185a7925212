// What the package for npm says of payloads: reads cases from standard input, one JSON array
// [event, direction, payload] a line, and writes the violations of each, without their messages.
//
// Usage: node --disallow-code-generation-from-strings sentences.mjs PACKAGE

import { createInterface } from "node:readline";

const { validate } = await import(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const [event, direction, payload] = JSON.parse(line);
  const found = validate(event, payload, direction);
  console.log(JSON.stringify(found.map(({ path, pointer, expected, got }) => [path, pointer, expected, got])));
}

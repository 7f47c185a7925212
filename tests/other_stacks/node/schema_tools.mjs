// What the tools of JavaScript make of the schema files and of the AsyncAPI document, as JSON: ajv in its strictest mode,
// ajv-cli, json-schema-to-typescript, and AsyncAPI's parser. One process, since starting takes longer than the work.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Parser } from "@asyncapi/parser";
import Ajv2020 from "ajv/dist/2020.js";
import { compile } from "json-schema-to-typescript";

const SPEC = new URL("../../../spec/dungeonlab_spec/", import.meta.url);
const SCHEMAS = new URL("schemas/", SPEC);
const WARNING = 1; // of the parser's severities; below it are errors, above it hints

const read = (url) => JSON.parse(readFileSync(url, "utf8"));
const schemas = Object.fromEntries(readdirSync(SCHEMAS).map((file) => [file, read(new URL(file, SCHEMAS))]));
const bundle = read(new URL("messages.schema.json", SPEC));

/** The examples of a payload: where each stands, whether it is valid, and its value. */
function* examples(file) {
  const [, folder, direction = ""] = file.match(/^([a-z-]+)(?:\.([a-z]+))?\.json$/);
  for (const kind of ["valid", "invalid"]) {
    const there = new URL(`examples/${folder}/${kind}/`, SPEC);
    for (const name of existsSync(there) ? readdirSync(there) : [])
      if (name.startsWith(direction)) yield [`${folder}/${kind}/${name}`, kind === "valid", read(new URL(name, there))];
  }
}

/** Which examples a validator judges otherwise than they are meant, and how many there are. */
function misjudged(file, isValid) {
  const all = [...examples(file)];
  return [all.length, all.filter(([, valid, value]) => isValid(value) !== valid).map(([where]) => where)];
}

/** Each file by itself, then each definition of the bundle. */
function ajv() {
  const payloads = Object.keys(schemas);
  const alone = payloads.map((file) => misjudged(file, new Ajv2020({ strict: true }).compile(schemas[file])));
  const all = new Ajv2020({ strict: true }).addSchema(bundle);
  const definition = (file) => all.getSchema(`${bundle.$id}#/$defs/${schemas[file].title}`);
  const bundled = payloads.map((file) => misjudged(file, definition(file)));
  const root = all.getSchema(bundle.$id);
  const wrapped = payloads.filter((file) => file.includes(".", file.indexOf(".") + 1)).map((file) => {
    const [folder, direction] = file.split(".");
    const event = schemas[file].description.split(/[, ]/)[0];
    return misjudged(file, (payload) => root({ event, direction, payload }));
  });
  return Object.entries({ alone, bundled, wrapped }).map(([name, found]) => ({
    name,
    files: found.length,
    examples: found.reduce((sum, [count]) => sum + count, 0),
    misjudged: found.flatMap(([, names]) => names),
  }));
}

/** All files together, from the command line. */
function ajvCli() {
  const cli = fileURLToPath(new URL("node_modules/ajv-cli/dist/index.js", import.meta.url));
  const words = ["compile", "--spec=draft2020", "--strict=true", "-s", `${fileURLToPath(SCHEMAS)}*.json`];
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...words], { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

/** The types that are made of each file, and of the bundle. */
async function types() {
  const files = Object.entries({ ...schemas, bundle });
  const made = files.map(async ([file, schema]) => [file, await compile(schema, file)]);
  return Object.fromEntries(await Promise.all(made));
}

/** What AsyncAPI's parser has against the document, and against one in which a reference leads nowhere. */
async function asyncapi() {
  const complaints = async (document) => {
    const { diagnostics } = await new Parser().parse(document);
    return diagnostics.filter(({ severity }) => severity <= WARNING).map(({ message, path }) => [path.join("."), message]);
  };
  const document = read(new URL("asyncapi.json", SPEC));
  const found = await complaints(structuredClone(document));
  document.operations.ChatMessageRequest.messages[0].$ref += "s";
  return { found, spoilt: await complaints(document) };
}

const said = { ajv: ajv(), ajvCli: ajvCli(), types: await types(), asyncapi: await asyncapi() };
console.log(JSON.stringify(said));

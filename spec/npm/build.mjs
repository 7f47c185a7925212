// Makes dist/: validators compiled by ajv, bundled with src/ as an ES module and as CommonJS, and the types of both.

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import Ajv from "ajv/dist/2020.js";
import { _ } from "ajv/dist/compile/codegen/index.js";
import standaloneCode from "ajv/dist/standalone/index.js";
import { build } from "esbuild";
import { areUnlike } from "./src/json.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { events, failure, definitions, formats } = JSON.parse(await readFile(here("src/payloads.json"), "utf8"));

const LENGTH_OF = 'require("../src/violation.js").lengthOf'; // the same as ajv's, which names a module of ajv
const UNLIKE = { ref: areUnlike, code: _`require("../src/json.js").areUnlike` };

await rm(here("dist/"), { recursive: true, force: true });
await mkdir(here("build/"), { recursive: true });
await writeFile(here("build/deciders.js"), deciders());
for (const format of ["esm", "cjs"]) await bundle(format);
await types();
await copyFile(here("../../LICENSE"), here("LICENSE"));

/** Return code that exports a function for each payload, under the name of its definition. */
function deciders() {
  const ajv = new Ajv({
    code: { source: true, esm: true },
    messages: false,
    ownProperties: true,
    inlineRefs: false,
    strictTypes: false, // `then` and `else` speak of what stands beside them
    formats: Object.fromEntries(Object.entries(formats).map(([name, pattern]) => [name, new RegExp(pattern, "u")])),
  });
  ajv.removeKeyword("uniqueItems"); // which compares each item with each: this one's time grows with their number
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    code(context) {
      const areUnlike = context.gen.scopeValue("func", UNLIKE);
      context.fail(_`!${areUnlike}(${context.data})`);
    },
  });
  ajv.addSchema({ $id: "payloads", $defs: definitions });
  const names = new Set([failure, ...Object.values(events).flatMap((row) => Object.values(row))]);
  const exported = Object.fromEntries([...names].map((name) => [name, `payloads#/$defs/${name}`]));
  return standaloneCode(ajv, exported).replaceAll('require("ajv/dist/runtime/ucs2length").default', LENGTH_OF);
}

function bundle(format) {
  return build({
    entryPoints: [here("src/index.js")],
    outfile: here(format === "esm" ? "dist/index.js" : "dist/index.cjs"),
    bundle: true,
    format,
    minify: true,
    target: "es2022",
    platform: "neutral",
    logLevel: "warning",
  });
}

/** Write the types, which name nothing of another file, beside each bundle. */
async function types() {
  const parts = await Promise.all(["src/protocol.d.ts", "src/index.d.ts"].map((file) => readFile(here(file), "utf8")));
  for (const file of ["dist/index.d.ts", "dist/index.d.cts"]) await writeFile(here(file), parts.join("\n"));
}

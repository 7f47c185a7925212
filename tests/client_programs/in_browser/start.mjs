// Opens the page in a browser without a window, so that it is a command as any other client.
//
// Where it plays, and as whom, stands in the environment: DUNGEONLAB_URL and its likes. PAGE is where the page is
// served, BROWSER the program, chromium by default. It goes on until a signal.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SWITCHES = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
  "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--disable-extensions",
];

const { env } = process;
const seat = new URLSearchParams({ transport: env.DUNGEONLAB_TRANSPORT ?? "upgrade" });
for (const name of ["URL", "USERNAME", "PASSWORD", "SESSION", "ENCOUNTER", "ACT"]) {
  seat.set(name.toLowerCase(), env[`DUNGEONLAB_${name}`]);
}
const profile = mkdtempSync(join(tmpdir(), "page-"));
const words = [...SWITCHES, `--user-data-dir=${profile}`, `${env.PAGE}#${seat}`];
const browser = spawn(env.BROWSER ?? "chromium", words, { stdio: "ignore" });
let stopped = false;
browser.on("error", (error) => {
  console.error(`the browser cannot be started: ${error.message}`);
  process.exit(2);
});
browser.on("exit", (code) => {
  rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  process.exit(stopped ? 0 : code || 1);
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    stopped = true;
    browser.kill();
  });
}

// Serves the page, with the game server behind the same address as a development server does it, and opens it in a
// browser without a window. So the page is a program like any other client: it goes on until a signal.
//
// Where it plays, and as whom, stands in the environment: DUNGEONLAB_URL and its likes. BROWSER is the browser's name.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { env } = process;
const upstream = new URL(env.DUNGEONLAB_URL);
const HERE = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const FILES = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript"],
  "/socket.io-client.js": ["node_modules/socket.io-client/dist/socket.io.esm.min.js", "text/javascript"],
};

const server = createServer((asked, response) => {
  const found = FILES[asked.url];
  if (found) {
    response.writeHead(200, { "Content-Type": found[1] }).end(readFileSync(join(HERE, found[0])));
    return;
  }
  const { hostname, port } = upstream;
  const { method, url: path, headers } = asked;
  const passed = request({ hostname, port, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
    answer.on("error", () => response.destroy());
  });
  passed.on("error", () => response.destroy());
  response.on("close", () => passed.destroy());
  asked.pipe(passed);
});
server.on("upgrade", (asked, client, head) => {
  const passed = connect(upstream.port, upstream.hostname, () => {
    const lines = [];
    for (let n = 0; n < asked.rawHeaders.length; n += 2) lines.push(`${asked.rawHeaders[n]}: ${asked.rawHeaders[n + 1]}`);
    passed.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    passed.write(head);
    client.pipe(passed).pipe(client);
  });
  for (const [one, other] of [[client, passed], [passed, client]]) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
});

server.listen(0, "127.0.0.1", () => {
  const asked = new URLSearchParams();
  for (const name of ["USERNAME", "PASSWORD", "SESSION", "ACT"]) asked.set(name.toLowerCase(), env[`DUNGEONLAB_${name}`]);
  const profile = mkdtempSync(join(tmpdir(), "table-page-"));
  const switches = ["--headless", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`];
  if (process.getuid?.() === 0) switches.push("--no-sandbox"); // as Chromium asks for, in containers
  const page = `http://127.0.0.1:${server.address().port}/#${asked}`;
  const browser = spawn(env.BROWSER ?? "chromium", [...switches, page], { stdio: "ignore" });
  let stopped = false;
  browser.on("error", ({ message }) => {
    console.error(`the browser cannot be started: ${message}; set BROWSER to the name of yours`);
    process.exit(2);
  });
  browser.on("exit", (code) => {
    rmSync(profile, { recursive: true, force: true });
    process.exit(stopped ? 0 : code || 1);
  });
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      stopped = true;
      browser.kill();
    });
  }
});

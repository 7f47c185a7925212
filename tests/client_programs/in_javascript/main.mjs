// The command line of a client: node main.mjs [--fault NAME | --habit NAME | --list]
//
// Where it plays, and as whom, stands in the environment: DUNGEONLAB_URL and its likes. DUNGEONLAB_TRANSPORT is
// websocket, polling or upgrade. It goes on until a signal; an error nobody caught ends it with 1.

import { parseArgs } from "node:util";
import { faults } from "./faults.mjs";
import { habits } from "./habits.mjs";
import { Player } from "./player.mjs";

const text = { type: "string" };
const { values } = parseArgs({ options: { fault: text, habit: text, list: { type: "boolean" } } });
if (values.list) {
  console.log(JSON.stringify({ faults: Object.keys(faults), habits: Object.keys(habits) }));
  process.exit(0);
}
const { fault, habit } = values;
for (const [name, known] of [[fault, faults], [habit, habits]]) {
  if (!name || known[name]) continue;
  console.error(`there is no ${name}; see --list`);
  process.exit(2);
}
const { env } = process;
const settings = {
  url: env.DUNGEONLAB_URL,
  username: env.DUNGEONLAB_USERNAME,
  password: env.DUNGEONLAB_PASSWORD,
  cookie: env.DUNGEONLAB_COOKIE,
  sessionId: env.DUNGEONLAB_SESSION,
  encounterId: env.DUNGEONLAB_ENCOUNTER,
  act: env.DUNGEONLAB_ACT,
  transport: env.DUNGEONLAB_TRANSPORT ?? "upgrade",
};
const Kind = (fault && faults[fault](Player)) ?? (habit && habits[habit](Player)) ?? Player;
const player = new Kind(settings);
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    player.stop();
    setTimeout(() => process.exit(0), 50); // ms for the library to say goodbye
  });
}
setInterval(() => {}, 60_000); // a player who has left still listens
await player.start();

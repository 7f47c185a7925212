// The command line of a peer: node FILE [--port 3000] [--fault NAME | --list-faults]

import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/** Serve `Peer` if the module at `url` is the program that was started; `faults` are what may be wrong with it. */
export async function run(url, Peer, loadFaults = async () => ({})) {
  if (url !== pathToFileURL(process.argv[1]).href) return;
  process.on("SIGTERM", () => process.exit(0));
  process.on("SIGINT", () => process.exit(0));
  const values = options();
  const faults = await loadFaults();
  if (values["list-faults"]) return console.log(JSON.stringify(faults, null, 2));
  if (values.fault && !faults[values.fault]) return stop(`there is no fault ${values.fault}; see --list-faults`);
  const peer = values.fault ? faults[values.fault].on(Peer) : new Peer();
  try {
    console.log(`Listening on ${await peer.listen(Number(values.port))}`);
  } catch (error) {
    return stop(`port ${values.port} cannot be used (${error.code ?? error.message})`);
  }
}

function options() {
  const port = { type: "string", default: "3000" };
  try {
    return parseArgs({ options: { port, fault: { type: "string" }, "list-faults": { type: "boolean" } } }).values;
  } catch (error) {
    return stop(error.message);
  }
}

function stop(why) {
  console.error(why);
  process.exit(2);
}

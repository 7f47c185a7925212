// The command line of a peer: node FILE [--port 3000] [--origin URL] [--offsets | --fault NAME[+NAME] | --list-faults]
//
// With --offsets, packets carry what Socket.IO needs to recover a connection's state; none is ever recovered. Pages
// from --origin may connect as well as the peer's own.

import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/** Serve `Peer` if the module at `url` is the program that was started; `faults` are what may be wrong with it. */
export async function run(url, Peer, loadFaults = async () => ({})) {
  if (url !== pathToFileURL(process.argv[1]).href) return;
  process.on("SIGTERM", () => process.exit(0));
  process.on("SIGINT", () => process.exit(0));
  const values = read();
  const faults = await loadFaults();
  if (values["list-faults"]) return console.log(JSON.stringify(listed(faults, Peer), null, 2));
  const names = values.fault?.split("+") ?? [];
  for (const name of names) if (!faults[name]) return stop(`there is no fault ${name}; see --list-faults`);
  const options = values.offsets ? { connectionStateRecovery: { maxDisconnectionDuration: 0 } } : {};
  if (values.origin) options.cors = { origin: values.origin, credentials: true };
  const Faulty = names.reduce((Kind, name) => faults[name].on(Kind), Peer);
  const peer = new Faulty(options);
  try {
    console.log(`Listening on ${await peer.listen(Number(values.port))}`);
  } catch (error) {
    return stop(`port ${values.port} cannot be used (${error.code ?? error.message})`);
  }
}

/** What is wrong with each, and in which methods. */
function listed(faults, Peer) {
  const methods = (Kind) => Object.getOwnPropertyNames(Kind.prototype).filter((name) => name !== "constructor");
  return Object.fromEntries(
    Object.entries(faults).map(([name, { on, ...fault }]) => [name, { ...fault, methods: methods(on(Peer)) }]),
  );
}

function read() {
  const [port, text, yes] = [{ type: "string", default: "3000" }, { type: "string" }, { type: "boolean" }];
  try {
    return parseArgs({ options: { port, origin: text, fault: text, offsets: yes, "list-faults": yes } }).values;
  } catch (error) {
    return stop(error.message);
  }
}

function stop(why) {
  console.error(why);
  process.exit(2);
}

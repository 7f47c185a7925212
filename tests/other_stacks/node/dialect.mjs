// A peer that speaks the dialect of one server in use, and is correct otherwise.
//
//     node dialect.mjs [--port 3000]
//
// It is the peer of `server.mjs`, with a translation in front. What differs on the wire, and nothing else does:
//
//   requests    join-session is called joinSession, leave-session leaveSession, and each carries the bare
//               id of the session in place of an object: emit("joinSession", "<sessionId>", callback)
//   acks        the data stands at top level: {success: true, ...data} in place of {success: true, data};
//               a failure is as documented: {success: false, error, code}
//   broadcasts  token:create, token:move, token:update and token:delete are broadcast as token:created,
//               token:moved, token:updated and token:deleted; their payloads are as documented
//   errors      the error event calls a refused request by the dialect's name for it
//
// Names of the plain protocol that the dialect replaces are unknown to it, and not answered.

import { Decoder, Encoder, PacketType } from "socket.io-parser";
import { run } from "./run.mjs";
import { Peer } from "./server.mjs";

const BARE = { joinSession: "join-session", leaveSession: "leave-session" };
const CALLED = Object.fromEntries(Object.entries(BARE).map(([dialect, plain]) => [plain, dialect]));
const BROADCASTS = {
  "token:create": "token:created",
  "token:move": "token:moved",
  "token:update": "token:updated",
  "token:delete": "token:deleted",
};

function heard([name, ...args]) {
  if (Object.hasOwn(CALLED, name)) return ["unknown"];
  if (!Object.hasOwn(BARE, name) || typeof args[0] === "function") return [BARE[name] ?? name, ...args];
  const [id, ...more] = args;
  return [BARE[name], { sessionId: id }, ...more];
}

function broadcast([name, payload]) {
  if (name === "error") return [name, { ...payload, event: CALLED[payload.event] ?? payload.event }];
  return [BROADCASTS[name] ?? name, payload];
}

function answered([answer]) {
  return [answer.success ? { success: true, ...answer.data } : answer];
}

class DialectEncoder extends Encoder {
  encode(packet) {
    const translate = { [PacketType.EVENT]: broadcast, [PacketType.ACK]: answered }[packet.type];
    return super.encode(translate ? { ...packet, data: translate(packet.data) } : packet);
  }
}

class DialectPeer extends Peer {
  constructor() {
    super({ parser: { Encoder: DialectEncoder, Decoder } });
  }

  welcome(socket) {
    socket.use((packet, next) => {
      packet.splice(0, packet.length, ...heard(packet));
      next();
    });
    super.welcome(socket);
  }
}

await run(import.meta.url, DialectPeer);

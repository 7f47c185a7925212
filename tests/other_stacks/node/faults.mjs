// Faults that come naturally to this stack: `node server.mjs --fault NAME`, or `NAME+NAME` for several at once.
//
// Each entry says what is wrong, which requirements that breaks, which others (ids or globs, with the reason)
// may be found broken besides, and, where it shows on one transport only, on which. `hides` marks a fault beside which
// hardly another shows: it ends the process, floods everybody, or silences a room. `on` makes the faulty class out of the class that it is to be.

import { setTimeout as sleep } from "node:timers/promises";
import { events, Refusal, validator } from "./protocol.mjs";

const jitter = () => sleep(Math.random() * 4); // ms; as long as a query may take

const LEAKS_EVERYWHERE = "a user who left, switched or was refused hears it too";
const OF_OTHERS = "what others caused comes in between";
const DEAF = "a scene that waits for the room to hear something finds that it does not";

export const faults = {
  "io-to": {
    claim: "io.to(room) where socket.to(room) is meant: the sender hears its own broadcast.",
    breaks: ["rooms/sender-hears-nothing"],
    on: (Peer) =>
      class extends Peer {
        broadcast(_, event, sessionId, payload) {
          this.io.to(this.room(sessionId)).emit(event, { sessionId, ...payload });
        }
      },
  },

  "socket-broadcast": {
    claim: "socket.broadcast.emit, which knows no rooms: everybody who is connected hears everything.",
    breaks: [
      "rooms/outsider-hears-nothing",
      "rooms/other-session-hears-nothing",
      "rooms/member-not-joined-hears-nothing",
    ],
    also: {
      "join/*": LEAKS_EVERYWHERE,
      "authorization/removed-member-hears-nothing": LEAKS_EVERYWHERE,
      "payloads/refused-not-broadcast": OF_OTHERS,
    },
    hides: true,
    on: (Peer) =>
      class extends Peer {
        broadcast(socket, event, sessionId, payload) {
          socket.broadcast.emit(event, { sessionId, ...payload });
        }
      },
  },

  "other-room-left": {
    claim: "join enters room session:<id>, leave leaves room <id>.",
    breaks: ["join/leave-stops-delivery"],
    also: { "authorization/not-joined-refused": "who asked to leave is in the room still" },
    on: (Peer) =>
      class extends Peer {
        async "leave-session"(socket, { sessionId }) {
          socket.leave(sessionId);
          return { sessionId };
        }
      },
  },

  "other-room-used": {
    claim: "token events go to room <id>, while everybody sits in session:<id>.",
    breaks: ["rooms/every-other-member-hears-once", "rooms/no-encounter-rooms"],
    also: { "acks/success-without-callback-is-silent": DEAF },
    hides: true,
    on: (Peer) =>
      class extends Peer {
        tell(socket, event, sessionId, payload) {
          const sent = { sessionId, ...payload, userId: socket.data.userId, timestamp: new Date().toISOString() };
          socket.to(sessionId).emit(event, sent);
        }
      },
  },

  "old-room-kept": {
    claim: "join enters the new room and leaves none.",
    breaks: [
      "join/second-join-leaves-the-first-room",
      "join/one-session-per-user",
      "authorization/not-joined-refused",
    ],
    on: (Peer) =>
      class extends Peer {
        async "join-session"(socket, { sessionId }, { session }) {
          socket.join(this.room(sessionId));
          return { sessionId, gameMasterId: session.gameMasterId, participantIds: session.participantIds };
        }
      },
  },

  "join-races": {
    claim: "join looks where the connection sits, awaits the database, then enters: two joins at once enter twice.",
    breaks: ["join/second-join-leaves-the-first-room"],
    on: (Peer) =>
      class extends Peer {
        inOrder(socket, work) {
          return work();
        }

        async "join-session"(socket, { sessionId }, { session }) {
          const before = this.otherSessions(socket, sessionId);
          await sleep(5);
          for (const other of before) socket.leave(this.room(other));
          return this.enter(socket, session);
        }
      },
  },

  "change-races": {
    claim: "A token is read, awaited, and written back by two at once: one of the changes is lost.",
    breaks: ["tokens/version-grows"],
    also: {
      "order/concurrent-moves-converge": "which of two changes is lost may differ between store and room",
      "tokens/update-changes-only-what-was-sent": "the one that is lost may be of another property",
    },
    on: (Peer) =>
      class extends Peer {
        oneAtATime(sessionId, work, event) {
          return event?.needs.includes("token") ? work() : super.oneAtATime(sessionId, work);
        }
      },
  },

  "handlers-overtake": {
    claim: "Each handler awaits its queries on its own: what one connection sends is done in any order.",
    breaks: ["order/one-sender-in-order", "order/answers-in-order"],
    on: (Peer) =>
      class extends Peer {
        async inOrder(_, work) {
          await jitter();
          return work();
        }
      },
  },

  "unhandled-rejection": {
    claim: "An async handler destructures a payload that is not there; the rejection, unhandled, ends the process.",
    breaks: ["payloads/server-survives"],
    hides: true,
    on: (Peer) =>
      class extends Peer {
        async receive(socket, event, args) {
          const [{ sessionId }] = args;
          if (sessionId !== undefined) socket.data.lastSeenIn = sessionId;
          return super.receive(socket, event, args);
        }
      },
  },

  "callback-assumed": {
    claim: "The callback is called without looking: a request without one ends the process.",
    breaks: ["payloads/missing-callback-is-harmless"],
    hides: true,
    on: (Peer) =>
      class extends Peer {
        receive(socket, event, args) {
          const callback = args.pop();
          return super.receive(socket, event, [...args, (answer) => queueMicrotask(() => callback(answer))]);
        }
      },
  },

  "open-admin": {
    claim: "io.use guards the default namespace only; /admin stands open.",
    breaks: ["auth/no-open-namespace"],
    on: (Peer) =>
      class extends Peer {
        constructor(options) {
          super(options);
          this.io.of("/admin").on("connection", () => {});
        }
      },
  },

  "cookie-on-upgrade-only": {
    claim: "The cookie is checked where WebSockets are upgraded, and long-polling is forgotten.",
    breaks: ["auth/missing-cookie-refused"],
    also: { "auth/old-cookie-stays-dead": "a dead cookie is as good as none" },
    on: (Peer) =>
      class extends Peer {
        authenticate(socket, next) {
          if (socket.conn.transport.name !== "polling") return super.authenticate(socket, next);
          socket.data.userId = this.httpSide.userOf(socket.request) ?? "guest";
          next();
        }

        welcome(socket) {
          if (socket.data.userId !== "guest") super.welcome(socket);
        }
      },
  },

  "answers-by-event": {
    claim: "token:delete is answered by an event of its own where a callback is expected.",
    breaks: ["acks/every-token-operation-answers", "broadcasts/catalogue-events-only"],
    on: (Peer) =>
      class extends Peer {
        receive(socket, event, args) {
          if (event.name !== "token:delete" || typeof args.at(-1) !== "function") {
            return super.receive(socket, event, args);
          }
          return super.receive(socket, event, [
            ...args.slice(0, -1),
            (answer) => socket.emit("token:delete-result", answer),
          ]);
        }
      },
  },

  "identity-from-the-payload": {
    claim: "The sender is the user whom the payload names.",
    breaks: ["auth/identity-comes-from-the-cookie"],
    on: (Peer) =>
      class extends Peer {
        perform(socket, event, args) {
          const claimed = event.name !== "get-user-data" && args[0]?.userId;
          if (typeof claimed === "string") socket.data.userId = claimed;
          return super.perform(socket, event, args);
        }
      },
  },

  "recovers-state": {
    claim: "connectionStateRecovery puts a new connection into its old room and replays what it missed.",
    breaks: ["join/disconnect-leaves-the-room"],
    on: (Peer) =>
      class extends Peer {
        constructor(options) {
          super({ ...options, connectionStateRecovery: {} });
        }
      },
  },

  "binary-passes": {
    claim: "typeof finds a Buffer to be an object, and a schema without required properties finds nothing wrong.",
    breaks: ["payloads/binary"],
    also: { "payloads/half-surrogate-refused": "nothing looks whether it is JSON" },
    on: (Peer) =>
      class extends Peer {
        checkShape(event, args) {
          const [fault] = args.length === 1 ? this.faultsOf(event, args[0]) : ["expected exactly one object"];
          if (fault) throw new Refusal("VALIDATION_ERROR", fault);
          return args[0];
        }
      },
  },

  "types-coerced": {
    claim: "ajv's coerceTypes turns whatever comes into what the schema asks for.",
    breaks: ["payloads/wrong-type"],
    also: {
      "payloads/refused-not-*": "what should be refused is carried out",
      "rooms/sender-hears-nothing": "what was sent as 5 comes as '5', and its sender cannot be known",
    },
    on: (Peer) =>
      class extends Peer {
        ajv = validator({ coerceTypes: true });
      },
  },

  "length-in-code-units": {
    claim: "message.length counts UTF-16 code units: 1500 dragons are too many.",
    breaks: ["chat/longest-accepted"],
    on: (Peer) =>
      class extends Peer {
        checkShape(event, args) {
          const payload = super.checkShape(event, args);
          if (event.name !== "chat-message" || payload.message.length <= 2000) return payload;
          throw new Refusal("VALIDATION_ERROR", "the message is longer than 2000");
        }
      },
  },

  "refuses-and-goes-on": {
    claim: "callback({success: false}) without a return: the refused request is carried out all the same.",
    breaks: ["rooms/refused-event-is-not-broadcast", "authorization/refusal-precedes-effect"],
    on: (Peer) =>
      class extends Peer {
        async perform(socket, event, args) {
          const [payload] = args;
          try {
            return await super.perform(socket, event, args);
          } catch (error) {
            if (error.code === "PERMISSION_DENIED" && event.emission) {
              const token = await this.checkThings(event, payload).catch(() => undefined);
              if (token || !event.needs.includes("token")) await this[event.name](socket, payload, { token });
            }
            throw error;
          }
        }
      },
  },

  "handlers-pile-up": {
    claim: "Handlers are registered on joining: after a second join everything is done twice.",
    breaks: ["join/repeated-join-is-harmless"],
    also: {
      "rooms/every-other-member-hears-once": "a user who joined twice is heard twice",
      "chat/answer-and-broadcast-agree": "of two messages one is acknowledged",
    },
    on: (Peer) =>
      class extends Peer {
        async "join-session"(socket, payload, found) {
          const answer = await super["join-session"](socket, payload, found);
          socket.data.joins = (socket.data.joins ?? 0) + 1;
          if (socket.data.joins > 1) {
            const event = events["chat-message"];
            socket.on(event.name, (...args) => this.receive(socket, event, args));
          }
          return answer;
        }
      },
  },

  volatile: {
    claim: "Broadcasts are volatile: a client whose poll is just on its way misses them.",
    transport: "polling",
    breaks: ["rooms/every-other-member-hears-once"],
    also: {
      "rooms/*-hears": DEAF,
      "rooms/no-encounter-rooms": DEAF,
      "acks/success-without-callback-is-silent": DEAF,
      "chat/*": DEAF,
      "connect/polling": DEAF,
      "join/*": DEAF,
    },
    on: (Peer) =>
      class extends Peer {
        broadcast(socket, event, sessionId, payload) {
          socket.volatile.to(this.room(sessionId)).emit(event, { sessionId, ...payload });
        }
      },
  },

  "membership-asked-once": {
    claim: "socket.rooms.has(room) stands in for asking the database: who is in stays in.",
    breaks: ["authorization/checked-on-every-operation", "authorization/removed-member-hears-nothing"],
    also: { "join/removed-member-refused": "joining is asked about in the same way" },
    on: (Peer) =>
      class extends Peer {
        async checkMembership(socket, sessionId) {
          if (socket.rooms.has(this.room(sessionId))) return { id: sessionId, ...(await this.sessions.get(sessionId)) };
          return super.checkMembership(socket, sessionId);
        }

        expel() {}
      },
  },

  "unknown-event-looked-up": {
    claim: "socket.onAny calls handlers[event], which for an unknown one is undefined: a TypeError ends the process.",
    breaks: ["payloads/unknown-event-is-harmless"],
    hides: true,
    on: (Peer) =>
      class extends Peer {
        welcome(socket) {
          super.welcome(socket);
          socket.onAny((event) => this[event].name);
        }
      },
  },

  "error-to-everyone": {
    claim: "io.emit('error') where socket.emit is meant: everybody hears of everybody's mistakes.",
    breaks: ["acks/error-event-reaches-only-the-sender"],
    also: {
      "acks/success-without-callback-is-silent": OF_OTHERS,
      "acks/failure-without-callback-emits-error": OF_OTHERS,
    },
    on: (Peer) =>
      class extends Peer {
        refuse(socket, event, callback, { code = "INTERNAL_ERROR", message }) {
          if (callback) callback({ success: false, error: message, code });
          else this.io.emit("error", { event: event.name, error: message, code });
        }
      },
  },

  "disconnects-first": {
    claim: "socket.disconnect(true) comes before the callback, and takes the answer with it.",
    breaks: ["authorization/refusal-precedes-disconnection"],
    on: (Peer) =>
      class extends Peer {
        refuse(socket, event, callback, error) {
          if (error.code === "PERMISSION_DENIED") socket.disconnect(true);
          super.refuse(socket, event, callback, error);
        }
      },
  },
};

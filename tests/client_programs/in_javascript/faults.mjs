// Faults of clients, each in the smallest seam of the correct one. What each breaks is stated in ../faults.py.

const OUT_OF_PATIENCE = 700; // ms

export const faults = {
  // -- who it is
  "no-cookie": (Player) =>
    class extends Player {
      headers() {
        return {};
      }
    },

  "cookie-lost-on-reconnect": (Player) =>
    class extends Player {
      onDisconnect(reason) {
        super.onDisconnect(reason);
        this.socket.io.opts.extraHeaders = {};
      }
    },

  // -- before it is in
  "sends-before-it-joins": (Player) =>
    class extends Player {
      async onConnect() {
        if (!this.greeted) await this.ask("chat-message", this.inSession({ message: "Hello!" }));
        this.greeted = true;
        return super.onConnect();
      }
    },

  "never-joins": (Player) =>
    class extends Player {
      async join() {
        this.enter();
      }

      onRefusal() {}
    },

  "does-not-wait-for-the-join": (Player) =>
    class extends Player {
      join() {
        const joining = super.join();
        if (!this.greeted) void this.ask("chat-message", this.inSession({ message: "Hello!" }));
        this.greeted = true;
        return joining;
      }
    },

  "believes-a-refused-join": (Player) =>
    class extends Player {
      constructor(settings) {
        super({ ...settings, sessionId: `${settings.sessionId}-x` });
      }

      hasJoined() {
        return true;
      }
    },

  "any-answer-lets-it-in": (Player) =>
    class extends Player {
      hasJoined() {
        return true;
      }
    },

  // -- what it sends
  "forgets-the-session-id": (Player) =>
    class extends Player {
      rename(turn) {
        const { encounterId } = this.settings;
        const updates = { name: `Goblin ${turn}` };
        return this.tokenId && this.request("token:update", { encounterId, tokenId: this.tokenId, updates });
      }
    },

  "session-id-is-empty": (Player) =>
    class extends Player {
      speak(turn) {
        return this.request("chat-message", { sessionId: null, message: `This is turn ${turn}.` });
      }
    },

  "numbers-as-text": (Player) =>
    class extends Player {
      move(turn) {
        return this.withToken("token:move", { position: { x: String(turn), y: "3" } });
      }
    },

  "blank-messages": (Player) =>
    class extends Player {
      speak() {
        return this.request("chat-message", this.inSession({ message: " " }));
      }
    },

  "payload-as-text": (Player) =>
    class extends Player {
      remove() {
        const payload = this.onMap({ tokenId: this.tokenId });
        return this.tokenId && this.request("token:delete", JSON.stringify(payload));
      }
    },

  "two-arguments": (Player) =>
    class extends Player {
      send(event, payload) {
        return event === "chat-message" ? super.send(event, payload, { urgent: true }) : super.send(event, payload);
      }
    },

  "no-argument": (Player) =>
    class extends Player {
      send(event, payload) {
        return event === "get-user-data" ? super.send(event) : super.send(event, payload);
      }
    },

  "misspells-an-event": (Player) =>
    class extends Player {
      lookUp() {
        if (this.joined) this.socket.emit("chat_message", this.inSession({ message: "Is anybody there?" }));
      }
    },

  // -- what it cannot bear
  "crashes-at-an-error-ack": (Player) =>
    class extends Player {
      onRefusal(event, { error }) {
        setImmediate(() => {
          throw new Error(`${event}: ${error}`);
        });
      }
    },

  "hangs-up-at-an-error-ack": (Player) =>
    class extends Player {
      onRefusal() {
        this.socket.disconnect();
      }
    },

  "ends-well-at-an-error-ack": (Player) =>
    class extends Player {
      onRefusal() {
        process.exit(0);
      }
    },

  "believes-every-ack": (Player) =>
    class extends Player {
      async ask(event, payload) {
        const answer = await super.ask(event, payload);
        if (answer) this.show(Object.keys(answer.data));
        return answer;
      }

      show(data) {
        this.shown = data;
      }
    },

  "crashes-at-an-error-event": (Player) =>
    class extends Player {
      onErrorEvent({ event, error }) {
        throw new Error(`${event}: ${error}`);
      }
    },

  "hangs-up-at-an-error-event": (Player) =>
    class extends Player {
      onErrorEvent() {
        this.stop();
      }
    },

  "crashes-at-an-unknown-event": (Player) =>
    class extends Player {
      onAnyEvent(event, [payload]) {
        const handlers = { "chat-message": true, "session-removed": true, error: true, "user-joined": true, "user-left": true };
        if (!(event in handlers || event.startsWith("token:"))) throw new Error(`${event} ${payload}: no such event`);
      }
    },

  "reads-whatever-comes": (Player) =>
    class extends Player {
      onAnyEvent(event, [{ sessionId }]) {
        this.active = sessionId;
      }
    },

  "hangs-up-at-an-unknown-event": (Player) =>
    class extends Player {
      onAnyEvent(event) {
        if (event.startsWith("x-")) this.stop();
      }
    },

  "crashes-at-presence-events": (Player) =>
    class extends Player {
      onAnyEvent(event, [{ userId } = {}]) {
        const members = new Map([[this.settings.username, { name: "me" }]]);
        if (event === "user-joined") this.newest = members.get(userId).name;
      }
    },

  "hangs-up-when-somebody-left": (Player) =>
    class extends Player {
      onAnyEvent(event) {
        if (event === "user-left") this.stop();
      }
    },

  "ends-well-when-somebody-left": (Player) =>
    class extends Player {
      onAnyEvent(event, [{ reason } = {}]) {
        if (event === "user-left" && reason === "switched") process.exit(0);
      }
    },

  "ends-when-disconnected": (Player) =>
    class extends Player {
      onDisconnect(reason) {
        if (reason === "io server disconnect") throw new Error(reason);
        super.onDisconnect(reason);
      }
    },

  "ends-well-when-disconnected": (Player) =>
    class extends Player {
      onDisconnect(reason) {
        if (reason === "io server disconnect") process.exit(0);
        super.onDisconnect(reason);
      }
    },

  // -- when the connection breaks
  "flushes-before-the-rejoin": (Player) =>
    class extends Player {
      onDisconnect(reason) {
        super.onDisconnect(reason);
        this.socket.emit("chat-message", this.inSession({ message: "Is anybody there?" })); // the library buffers it
      }
    },

  "retries-of-the-library": (Player) =>
    class extends Player {
      options() {
        return { ...super.options(), retries: 3, ackTimeout: 6000 };
      }

      send(event, ...args) {
        if (event !== "chat-message") return super.send(event, ...args);
        return this.socket.emitWithAck(event, ...args);
      }

      /** Sends side by side with what the library holds back. */
      onDisconnect(reason) {
        super.onDisconnect(reason);
        void this.send("chat-message", this.inSession({ message: "Are you still there?" }));
      }
    },

  "never-rejoins": (Player) =>
    class extends Player {
      onConnect() {
        if (!this.entered) return super.onConnect();
        this.joined = true;
      }

      enter() {
        this.entered = true;
        super.enter();
      }

      onRefusal() {}
    },

  "rejoins-after-its-first-message": (Player) =>
    class extends Player {
      onConnect() {
        if (this.entered) void this.ask("chat-message", this.inSession({ message: "I am back." }));
        return super.onConnect();
      }

      enter() {
        this.entered = true;
        super.enter();
      }

      onRefusal() {}
    },

  "does-not-come-back": (Player) =>
    class extends Player {
      options() {
        return { ...super.options(), reconnection: false };
      }
    },

  "hammers": (Player) =>
    class extends Player {
      options() {
        return { ...super.options(), reconnectionDelay: 300, reconnectionDelayMax: 300, randomizationFactor: 0 };
      }
    },

  "hammers-more-and-more": (Player) =>
    class extends Player {
      options() {
        return { ...super.options(), reconnection: false };
      }

      onDisconnect(reason) {
        super.onDisconnect(reason);
        this.delay = 1200;
        this.connectLater();
      }

      onConnectError() {
        this.connectLater();
      }

      connectLater() {
        this.delay = Math.max(50, this.delay * 0.7);
        setTimeout(() => this.over || this.socket.connect(), this.delay);
      }
    },

  // -- when it is over
  "goes-on-after-being-removed": (Player) =>
    class extends Player {
      onRemoved() {}
    },

  "goes-on-after-leaving": (Player) =>
    class extends Player {
      async leave() {
        await this.ask("leave-session", this.inSession());
        for (let turn = 0; turn < 5; turn++) await this.speak(turn);
        this.quit();
      }

      onRefusal() {}
    },

  "a-listener-lives-on-after-leaving": (Player) =>
    class extends Player {
      async leave() {
        await super.leave();
        const token = { name: "Ghost", position: { x: 0, y: 0 } };
        setInterval(() => this.ask("token:create", this.onMap({ token })), 200);
      }
    },

  "keeps-trying-when-unauthenticated": (Player) =>
    class extends Player {
      onConnectError() {
        this.joined = false;
        if (!this.socket.active) this.connectLater();
      }
    },

  // -- impatience
  "resends-the-unanswered": (Player) =>
    class extends Player {
      async send(event, ...args) {
        if (event === "join-session") return super.send(event, ...args);
        for (let attempt = 0; attempt < 3; attempt++) {
          try {
            return await this.socket.timeout(OUT_OF_PATIENCE).emitWithAck(event, ...args);
          } catch {
            if (!this.joined) break;
          }
        }
        throw new Error("no answer");
      }
    },

  "counts-its-attempts": (Player) =>
    class extends Player {
      async send(event, payload) {
        if (event === "join-session") return super.send(event, payload);
        for (let attempt = 1; attempt <= 3 && (attempt === 1 || this.joined); attempt++) {
          try {
            return await this.socket.timeout(OUT_OF_PATIENCE).emitWithAck(event, { ...payload, attempt });
          } catch {
            // once more, then
          }
        }
        throw new Error("no answer");
      }
    },

  "resends-whatever-is-unanswered": (Player) =>
    class extends Player {
      async send(event, ...args) {
        while (this.socket.connected) {
          try {
            return await this.socket.timeout(OUT_OF_PATIENCE).emitWithAck(event, ...args);
          } catch {
            // once more, then
          }
        }
        throw new Error("no answer");
      }
    },
};

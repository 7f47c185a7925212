// Odd but right: clients that do otherwise than the plain one, and break nothing.

import { io } from "socket.io-client";

export const habits = {
  "two-tabs": (Player) =>
    class extends Player {
      async start() {
        const other = new Player(this.settings);
        this.other = other;
        void other.start();
        await super.start();
      }

      stop() {
        this.other.stop();
        super.stop();
      }
    },

  "joins-twice": (Player) =>
    class extends Player {
      async join() {
        void this.ask("join-session", this.inSession());
        await super.join();
      }
    },

  "joins-again-now-and-then": (Player) =>
    class extends Player {
      lookUp() {
        return this.joined && this.ask("join-session", this.inSession());
      }
    },

  "asks-for-no-answers": (Player) =>
    class extends Player {
      speak(turn) {
        if (this.joined) this.socket.emit("chat-message", this.inSession({ message: `Turn ${turn}` }));
      }

      move(turn) {
        if (this.joined && this.tokenId) {
          this.socket.emit("token:move", this.onMap({ tokenId: this.tokenId, position: { x: turn, y: 3 } }));
        }
      }
    },

  "volatile": (Player) =>
    class extends Player {
      move(turn) {
        if (!this.joined || !this.tokenId) return;
        for (const y of [1, 2, 1]) {
          this.socket.volatile.emit("token:move", this.onMap({ tokenId: this.tokenId, position: { x: turn, y } }));
        }
      }
    },

  "drags": (Player) =>
    class extends Player {
      move(turn) {
        const [there, back] = [{ x: turn, y: 5 }, { x: turn, y: 6 }];
        return Promise.all([there, back, there, back].map((position) => this.withToken("token:move", { position })));
      }
    },

  "says-the-same-again": (Player) =>
    class extends Player {
      speak() {
        return this.request("chat-message", this.inSession({ message: "..." }));
      }
    },

  "drops-what-is-said-offline": (Player) =>
    class extends Player {
      request(event, payload) {
        return this.joined ? this.ask(event, payload) : undefined;
      }
    },

  "reloads-the-page": (Player) =>
    class extends Player {
      onDisconnect(reason) {
        this.joined = false;
        if (this.over || reason === "io client disconnect") return;
        this.socket.removeAllListeners();
        this.socket.disconnect();
        setTimeout(() => this.over || this.reload(), 300);
      }

      reload() {
        this.socket = io(this.settings.url, { ...this.options(), forceNew: true });
        this.listen();
      }
    },

  "knows-what-it-does-not-know": (Player) =>
    class extends Player {
      onConnect() {
        this.socket.emit("x-tavern:hello", { from: "a client" });
        return super.onConnect();
      }
    },

  "more-than-the-schema-names": (Player) =>
    class extends Player {
      inSession(rest) {
        return super.inSession({ requestId: crypto.randomUUID(), ...rest });
      }
    },

  "tries-again-what-was-limited": (Player) =>
    class extends Player {
      async ask(event, payload) {
        const answer = await super.ask(event, payload);
        if (answer?.code !== "RATE_LIMITED") return answer;
        await new Promise((resolve) => setTimeout(resolve, 300));
        return this.joined ? super.ask(event, payload) : answer;
      }
    },

  "patient-retries": (Player) =>
    class extends Player {
      async send(event, ...args) {
        try {
          return await this.socket.timeout(20_000).emitWithAck(event, ...args);
        } catch (error) {
          if (!this.joined) throw error;
          return await this.socket.timeout(20_000).emitWithAck(event, ...args);
        }
      }
    },

  "logs-in-by-itself": (Player) =>
    class extends Player {
      constructor(settings) {
        super({ ...settings, cookie: "" });
      }
    },

  "logs-in-again": (Player) =>
    class extends Player {
      async onConnectError(error) {
        if (error.data?.code !== "UNAUTHENTICATED" || this.again) return super.onConnectError(error);
        this.again = true;
        this.cookie = await this.logIn();
        this.socket.io.opts.extraHeaders = this.headers();
        this.socket.disconnect().connect();
      }
    },

  "comes-and-goes": (Player) =>
    class extends Player {
      async lookUp() {
        if (!this.joined) return;
        this.joined = false;
        await this.ask("leave-session", this.inSession());
        if (!this.over && this.socket.connected) await this.join();
      }
    },

  "hangs-up-by-itself": (Player) =>
    class extends Player {
      async remove() {
        await super.remove();
        if (this.over || !this.socket.connected) return;
        this.socket.disconnect();
        this.socket.connect();
      }
    },
};

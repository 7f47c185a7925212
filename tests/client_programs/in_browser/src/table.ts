// One user at one table: connects, joins, plays, and joins again whenever the connection was broken.

import { io, type Socket } from "socket.io-client";
import { assertValid, type ClientToServerEvents, type ServerToClientEvents } from "dungeonlab-protocol";

type Requests = ClientToServerEvents;
type RequestOf<E extends keyof Requests> = Parameters<Requests[E]>[0];
type AnswerOf<E extends keyof Requests> = Parameters<Parameters<Requests[E]>[1]>[0];
type DataOf<E extends keyof Requests> = Extract<AnswerOf<E>, { success: true }>["data"];

export interface Seat {
  url: string;
  sessionId: string;
  encounterId: string;
  transports: string[];
  /** Whether the user gets up again after a while. */
  leaves: boolean;
  show: (state: string) => void;
  tell: (line: string) => void;
}

const PACE = 120; // ms between two turns
const PATIENCE = 6000; // ms for an answer
const TURNS_BEFORE_LEAVING = 8;

export class Table {
  private readonly socket: Socket<ServerToClientEvents, ClientToServerEvents>;
  private joined = false;
  private over = false;

  constructor(private readonly seat: Seat) {
    this.socket = io(seat.url, {
      autoConnect: false,
      withCredentials: true,
      transports: seat.transports,
      reconnectionDelay: 300,
      reconnectionDelayMax: 4000,
    });
    this.listen();
  }

  async logIn(username: string, password: string): Promise<void> {
    const body = JSON.stringify({ username, password });
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${this.seat.url}/api/auth/login`, { method: "POST", credentials: "include", headers, body });
    if (!answer.ok) throw new Error(`logging in was answered ${answer.status}`);
    this.socket.connect();
  }

  async play(): Promise<void> {
    for (let turn = 0; !this.over; turn++) {
      if (this.seat.leaves && turn === TURNS_BEFORE_LEAVING) return this.leave();
      if (this.joined) await this.takeTurn(turn);
      await new Promise((resolve) => setTimeout(resolve, PACE));
    }
  }

  private listen(): void {
    this.socket.on("connect", () => void this.join());
    this.socket.on("connect_error", (error: Error & { data?: { code?: string } }) => {
      if (error.data?.code === "UNAUTHENTICATED") this.getUp("log in again");
      else if (!this.socket.active) this.connectLater();
    });
    this.socket.on("disconnect", (reason) => {
      this.joined = false;
      this.seat.show("connection lost");
      if (reason === "io server disconnect" && !this.over) this.connectLater();
    });
    this.socket.on("session-removed", ({ sessionId, reason }) => {
      if (sessionId === this.seat.sessionId) this.getUp(reason);
    });
    this.socket.on("chat-message", ({ userId, message }) => this.seat.tell(`${userId}: ${message}`));
    this.socket.on("error", ({ event, error }) => this.seat.tell(`${event}: ${error}`));
  }

  private connectLater(): void {
    setTimeout(() => this.over || this.socket.connect(), 1000);
  }

  private async join(): Promise<void> {
    const data = await this.ask("join-session", { sessionId: this.seat.sessionId });
    this.joined = data !== undefined;
    if (data) this.seat.show(`in a session of ${data.participantIds.length + 1}`);
  }

  private async leave(): Promise<void> {
    this.joined = false;
    await this.ask("leave-session", { sessionId: this.seat.sessionId });
    this.getUp("left");
  }

  private getUp(why: string): void {
    this.joined = false;
    this.over = true;
    this.seat.show(why);
    if (!this.socket.active) this.socket.disconnect();
  }

  /** Return the data of a success; undefined if the request was refused, or not answered. */
  private async ask<E extends keyof Requests>(event: E, request: RequestOf<E>): Promise<DataOf<E> | undefined> {
    assertValid(event, request);
    const answer = await new Promise<AnswerOf<E> | undefined>((resolve) => {
      const giveUp = setTimeout(() => resolve(undefined), PATIENCE);
      const emit = this.socket.emit as (event: E, request: RequestOf<E>, callback: (answer: AnswerOf<E>) => void) => void;
      emit.call(this.socket, event, request, (found) => {
        clearTimeout(giveUp);
        resolve(found);
      });
    });
    if (answer?.success) return answer.data as DataOf<E>;
    if (answer) this.seat.tell(`${event} was refused: ${answer.error}`);
    return undefined;
  }

  private async takeTurn(turn: number): Promise<void> {
    const { sessionId, encounterId } = this.seat;
    if (turn % 3 === 0) {
      await this.ask("chat-message", { sessionId, message: `This is turn ${turn}.` });
      return;
    }
    if (turn % 3 === 1) {
      await this.ask("get-user-data", {});
      return;
    }
    const place = { sessionId, encounterId };
    const created = await this.ask("token:create", { ...place, token: { name: "Goblin", position: { x: turn, y: 2 } } });
    if (!created || !this.joined) return;
    const token = { ...place, tokenId: created.token.id };
    const position = { x: turn, y: 3 };
    const payload = { ...token, position };
    await Promise.all([
      this.ask("validate-action", { sessionId, action: { type: "token:move", payload } }),
      this.ask("token:move", payload),
      this.ask("token:update", { ...token, updates: { name: `Goblin ${turn}` } }),
      this.ask("token:delete", token),
    ]);
  }
}

/** The version of the protocol. */
export const protocolVersion: string;

/** One way in which a payload is not what the protocol says. */
export interface Violation {
  /** Where: a JSON path such as `$.token.position.x`. */
  readonly path: string;
  /** The same as a JSON pointer: `/token/position/x`. */
  readonly pointer: string;
  /** What was expected there, in a phrase for people. */
  readonly expected: string;
  /** What came. */
  readonly got: string;
  /** All of that in one sentence. */
  readonly message: string;
}

/** The directions in which an event travels: request, ack, emission. */
export type DirectionOf<E extends keyof Payloads> = keyof Payloads[E];

/** What `assertValid` throws: `violations` says what is wrong, `message` says it in one line. */
export class InvalidPayload extends Error {
  private constructor();
  readonly event: keyof Payloads;
  readonly direction: "request" | "ack" | "emission";
  readonly violations: readonly Violation[];
}

/**
 * Return what is wrong with a payload; an empty array if nothing is. A property that is undefined counts as left out.
 * Throws a `RangeError` for an event or a direction that there is not.
 */
export function validate<E extends keyof ClientToServerEvents>(event: E, payload: unknown): Violation[];
export function validate<E extends keyof Payloads>(event: E, payload: unknown, direction: DirectionOf<E>): Violation[];

/** Throw an `InvalidPayload` if something is wrong with a payload; behind this, TypeScript knows its type. */
export function assertValid<E extends keyof ClientToServerEvents>(
  event: E,
  payload: unknown,
): asserts payload is Payloads[E]["request"];
export function assertValid<E extends keyof Payloads, D extends DirectionOf<E>>(
  event: E,
  payload: unknown,
  direction: D,
): asserts payload is Payloads[E][D];

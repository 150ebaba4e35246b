/**
 * What can go wrong in a life of a session, where a client is when it does, and what an application knows of its session.
 *
 * @module
 */

/** What can go wrong. */
export const FAULTS = [
  "reset",
  "silent cut",
  "one-way cut",
  "slow",
  "client stalls",
  "server stalls",
  "restart",
  "window passes",
  "late HELLO",
  "HELLO twice",
  "take-over",
] as const;
export type Fault = typeof FAULTS[number];

/** Where a client is when it does. */
export const STATES = ["down", "greeting", "resuming", "replaying", "blocked", "busy", "idle"] as const;
export type State = typeof STATES[number];

/** One session of one side as its application knows it. */
export class Books {
  readonly sent: { text: string; position: number }[] = [];
  position = 0;
  confirmed = 0;
  closed = false;
}

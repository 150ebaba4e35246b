/**
 * How a server that drains takes leave of its connections.
 *
 * Without a store a session ends with its server: its client is told so, and it is closed in order. With a store it goes on at another server, or at
 * this one after a restart: its connection ends when the application has finished the messages that it has and all of it is stored.
 *
 * Rules: nothing here knows a clock; the server keeps the deadline.
 *
 * @module
 */

import type { Connection } from "./connection.ts";
import type { DrainOptions, Entry } from "./server_types.ts";

/** Begins to take leave of a connection. */
export function farewell(entry: Entry, draining: Required<DrainOptions>, now: number): void {
  const { connection } = entry;
  const { retryAfter, jitter, text } = draining;
  const stored = isStored(entry);
  const scope = stored ? "connection" : "session";
  const notice = { scope, code: "SHUTTING_DOWN", retryAfter, jitter, text } as const;
  if (connection.phase === "open") {
    connection.goAway(notice, now);
    if (!stored) connection.drain(0, text, now);
  } else if (connection.phase === "welcomed") {
    connection.goAway(notice, now);
    if (stored) (connection as Connection).interrupt("SHUTTING_DOWN", text, now);
    else connection.abort("SHUTTING_DOWN", text, now);
  } else {
    connection.reject("SHUTTING_DOWN", retryAfter, text, now);
    connection.close(0, text, now); // one that is ending already gets our deadline, too
  }
}

/** Whether a connection carries a session that goes on without this server. */
export function isStored({ held }: Entry): boolean {
  return held !== null && held.pump !== null;
}

/** A connection that may go is gone, or is told to go whatever there is. */
export function leave({ connection, held }: Entry, text: string, anyway: boolean, now: number): void {
  if (connection.phase !== "open") return;
  const ready = !(connection as Connection).unfinished && !held!.pump!.behind;
  if (ready || anyway) (connection as Connection).interrupt("SHUTTING_DOWN", text, now);
}

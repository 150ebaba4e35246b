/**
 * Takes everything that a machine has to give: for tests that are their own peer.
 *
 * @module
 */

import type { ConnectionEvent } from "../../core/events.ts";
import type { Machine } from "../../core/machine.ts";

/** What a machine gave. */
export interface Drained {
  readonly events: ConnectionEvent[];
  readonly bytes: Uint8Array;
  /** The payloads of the messages among the events, copied. */
  readonly messages: Uint8Array[];
}

/** Drains events, then bytes. */
export function drain(machine: Machine<ConnectionEvent>): Drained {
  const events: ConnectionEvent[] = [];
  const messages: Uint8Array[] = [];
  const parts: number[] = [];
  for (let event = machine.nextEvent(); event !== null; event = machine.nextEvent()) {
    events.push({ ...event });
    if (event.type === "message") messages.push(event.bytes.slice());
  }
  for (let bytes = machine.peekTransmit(); bytes !== null; bytes = machine.peekTransmit()) {
    for (const byte of bytes) parts.push(byte);
    machine.advanceTransmit(bytes.length);
  }
  return { events, bytes: Uint8Array.from(parts), messages };
}

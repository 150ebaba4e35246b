/**
 * Runs a scripted conversation with its transports ended at chosen bytes.
 *
 * Rules: a conversation lives in a world of its own each time. A run that fails names its cuts.
 */

import { runtime } from "../support/contract.ts";
import type { Cut, Side, World } from "../support/world.ts";

/** Both of them. */
export const SIDES: readonly Side[] = ["client", "server"];
/** Heartbeats that find a cut soon. */
export const BEAT = { heartbeat: { interval: 100, multiplier: 3, minimumInterval: 10 } };
/** One in so many runs of the full product: all on one runtime, a sample on the others. */
export const SAMPLE: number = runtime === "node" ? 1 : 16;

/** A conversation that has begun. */
export interface Begun {
  readonly world: World;
  /** Lets it go to its end, and throws when that is not as it should be. */
  check(name: string): void;
}

/** A conversation that may be begun any number of times, in a world whose bytes travel in pieces of this size. */
export type Conversation = (piece: number, seed: number) => Begun;

/** How many bytes reach each side over a dial. */
export function measure(
  conversation: Conversation,
  piece: number,
  seed: number,
  dial: number,
  cuts: readonly Cut[] = [],
): Record<Side, number> {
  const { world, check } = conversation(piece, seed);
  world.cuts.push(...cuts);
  const bytes = { client: 0, server: 0 };
  world.onBytes = (end, got) => {
    if (end.dial === dial) bytes[end.side] += got.length;
  };
  check("measure");
  return bytes;
}

/** Runs it with these cuts. Returns the dials that it took. */
export function cutAt(conversation: Conversation, piece: number, seed: number, cuts: readonly Cut[]): number {
  const { world, check } = conversation(piece, seed);
  world.cuts.push(...cuts);
  const where = cuts.map((c) =>
    `dial ${c.dial} at ${c.offset} to the ${c.side}${c.silent ? ", silent" : ""}`
  );
  const name = `pieces of ${piece}, seed ${seed}: ${where.join("; ")}`;
  try {
    check(name);
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
  return world.dials;
}

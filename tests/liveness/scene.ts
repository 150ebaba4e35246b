/**
 * What the tests of liveness in virtual time share: sides that talk, ways that vary, and how it ended.
 *
 * @module
 */

import type { ConnectionEvent } from "../../core/events.ts";
import type { HeartbeatOptions } from "../../core/options.ts";
import type { Pair, Side } from "../support/pair.ts";
import type { Random } from "../support/random.ts";

/** One turn of the driver's loop, ms. */
export const TURN = 1;

/** Both detectors. */
export const DETECTORS: readonly NonNullable<HeartbeatOptions["detector"]>[] = ["fixed", "accrual"];

/** Both sides. */
export function sides(pair: Pair): readonly Side[] {
  return [pair.client, pair.server];
}

/** The verdict of a side that held its peer dead, or how else it ended; "open" while it has not. */
export function verdict(side: Side): string {
  const reason = side.of("closed")[0]?.reason;
  if (reason === undefined) return "open";
  return reason.kind === "dead" ? reason.evidence.verdict : `${reason.kind} ${reason.code}`;
}

/** The types of a side's events of these types, in order. */
export function seen(side: Side, ...types: ConnectionEvent["type"][]): string[] {
  return side.events.map(({ event }) => event.type).filter((type) => types.includes(type));
}

/** Whether the process of a side runs, and its connection takes messages. */
export function talks(pair: Pair, side: Side): boolean {
  return side.connection.phase === "open" && side.stalledUntil <= pair.now;
}

/** Lets time pass while those who talk send something at random, every `mean` ms or so; Infinity: nothing is sent. */
export function chat(
  pair: Pair,
  random: Random,
  span: number,
  mean: number,
  until: () => boolean = () => false,
): void {
  const end = pair.now + span;
  while (pair.now < end && !until()) {
    pair.run(
      mean === Infinity ? end - pair.now : Math.min(end - pair.now, 2 * mean * random.fraction()),
      until,
    );
    if (mean === Infinity || until()) continue;
    const side = random.fraction() < 0.5 ? pair.client : pair.server;
    if (talks(pair, side)) pair.send(side, "something");
  }
}

/** A way each: a random delay up to `most`, ms, and for each piece up to `jitter` more. */
export function roads(pair: Pair, random: Random, most: number, jitter = 0): void {
  for (const side of sides(pair)) {
    side.out.latency = most * random.fraction();
    side.out.jitter = jitter === 0 ? null : () => jitter * random.fraction();
  }
}

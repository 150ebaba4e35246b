/**
 * The historical formats under a client that dials again.
 */

import { describe, it } from "node:test";
import { assert, assertGreater, assertLessOrEqual } from "@std/assert";
import { Client } from "../../core/client.ts";
import type { Profile } from "../../core/options.ts";
import { Random, seeded } from "../support/random.ts";

/** The longest of the waits after connections that lived for so long each, ms. */
function longestWait(profile: Profile, lived: number): number {
  const reconnect = { base: 100, floor: 0, cap: 10_000 };
  const client = new Client({ profile, reconnect }, seeded(new Random(1)));
  let now = 0;
  let longest = 0;
  client.start(now);
  for (let i = 0; i < 20; i++) {
    const action = client.nextAction();
    assert(action?.type === "dial");
    const connection = client.dialed(action.attempt, now)!;
    client.settle(connection, now);
    now += lived;
    connection.transportFailed(new Error("reset"), now);
    client.settle(connection, now);
    for (let event = client.nextEvent(); event !== null; event = client.nextEvent()) {
      if (event.type === "down") longest = Math.max(longest, event.retryIn!);
    }
    client.handleTimeout(now = client.deadline());
  }
  return longest;
}

describe("a client that dials again", () => {
  for (const profile of ["classic", "plain", "raw"] as const) {
    it(`${profile}: begins with short waits again after a connection that lasted`, () => {
      assertGreater(longestWait(profile, 1_000), 1_000);
      assertLessOrEqual(longestWait(profile, 61_000), 100);
    });
  }
});

/** Many seeded lives of sessions in a store: nothing stored is lost, nothing comes twice but what the rules allow, and all comes to rest. */

import { describe, it } from "node:test";
import { assertGreater } from "@std/assert";
import { runtime } from "../support/contract.ts";
import { Life } from "./lives.ts";

/** The same on every runtime; one of them lives more. */
const LIVES = runtime === "node" ? 3_000 : 300;

describe("sessions in a store", () => {
  it(`survive ${LIVES} lives of servers that die, leave and come, with a store that is slow and fails`, () => {
    let [crashes, moves, again, failed, lost] = [0, 0, 0, 0, 0];
    for (let seed = 1; seed <= LIVES; seed++) {
      const life = new Life(seed).run();
      crashes += life.crashes;
      moves += life.moves;
      again += life.again;
      failed += life.world.failures;
      lost += life.world.counts["lost"] ?? 0;
    }
    console.log(
      `report: store: ${LIVES} lives, ${crashes} crashes, ${moves} cuts, ${lost} questions lost; ${again} messages came again, ${failed} requests failed`,
    );
    for (const count of [crashes, moves, again, failed, lost]) assertGreater(count, 0);
  });
});

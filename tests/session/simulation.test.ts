/**
 * Twenty thousand lives of a session under random faults: nothing is lost, doubled or out of order, and all come to rest.
 *
 * A failing life names its seed: `new Simulation(SEED).run()` lives it again. The first thousand are lived on every runtime, and must be the same.
 */

import { describe, it } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { runtime } from "../support/contract.ts";
import { FAULTS, STATES } from "./faults.ts";
import { Simulation } from "./simulation.ts";

/** What came of the first thousand lives, on every runtime. */
const SHARED = 1_000;
const HASH = 3528283952;

/** All are lived where they are lived fastest. */
const LIVES = runtime === "bun" ? 20_000 : SHARED;

describe("sessions under random faults", () => {
  it("keep what they promise", () => {
    const coverage = new Map<string, number>();
    let hash = 0;
    let inputs = 0;
    let faults = 0;
    for (let seed = 1; seed <= LIVES; seed++) {
      const life = new Simulation(seed).run();
      if (seed <= SHARED) hash = (Math.imul(hash, 31) + life.hash) >>> 0;
      for (const [cell, count] of life.coverage) coverage.set(cell, (coverage.get(cell) ?? 0) + count);
      inputs += life.inputs;
      faults += life.faults;
      assertGreater(life.faults, 2, `seed ${seed}`);
    }
    console.log(
      `report: sessions: ${LIVES} lives, ${Math.round(inputs / LIVES)} inputs and ${
        (faults / LIVES).toFixed(1)
      } faults each`,
    );
    for (const fault of FAULTS) {
      const row = STATES.map((state) => `${state} ${coverage.get(`${fault} x ${state}`) ?? 0}`);
      console.log(`report:   ${fault}: ${row.join(", ")}`);
      if (LIVES === SHARED) continue; // too few to meet everything
      for (const state of STATES) {
        assertGreater(coverage.get(`${fault} x ${state}`) ?? 0, 0, `${fault} x ${state}`);
      }
    }
    assertEquals(hash, HASH);
  });
});

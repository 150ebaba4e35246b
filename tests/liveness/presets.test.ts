/**
 * Presets and the detector's options: what a user writes is what is resolved, and what makes no sense is refused by name.
 *
 * Rules: no figure of a preset is typed here again; what is checked is what it must do.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { HeartwireError } from "../../core/errors.ts";
import {
  type ConnectionOptions,
  type HeartbeatOptions,
  leastDeviation,
  resolveClient,
  resolveConnection,
  type ResolvedHeartbeat,
  resolveServer,
} from "../../core/options.ts";
import { type HeartbeatPreset, PRESETS } from "../../core/liveness/presets.ts";

const NAMES = Object.keys(PRESETS) as HeartbeatPreset[];

function heartbeat(options: HeartbeatOptions | HeartbeatPreset): ResolvedHeartbeat {
  return resolveConnection({ heartbeat: options }).heartbeat;
}

/** The error of an option that cannot be. */
function refused(options: unknown): HeartwireError {
  const error = assertThrows(
    () => resolveConnection({ heartbeat: options } as ConnectionOptions),
    HeartwireError,
  );
  assertEquals(error.code, "ERR_HEARTWIRE_OPTION");
  return error;
}

describe("options of the detector", () => {
  it("are fixed, and nothing to learn, when nothing is said", () => {
    const { detector, threshold, pause, floor, preset } = heartbeat({});
    assertEquals([detector, threshold, pause, floor, preset], ["fixed", 8, 0, null, null]);
  });

  it("are taken, frozen and flat", () => {
    const wanted = { detector: "accrual", threshold: 12.5, pause: 250, floor: 0.001 } as const;
    const resolved = heartbeat(wanted);
    assertEquals({ ...resolved, ...wanted }, resolved);
    assert(Object.isFrozen(resolved));
    for (const value of Object.values(resolved)) assert(typeof value !== "object" || value === null);
  });

  it("are refused by name out of range", () => {
    const accrual = { detector: "accrual" };
    for (
      const [name, value] of [
        ...["threshold 0.99", "threshold 16.01", "threshold NaN", "pause -1", "pause 3600001", "floor 0"],
        ...["floor -1", "floor 3600001", "floor NaN"],
      ].map((text) => text.split(" ") as [string, string])
    ) {
      assertMatch(
        refused({ ...accrual, [name]: Number(value) }).message,
        RegExp(`option heartbeat.${name}:`),
      );
    }
    assertMatch(refused({ ...accrual, pause: "1" }).message, /option heartbeat\.pause: expected a number/);
    assertMatch(refused({ detector: "phi" }).message, /heartbeat\.detector: expected "fixed" or "accrual"/);
    assertMatch(refused({ phi: 8 }).message, /no option heartbeat\.phi/);
  });

  it("are refused beside the detector that has none of them", () => {
    for (const given of [{ threshold: 9 }, { pause: 1 }, { floor: 100 }]) {
      const name = Object.keys(given)[0];
      for (
        const detector of [{}, { detector: "fixed" }, { preset: "lan" }, { preset: "wan", detector: "fixed" }]
      ) {
        const error = refused({ ...detector, ...given });
        assertMatch(error.message, RegExp(`heartbeat.${name}: the detector "fixed" has none`));
        assertMatch(error.hint, /Set heartbeat\.detector to "accrual", or leave/);
      }
      heartbeat({ detector: "accrual", ...given });
      heartbeat({ preset: "wan", ...given });
    }
  });

  it("resolve to themselves when they are resolved again", () => {
    const all: (HeartbeatOptions | HeartbeatPreset)[] = [
      ...NAMES,
      {},
      { detector: "accrual", floor: 3 },
      { preset: "mobile", detector: "fixed" },
      { preset: "lan", detector: "accrual" },
    ];
    for (const options of all) {
      for (const resolve of [resolveConnection, resolveClient, resolveServer]) {
        const once = resolve({ heartbeat: options });
        assertEquals(resolveConnection({ heartbeat: once.heartbeat }).heartbeat, once.heartbeat);
      }
    }
  });

  it("assume a deviation of a twentieth of the interval, at least 50 ms, unless told", () => {
    const standard = heartbeat({ detector: "accrual" });
    assertEquals(leastDeviation(standard, 100_000), 50_000);
    assertEquals(leastDeviation(standard, 10_000_000), 500_000);
    assertEquals(leastDeviation(heartbeat({ detector: "accrual", floor: 1.5 }), 10_000_000), 1_500);
  });
});

describe("presets", () => {
  it("are the figures of their table, and the defaults where it has none", () => {
    const standard = heartbeat({ detector: "accrual" });
    for (const preset of NAMES) {
      const resolved = heartbeat({ preset });
      assertEquals(resolved, { ...standard, ...PRESETS[preset], preset });
      assertEquals(heartbeat(preset), resolved, "the name alone");
      assertEquals(resolveClient({ heartbeat: preset }).heartbeat, resolved);
      assertEquals(resolveServer({ heartbeat: preset }).heartbeat, resolved);
      assert(Object.isFrozen(PRESETS[preset]));
    }
  });

  it("are overridden by what stands beside them, one by one", () => {
    for (const preset of NAMES) {
      const resolved = heartbeat({ preset });
      for (
        const other of [
          { interval: 1_234 },
          { multiplier: 9 },
          { minimumInterval: 77 },
          { maximumDetection: 999_999 },
          { tolerance: 0 },
        ]
      ) {
        assertEquals(heartbeat({ preset, ...other }), { ...resolved, ...other });
      }
      const plain = heartbeat({ preset, detector: "fixed" });
      assertEquals([plain.threshold, plain.pause, plain.floor], [8, 0, null], "no accrual, no figures of it");
      assertEquals(plain.interval, resolved.interval);
      assertEquals(heartbeat({ preset, interval: undefined } as unknown as HeartbeatOptions), resolved);
    }
    assertEquals(heartbeat({ preset: "mobile", threshold: 5 }).threshold, 5);
  });

  it("are refused by name when there is none such", () => {
    assertMatch(refused("home").message, /option heartbeat: expected "lan" or "wan" or .*, got "home"/);
    assertMatch(refused({ preset: "home" }).message, /option heartbeat\.preset: expected "lan" or/);
    assertMatch(refused({ preset: "toString" }).message, /heartbeat\.preset/);
    assertMatch(refused(["lan"]).message, /option heartbeat: expected an object/);
  });
});

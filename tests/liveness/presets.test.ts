/**
 * Presets and the detector's options: what a user writes is what is resolved, and what makes no sense is refused by name.
 *
 * Rules: no figure of a preset is typed here again; what is checked is what it must do.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertThrows,
} from "@std/assert";
import { heartbeatCost } from "../../core/cost.ts";
import { HeartwireError } from "../../core/errors.ts";
import { pingBucket } from "../../core/liveness/bucket.ts";
import { type HeartbeatPreset, PRESETS } from "../../core/liveness/presets.ts";
import type { ConnectionOptions, HeartbeatOptions, ResolvedHeartbeat } from "../../core/options.ts";
import { resolveClient, resolveConnection, resolveServer } from "../../core/resolve.ts";
import { leastDeviation } from "../../core/liveness/detectors.ts";
import { Pair } from "../support/pair.ts";
import { Random } from "../support/random.ts";
import { ROOT } from "../support/runtimes.ts";

const HOUR = 3_600_000;
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

  it("assume a deviation of a sixteenth of the interval, at least 260 ms, unless told", () => {
    const standard = heartbeat({ detector: "accrual" });
    assertEquals(leastDeviation(standard, 100_000), 260_000);
    assertEquals(leastDeviation(standard, 10_000_000), 625_000);
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

/** Every two of the presets, and the defaults. */
const MATRIX = [...NAMES, {}].flatMap((one) => [...NAMES, {}].map((other) => [one, other] as const));

/** Two digits that count, thousands apart. */
function round(value: number): string {
  return String(Number(value.toPrecision(2))).replace(/\B(?=(\d{3})+$)/g, ",");
}

describe("what presets do", () => {
  it("agree with one another and with the defaults, and find a cut within what is stated", () => {
    for (const [seed, [client, server]] of MATRIX.entries()) {
      const pair = Pair.open({ seed, client: { heartbeat: client }, server: { heartbeat: server } });
      const stated = [heartbeatCost(client, server), heartbeatCost(server, client)];
      const sides = [pair.client, pair.server];
      for (const [i, side] of sides.entries()) {
        const { txInterval, detectionBound, idleDetectionBound } = side.connection.agreement!;
        const { interval, detection, idleDetection } = stated[i]!;
        assertEquals([interval, detection, idleDetection], [txInterval, detectionBound, idleDetectionBound]);
      }
      pair.run(new Random(seed).between(0, 10) * stated[0]!.interval);
      pair.cut();
      const cutAt = pair.now;
      pair.run(HOUR, () => sides.every((side) => side.destroyed));
      for (const [i, side] of sides.entries()) {
        assertLessOrEqual(side.when("closed") - cutAt, stated[i]!.idleDetection, `${client} ${server} ${i}`);
      }
    }
  });

  it("find a cut in less than a second, and in a few", () => {
    assertLess(heartbeatCost("lan").detection, 1_000);
    assertLess(heartbeatCost("wan").detection, 10_000);
  });

  it("keep a way open that forgets: 30 s with mobile, 240 s with datacenter-nat, whatever the peer prefers", () => {
    for (const [preset, forgets] of [["mobile", 30_000], ["datacenter-nat", 240_000]] as const) {
      for (const peer of [...NAMES, {}]) {
        const pair = Pair.open({ client: { heartbeat: preset }, server: { heartbeat: peer } });
        let [last, sent] = [pair.now, 0];
        const step = forgets / 60;
        for (const end = pair.now + 2 * HOUR; pair.now < end;) {
          pair.run(step);
          const bytes = pair.client.sent + pair.server.sent;
          if (bytes > sent) [last, sent] = [pair.now, bytes];
          // A sixth of it is left for a beat that is late.
          assertLessOrEqual(
            pair.now - last,
            forgets * 5 / 6 + step,
            `${preset} with ${JSON.stringify(peer)}`,
          );
        }
      }
    }
  });

  it("let nobody wake a telephone more often than it wants", () => {
    const alone = heartbeatCost("mobile").pingsPerHour;
    for (const peer of [...NAMES, {}]) {
      assertLessOrEqual(heartbeatCost("mobile", peer).pingsPerHour, 1.01 * alone, JSON.stringify(peer));
    }
  });

  it("cost what two machines measured, in PINGs and in bytes", () => {
    const slow = { interval: 3_000 };
    const quick = { interval: 1_000 };
    for (
      const [one, other, roundTrip] of [["wan", "wan", 0], [quick, slow, 2], ["wan", quick, 100], [
        "lan",
        {},
        50,
      ]] as const
    ) {
      const stated = heartbeatCost(one, other, roundTrip);
      let [pings, bytes] = [0, 0];
      for (let seed = 1; seed <= 4; seed++) {
        const pair = Pair.open({ seed, client: { heartbeat: one }, server: { heartbeat: other } });
        const sides = [pair.client, pair.server];
        for (const side of sides) side.out.latency = roundTrip / 2;
        const count = (): number => sides.reduce((sum, side) => sum + side.connection.stats().pingsSent, 0);
        const sent = (): number => pair.client.sent + pair.server.sent;
        pair.run(100_000);
        const [pingsBefore, bytesBefore] = [count(), sent()];
        pair.run(HOUR / 2);
        pings += (count() - pingsBefore) / 2;
        bytes += (sent() - bytesBefore) / 2;
      }
      const context = `${JSON.stringify([one, other, roundTrip, stated])} ${pings} ${bytes}`;
      // 3,000 PINGs on one side, more on the other: three deviations of half a percent.
      assertLess(Math.abs(pings / stated.pingsPerHour - 1), 0.015, context);
      assertLess(Math.abs(bytes / stated.bytesPerHour - 1), 0.015, context);
      assertLess(pings, stated.mostPingsPerHour, context);
    }
  });

  it("never cost more than the most, which is the rate that is policed", () => {
    for (const preset of NAMES) {
      const { interval, mostPingsPerHour, mostBytesPerHour, pingsPerHour, bytesPerHour } = heartbeatCost(
        preset,
      );
      const bucket = pingBucket(interval * 1_000, 1, 0);
      while (bucket.take(0));
      assertEquals(mostPingsPerHour, Math.ceil(2 * HOUR * 1_000 / bucket.readyAt(0)));
      const each = bytesPerHour / pingsPerHour;
      assertLess(Math.abs(mostBytesPerHour / mostPingsPerHour / each - 1), 0.03);
      assertGreater(mostPingsPerHour, heartbeatCost(preset, preset, interval / 3).pingsPerHour);
      assertGreater(heartbeatCost(preset, preset, interval / 3).pingsPerHour, pingsPerHour);
    }
  });

  it("refuse to state what would not be: no agreement, or a round trip that no heartbeat survives", () => {
    const refuse = (f: () => unknown, pattern: RegExp): void => {
      const error = assertThrows(f, HeartwireError, undefined);
      assertEquals(error.code, "ERR_HEARTWIRE_OPTION");
      assertMatch(error.message, pattern);
    };
    refuse(() => heartbeatCost({ maximumDetection: 1_000 }), /option heartbeat: expected .* agrees/);
    refuse(
      () => heartbeatCost("lan", { interval: 600_000, multiplier: 2 }),
      /option heartbeat: expected .* agrees/,
    );
    refuse(
      () => heartbeatCost("lan", "lan", 5_000),
      /option roundTrip: expected one that the heartbeat survives/,
    );
    refuse(() => heartbeatCost("lan", "lan", NaN), /option roundTrip/);
    refuse(() => heartbeatCost("home" as HeartbeatPreset), /option heartbeat:/);
  });

  it("stand in the guide with these figures", () => {
    const guide = readFileSync(join(ROOT, "docs/guide.md"), "utf8");
    const rows = guide.split("\n").filter((line) => /^\| `(lan|wan|mobile|datacenter-nat)` /.test(line))
      .map((line) => line.split("|").map((cell) => cell.trim()));
    assertEquals(rows.map((row) => row[1]), NAMES.map((name) => `\`${name}\``));
    for (const [i, preset] of NAMES.entries()) {
      const { idleDetection, pingsPerHour, bytesPerHour, packetsPerHour } = heartbeatCost(preset);
      const detection = String(idleDetection).replace(/\B(?=(\d{3})+$)/g, ",");
      const figures = [`${detection} ms`, ...[pingsPerHour, bytesPerHour, packetsPerHour].map(round)];
      assertEquals(rows[i]!.slice(3, 7), figures, preset);
    }
  });
});

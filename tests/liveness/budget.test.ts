/**
 * The heartbeat budget alone: the sum of what clients may be sending never exceeds it, whoever confirms, declines or says nothing, in
 * whatever order they come and go; it holds as many clients as its formula says; and an event's work does not grow with their number.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { PATIENCE, REST, STEPS, WAIT } from "../../core/liveness/budget.ts";
import { Random } from "../support/random.ts";
import { distinct, intervals, type Member, MS, World } from "./budget_world.ts";

describe("heartbeat budget", () => {
  it("holds 100,000 clients that come and go, confirm late, decline or say nothing, and ends at exactly 0", () => {
    const random = new Random(1);
    const world = new World(6_500);
    world.answer = () => {
      const kind = random.fraction();
      const answer = kind < 0.005 ? "silence" : kind < 0.02 ? "decline" : "confirm";
      return [answer, random.between(0, 400)];
    };
    const joined: Member[] = [];
    for (let second = 0; second < 50; second++) {
      for (let i = 0; i < 2_000; i++) {
        world.at(random.between(0, 999), () => joined.push(world.join(random.between(2_000, 30_000))));
      }
      // Some go early.
      for (let i = 0; i < 100 && joined.length > 0; i++) {
        const one = joined[random.between(0, joined.length - 1)]!;
        if (!one.gone && one.told === "welcome") world.leave(one);
      }
      world.run(1_000);
    }
    assertEquals(joined.length, 100_000);
    assertGreater(world.slower, 50_000);
    assertLess(world.refused, 100);
    assertGreater(world.greatest, 0.99 * world.limit);
    const downwards = world.retunes - world.slower;
    while (world.members.size > 0) {
      const some = [...world.members];
      for (let i = 0; i < 4_000 && some.length > 0; i++) {
        const at = random.between(0, some.length - 1);
        const one = some[at]!;
        some[at] = some.at(-1)!;
        some.pop();
        world.at(random.between(0, 999), () => one.gone || world.leave(one));
      }
      world.run(1_000);
    }
    assertGreater(world.retunes - world.slower, downwards + 10_000);
    world.run(100_000);
    assertEquals([world.sum, world.budget.rate, world.budget.waiting], [0, 0, 0]);
    assertEquals(world.budget.deadline(), Infinity);
    // Nothing drifted: it holds as many as a new one.
    const { capacity } = world.budget;
    world.answer = () => ["confirm", 1];
    const before = world.refused;
    for (let i = 0; i < capacity + 5; i++) {
      world.join(10_000);
      if (i % 1_000 === 0) world.run(10);
    }
    world.run(100);
    assertEquals(world.refused - before, 5);
    assertEquals(world.members.size, capacity);
  });

  it("is full exactly past budget x 0.75 x NAT bound", () => {
    const cases = [
      { perSecond: 100, bound: 25_000, capacity: 1_875 },
      { perSecond: 1, bound: 25_000, capacity: 18 },
      { perSecond: 4 / 75, bound: 25_000, capacity: 1 },
      { perSecond: 4 / 3 / 25.001, bound: 25_001, capacity: 1 },
      { perSecond: 7.77, bound: 20_011, capacity: 116 },
      { perSecond: 10_000, bound: 10, capacity: 75 },
    ];
    for (const { perSecond, bound, capacity } of cases) {
      for (const desired of [10, 137, 10_000, bound].filter((one) => one <= bound)) {
        const world = new World(perSecond, 10, bound);
        assertEquals(world.budget.capacity, capacity);
        for (let i = 0; i < capacity; i++) {
          world.join(desired);
          world.run(2);
        }
        assertEquals(world.refused, 0);
        // It does not wait: no slowing down can help.
        assertEquals(world.join(desired).told, "refused");
        // Who is slower than the bound by itself takes less.
        const [one] = world.members;
        world.leave(one!);
        world.run(2);
        assertEquals([world.join(2 * bound).told, world.join(2 * bound).told], ["welcome", "welcome"]);
        const left = perSecond * 0.75 * bound / 1_000 - capacity;
        assertEquals(world.join(2 * bound).told === "refused", left < 0.5);
        for (const member of [...world.members]) world.leave(member);
        assertEquals([world.sum, world.budget.rate], [0, 0]);
      }
    }
  });

  it("slows down the fastest first, as few as suffice, and never beyond the bound", () => {
    const world = new World(10);
    for (let i = 0; i < 60; i++) world.join(10_000);
    for (let i = 0; i < 2; i++) world.join(1_000); // 8 + 2.67 > 10: all may have to come down to 3,125
    world.run(5);
    assertEquals(intervals(world).filter((interval) => interval === 10_000).length, 60);
    assertEquals(world.slower, 1);
    assertEquals(intervals(world).slice(60), [1_563, 1_563]);
    // 187 is what it holds.
    for (let i = 62; i < 187; i++) {
      world.join(10_000);
      world.run(5);
    }
    assertEquals(world.refused, 0);
    assertEquals(distinct(intervals(world)), [17_678, 25_000]);
    assertEquals(world.join(10_000).told, "refused");
    const mixed = new World(10);
    for (let i = 0; i < 14; i++) mixed.join(i === 7 ? 1_000 : 2_000);
    mixed.run(5);
    mixed.join(1_000, 1_000); // never slower: all others may have to come down to 2,210
    assertEquals(mixed.order, [1_000, ...Array(10).fill(2_000)]);
  });

  it("asks no more than a few for each event, also when each has little to give", () => {
    const world = new World(1_000 / 24.9 / 0.75);
    world.answer = () => ["confirm", 1];
    for (let i = 0; i < 1_000; i++) world.join(24_900);
    world.run(1);
    assertEquals([world.refused, world.retunes], [0, 0]);
    const newcomer = world.join(24_900); // it needs what 250 give
    assertEquals([newcomer.told, world.retunes], ["nothing", STEPS]);
    world.run(50);
    assertEquals([newcomer.told, world.retunes], ["welcome", 249]);
  });

  it("speeds up again step by step as clients leave, down to what they desire or the server takes", () => {
    const world = new World(20, 2_000);
    for (let i = 0; i < 375; i++) {
      world.join(i % 2 === 0 ? 1_000 : 6_000);
      world.run(5);
    }
    assertEquals(distinct(intervals(world)), [25_000]);
    let before = 25_000;
    while (world.members.size > 5) {
      world.leave(world.any());
      world.run(5);
      const slowest = Math.max(...intervals(world));
      assertLessOrEqual(slowest, before);
      before = slowest;
      // What is free is an eighth and one step at most, when there is anything to give.
      if (slowest > 6_000) assertGreater(world.sum, world.limit * (7 / 8 / Math.SQRT2 - 0.02));
    }
    assertEquals(
      intervals(world),
      [...world.members].map(({ desired }) => Math.max(desired, 2_000)),
    );
    assertEquals(distinct(intervals(world)), [2_000, 6_000]);
  });

  it("makes no waves when one client comes and goes", () => {
    for (let others = 10; others < 187; others += 3) {
      const world = new World(10);
      for (let i = 0; i < others; i++) {
        world.join(10_000);
        world.run(3);
      }
      const before = world.retunes;
      for (let round = 0; round < 200; round++) {
        const one = world.join(10_000);
        world.run(3);
        world.leave(one);
        world.run(3);
      }
      // Room for one is made once, at a level by which each yields a fifth of a client at the least.
      assertLessOrEqual(world.retunes - before, 8, `${others} others`);
      assertEquals(world.refused, 0);
    }
  });

  it("a newcomer waits for confirmations, in its turn, and not for ever", () => {
    const world = new World(10);
    world.answer = () => ["confirm", 50];
    for (let i = 0; i < 75; i++) world.join(10_000);
    world.run(60);
    assertEquals([world.sum > 0.999 * world.limit, world.retunes], [true, 0]);
    const patient = Array.from({ length: 20 }, () => world.join(10_000));
    assertEquals([world.budget.waiting, world.retunes > 0], [20, true]);
    world.run(40);
    assertEquals(patient.map(({ told }) => told), Array(20).fill("nothing"));
    world.run(15);
    assertEquals(patient.map(({ told }) => told), Array(20).fill("welcome"));
    assertEquals(world.budget.waiting, 0);
    world.run(100);
    // From now on nobody answers.
    world.answer = () => ["silence", 0];
    const unlucky = Array.from({ length: 60 }, () => world.join(10_000)).filter(({ told }) =>
      told !== "welcome"
    );
    const first = world.now;
    world.run(WAIT / MS - 1);
    assertEquals(unlucky.map(({ told }) => told), unlucky.map(() => "nothing"));
    world.run(2);
    assertEquals(unlucky.map(({ told }) => told), unlucky.map(() => "refused"));
    assertLessOrEqual(world.now, first + WAIT / MS + 3);
  });

  it("does not count on those that do not answer; by answering they come back", () => {
    const world = new World(2, 100, 20_000); // 30 clients, 15 of them at 10,000
    for (let i = 0; i < 15; i++) world.join(10_000);
    world.run(1);
    world.answer = () => ["silence", 0];
    const waits = world.join(10_000);
    const asked = world.retunes;
    assert(asked > 0 && asked < 5, `${asked}`);
    world.run(PATIENCE / MS + 1);
    assertGreater(world.retunes, asked); // others, for those do not count any more
    world.run(PATIENCE / MS);
    assertEquals(waits.told, "refused");
    // What the silent will not give up is known to be missing: the rest can make room for so many, and no more.
    world.run(PATIENCE / MS);
    const silent = [...world.members].filter(({ seat }) => seat!.state === "overdue");
    const room = 2 * (15 - silent.length);
    for (const member of [...world.members]) if (member.seat!.state !== "overdue") world.leave(member);
    world.answer = () => ["confirm", 1];
    for (let i = 0; i < room; i++) {
      world.join(10_000);
      world.run(5);
    }
    assertEquals(world.refused, 1);
    assertEquals(world.join(10_000).told, "refused");
    for (const member of silent) world.confirm(member);
    const more = Array.from({ length: silent.length }, () => {
      const member = world.join(10_000);
      world.run(5);
      return member.told;
    });
    assertEquals(more, Array(silent.length).fill("welcome"));
    assertEquals(world.join(10_000).told, "refused");
  });

  it("leaves who declined alone for a while, then asks again", () => {
    const world = new World(2, 100, 20_000);
    for (let i = 0; i < 15; i++) world.join(10_000);
    world.run(1);
    world.answer = () => ["decline", 10];
    const unlucky = world.join(10_000);
    world.run(WAIT / MS + 1);
    assertEquals([unlucky.told, world.retunes], ["refused", 15]);
    for (let i = 0; i < 50; i++) {
      assertEquals(world.join(10_000).told, "refused"); // at once
      world.run(999);
    }
    assertEquals(world.retunes, 15);
    world.run(REST / MS - 50_000);
    world.answer = () => ["confirm", 10];
    const lucky = world.join(10_000);
    world.run(20);
    assertEquals(lucky.told, "welcome");
    assertEquals(distinct(intervals(world)), [10_000, 14_143]);
  });

  it("slows nobody beyond what suits it", () => {
    const world = new World(1, 100, 20_000); // 15 clients
    const brief = Array.from({ length: 3 }, () => world.join(2_000, 5_000.5)); // 0.8 at the slowest
    world.run(10);
    const late = [world.join(12_000), world.join(30_000)];
    world.run(10);
    assertEquals(brief.map(({ inForce }) => inForce), [5_000, 5_000, 5_000]);
    assertEquals(late.map(({ inForce }) => inForce), [12_000, 30_000]);
    assertEquals(world.join(2_000, 5_000).told, "refused");
    // One that no interval suits is not made faster than it or the server wants.
    assertEquals(world.join(40_000, 10).inForce, 40_000);
  });

  it("does work for an event that does not grow with the number of clients", () => {
    const { ceil } = Math;
    let calls = 0;
    const cost = (many: number): { worst: number; mean: number } => {
      const random = new Random(5);
      const world = new World(many / 20);
      world.answer = () => [random.fraction() < 0.01 ? "decline" : "confirm", random.between(1, 50)];
      let events = 0;
      let worst = 0;
      let welcomes = 0;
      const { budget } = world;
      const measured = <A extends unknown[], R>(input: (...given: A) => R) => (...given: A): R => {
        const before = calls;
        const waiting = budget.waiting;
        const result = input.apply(budget, given);
        // Each welcome is paid for by the one who is welcomed.
        const welcomed = Math.max(0, waiting - budget.waiting);
        welcomes += welcomed;
        worst = Math.max(worst, (calls - before) / (1 + welcomed));
        events++;
        return result;
      };
      budget.join = measured(budget.join);
      budget.confirmed = measured(budget.confirmed);
      budget.declined = measured(budget.declined);
      budget.left = measured(budget.left);
      const start = calls;
      for (let i = 0; i < many; i++) {
        world.join(random.between(1_000, 30_000));
        if (i % (many / 500) === 0) world.run(10);
      }
      world.run(100);
      let i = 0;
      for (const member of [...world.members]) {
        world.leave(member);
        if (i++ % (many / 500) === 0) world.run(10);
      }
      return { worst, mean: (calls - start) / events };
    };
    try {
      // Every rate that is reckoned, and nothing else, rounds up.
      Math.ceil = (x) => (calls++, ceil(x));
      const few = cost(1_000);
      const lots = cost(16_000);
      assertGreater(few.mean, 10);
      assertLess(lots.mean, 2 * few.mean);
      // A turn takes a seat out and in again: 2 x (17 levels + 3 sums) rates.
      assertLessOrEqual(lots.worst, (STEPS + 3) * 2 * 20 + 2 * STEPS);
    } finally {
      Math.ceil = ceil;
    }
  });

  it("keeps its promises whatever happens in whatever order", () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed);
      const bound = random.between(10, 30_000);
      const world = new World(
        Math.max(random.fraction() * 20, 4_000 / 3 / bound),
        random.between(10, 2_000),
        bound,
        seed,
      );
      world.answer = () => {
        const kind = random.fraction();
        return [kind < 0.1 ? "silence" : kind < 0.3 ? "decline" : "confirm", random.between(0, 1_500)];
      };
      for (let i = 0; i < 150; i++) {
        const kind = random.fraction();
        const longest = random.fraction() < 0.2 ? random.between(10, 30_000) : Infinity;
        if (kind < 0.6) world.join(random.between(10, 60_000), longest);
        else if (kind < 0.9 && world.members.size > 0) world.leave(world.any());
        else world.run(random.between(0, 700));
      }
      world.run(70_000);
      assertEquals(world.budget.waiting, 0);
      for (const member of [...world.members]) world.leave(member);
      assertEquals([world.sum, world.budget.rate, world.budget.deadline()], [0, 0, Infinity]);
    }
  });
});

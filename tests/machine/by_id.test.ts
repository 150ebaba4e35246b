/**
 * Values by ids do what a `Map` does, whatever stays open behind the others, and take no room for what is gone.
 */

import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { ById } from "../../core/flow/by_id.ts";
import { Random } from "../support/random.ts";

/** Does the same with both, and compares; returns what is left. */
function compare(random: Random, limit: number, first: number): [ById<number>, Map<number, number>] {
  let values = new ById<number>();
  const model = new Map<number, number>();
  let last = first;
  for (let step = 0; step < 3_000; step++) {
    const ids = [...model.keys()];
    if (model.size < limit && random.between(0, 9) < 6) {
      const id = ids.length > 0 && random.between(0, 99) === 0 ? ids[0]! : ++last;
      values.set(id, step);
      model.set(id, step);
    } else if (ids.length > 0) {
      // Mostly the older ones; but one in 97 stays for long.
      const id = ids[random.between(0, random.between(0, ids.length - 1))]!;
      if (id % 97 !== 0 || random.between(0, 19) === 0) {
        assertEquals(values.take(id), model.get(id));
        model.delete(id);
      }
    }
    const some = last - random.between(0, 40);
    assertEquals(values.get(some), model.get(some));
    assertEquals(values.take(last + 1), undefined);
    assertEquals(values.size, model.size);
    if (step % 500 !== 0) continue;
    assertEquals(values.entries(), [...model].sort(([a], [b]) => a - b));
    const copy = values.clone((value) => value);
    values.clear();
    assertEquals(values.size, 0);
    values = copy;
  }
  return [values, model];
}

describe("values by ids", () => {
  for (const limit of [1, 20, 64, 700]) {
    it(`does what a Map does, with ${limit} open at most`, () => {
      for (let seed = 1; seed <= 5; seed++) {
        for (const first of [0, 2 ** 31 - 100, 2 ** 40]) compare(new Random(seed), limit, first);
      }
    });
  }

  it("gives what it had back in any order", () => {
    const [values, model] = compare(new Random(1), 500, 0);
    for (const id of [...model.keys()].reverse()) assertEquals(values.take(id), model.get(id));
    assertEquals(values.size, 0);
    assertEquals(values.entries(), []);
  });

  it("takes an id that is no such number for one that has none", () => {
    const values = new ById<number>();
    for (let id = 1; id <= 14; id++) values.set(id, id);
    for (const id of [0, -1, 1.5, NaN, Infinity, 2 ** 32 + 1]) {
      assertEquals(values.get(id), undefined);
      assertEquals(values.take(id), undefined);
    }
    assertEquals(values.size, 14);
  });
});

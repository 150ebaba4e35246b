/**
 * A client and a server do what they promise in every state that they can reach within the bounds (docs/verification.md).
 *
 * A failure shows the shortest way to it; `replay(configuration, [...])` lives it again. When what machines do was changed on purpose, the counts
 * change with it: `tsx tests/search/count.ts` writes them anew.
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { runtime } from "../support/contract.ts";
import { CONFIGURATIONS, LONGER, LONGEST } from "./configurations.ts";
import { COUNTS, type Counts, DOCUMENT, withTable } from "./counts.ts";
import { Search } from "./search.ts";

const counts = JSON.parse(readFileSync(COUNTS, "utf8")) as Record<string, Counts>;

const searched = [
  ...CONFIGURATIONS,
  ...(runtime === "node" ? LONGER : []),
  ...(runtime === "node" && process.env.HEARTWIRE_TIER === "full" ? LONGEST : []),
];

describe("every state", () => {
  for (const configuration of searched) {
    const { name } = configuration;
    it(name, () => {
      const { states, transitions, machines, depth, wrong } = new Search(configuration).run();
      if (wrong !== null) throw new Error(`${wrong.what}\n  ${wrong.trace.join("\n  ")}`);
      console.log(`report: search: ${name}: ${states} states, ${transitions} transitions`);
      assertEquals({ states, transitions, machines, depth }, counts[name]);
    });
  }

  it("the counts are published", () => {
    const document = readFileSync(DOCUMENT, "utf8");
    assertEquals(document, withTable(document, counts));
  });
});

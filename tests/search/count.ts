/**
 * Searches everything and writes what it counted: into counts.json, which the test asserts, and into docs/verification.md.
 *
 *   tsx tests/search/count.ts
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { CONFIGURATIONS, LONGER, LONGEST } from "./configurations.ts";
import { COUNTS, type Counts, DOCUMENT, withTable } from "./counts.ts";
import { Search } from "./search.ts";

const counts: Record<string, Counts> = {};
for (const configuration of [...CONFIGURATIONS, ...LONGER, ...LONGEST]) {
  const { states, transitions, machines, depth, wrong } = new Search(configuration).run();
  if (wrong !== null) {
    console.error(`${configuration.name}: ${wrong.what}\n  ${wrong.trace.join("\n  ")}`);
    process.exit(1);
  }
  counts[configuration.name] = { states, transitions, machines, depth };
  console.log(`${configuration.name}: ${states} states, ${transitions} transitions`);
}
writeFileSync(COUNTS, `${JSON.stringify(counts, null, 2)}\n`);
writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, "utf8"), counts));

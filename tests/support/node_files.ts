/**
 * Runs several test files in one process, as Deno and Bun do: on Node each process that reads TypeScript costs a second before its first test.
 * Their paths from the root are in HEARTWIRE_TEST_FILES, one a line.
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import { after } from "node:test";
import { pathToFileURL } from "node:url";
import { ROOT } from "./runtimes.ts";

// A file that ends the process would take the tests of the others with it, unseen.
let whole = false;
process.on("exit", () => {
  if (!whole) process.exitCode = 1;
});
for (const file of process.env["HEARTWIRE_TEST_FILES"]!.split("\n")) {
  await import(pathToFileURL(join(ROOT, file)).href);
}
after(() => whole = true);

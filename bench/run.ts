/**
 * Runs the benchmarks on Node, Deno and Bun and writes what they found to `bench/RESULTS.md`.
 *
 *   tsx bench/run.ts [--runtime node|deno|bun]... [--suite NAME]... [--dry]
 *
 * A suite is a file of this folder that prints a {@link Report} as its last line. The page is written only by a run of all
 * suites on all runtimes, so that it always belongs to one commit; anything less, and `--dry`, prints it. Exit 1 when a
 * suite failed or a mark was missed.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT, runtimeCommand, runtimePath, RUNTIMES } from "../tests/support/runtimes.ts";
import { met, page, type Report } from "./report.ts";

const SUITES = ["codec"];

/** The commit that is measured; `+` when the sources differ from it. */
function commitName(): string {
  const git = (...args: string[]): string =>
    spawnSync("git", args, { cwd: ROOT, encoding: "utf8" }).stdout ?? "";
  const measured = ["core", "adapters", ...SUITES.map((suite) => `bench/${suite}.ts`)];
  const changed = git("status", "--porcelain", "--untracked-files=no", "--", ...measured).trim() !== "";
  return (git("rev-parse", "--short", "HEAD").trim() || "unknown") + (changed ? "+" : "");
}

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true },
    suite: { type: "string", multiple: true },
    dry: { type: "boolean", default: false },
  },
});
const runtimes = RUNTIMES.filter((runtime) => values.runtime?.includes(runtime) ?? true);
const suites = SUITES.filter((suite) => values.suite?.includes(suite) ?? true);
const reports: Report[] = [];
let failed = runtimes.length * suites.length === 0;

for (const suite of suites) {
  for (const runtime of runtimes) {
    const [command, ...args] = runtimeCommand(runtime, join(ROOT, "bench", `${suite}.ts`));
    process.stderr.write(`${suite} on ${runtime} ...`);
    const start = performance.now();
    const { status, stdout } = spawnSync(command!, args, {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    process.stderr.write(` ${((performance.now() - start) / 1_000).toFixed(0)} s\n`);
    if (status === 0) reports.push(JSON.parse(stdout.trim().split("\n").at(-1)!) as Report);
    else failed = true;
  }
}

const date = new Date().toISOString().slice(0, 10);
const text = page(reports, commitName(), date);
if (!failed && !values.dry && reports.length === RUNTIMES.length * SUITES.length) {
  const file = join(ROOT, "bench", "RESULTS.md");
  writeFileSync(file, text);
  spawnSync(runtimePath("deno"), ["fmt", "--quiet", file], { cwd: ROOT });
}
console.log(text);
if (failed || !reports.every(({ marks }) => marks.every(met))) process.exitCode = 1;

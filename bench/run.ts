/**
 * Runs the benchmarks on Node, Deno and Bun and writes what they found to `bench/RESULTS.md` and `bench/charts/`.
 *
 *   tsx bench/run.ts [--runtime node|deno|bun]... [--suite NAME]... [--dry] [--quick] [--soak SECONDS] [--keep FOLDER]
 *
 * The page is written only by a run of all suites on all runtimes, so that it always belongs to one commit; anything less, `--dry` and
 * `--quick` print it. `--quick` is for the instrument's health: every suite runs on Node and, in turns, on Deno or Bun, unless runtimes are
 * named; every figure has to be finite, and no mark is judged. `--keep` puts each report into a folder as soon as it is there, and does not measure again what is there
 * of the same commit. Exit 1 when a suite failed or, without `--quick`, a mark was missed.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT, type Runtime, runtimePath, RUNTIMES } from "../tests/support/runtimes.ts";
import { build } from "./build.ts";
import { type Chart, picture } from "./charts.ts";
import { accept } from "./accept.ts";
import { codec } from "./codec.ts";
import { echo } from "./echo.ts";
import { growth } from "./growth.ts";
import { heartbeats } from "./heartbeats.ts";
import { idle } from "./idle.ts";
import { pingpong } from "./pingpong.ts";
import { type Head, met, page, type Report } from "./report.ts";
import { requests } from "./requests.ts";
import { startup } from "./startup.ts";
import type { Suite } from "./suite.ts";
import { timers } from "./timers.ts";

/** In the order of the marks. */
const SUITES: readonly Suite[] = [
  codec,
  echo,
  pingpong,
  idle,
  timers,
  heartbeats,
  accept,
  requests,
  startup,
  growth,
];

const CHARTS: readonly Chart[] = [
  { suite: "codec", what: "decode, 64 B", file: "decode-64b.svg" },
  { suite: "codec", what: "decode, 1 KiB", file: "decode-1k.svg" },
  { suite: "echo", what: "echo, 64 B", file: "echo-64b.svg" },
  { suite: "echo", what: "echo, 64 KiB", file: "echo-64k.svg" },
  { suite: "pingpong", what: "round trip, 64 B, median", file: "pingpong.svg" },
  { suite: "idle", what: "idle connection, resident", file: "idle.svg" },
  { suite: "heartbeats", what: "heartbeat round trip", file: "heartbeats.svg" },
  { suite: "accept", what: "accept to established", file: "accept.svg" },
  { suite: "requests", what: "request and reply, 64 B, 64 in flight", file: "requests.svg" },
];

/** The commit that is measured; `+` when the sources differ from it. */
function commitName(): string {
  const git = (...args: string[]): string =>
    spawnSync("git", args, { cwd: ROOT, encoding: "utf8" }).stdout ?? "";
  const measured = ["core", "adapters", "bench/*.ts", "bench/programs", "bench/peers"];
  const changed = git("status", "--porcelain", "--", ...measured).trim() !== "";
  return (git("rev-parse", "--short", "HEAD").trim() || "unknown") + (changed ? "+" : "");
}

/** What is wrong with a report; null: nothing. */
function unsound({ figures, marks }: Report): string | null {
  if (figures.length === 0) return "it has no figures";
  const bad = [...figures, ...marks].find(({ value }) => !Number.isFinite(value));
  return bad === undefined ? null : `${bad.what} is ${bad.value}`;
}

/** The runtimes that a suite is to run on. */
function runtimesOf(suite: Suite, quick: boolean, named: readonly string[] | undefined): Runtime[] {
  const turn: readonly string[] = ["node", SUITES.indexOf(suite) % 2 === 0 ? "deno" : "bun"];
  const wanted = named ?? (quick ? turn : RUNTIMES);
  return RUNTIMES.filter((each) => wanted.includes(each));
}

async function runAll(
  suites: readonly Suite[],
  quick: boolean,
  named: readonly string[] | undefined,
  /** Where reports are kept, by their suite and runtime; null: nowhere. */
  kept: ((suite: string, runtime: Runtime) => string) | null,
): Promise<Report[]> {
  const reports: Report[] = [];
  const built = await build();
  try {
    for (const suite of suites) {
      const { name, run } = suite;
      for (const runtime of runtimesOf(suite, quick, named)) {
        process.stderr.write(`${name} on ${runtime} ...`);
        const start = performance.now();
        const file = kept?.(name, runtime) ?? null;
        try {
          if (file !== null && existsSync(file)) {
            reports.push(JSON.parse(readFileSync(file, "utf8")) as Report);
            process.stderr.write(" kept\n");
            continue;
          }
          const report = await run({ runtime, folder: built.folder, quick, soak: Number(values.soak) });
          const fault = unsound(report);
          if (fault !== null) throw new Error(fault);
          // What was measured for a moment is not judged.
          const marks = report.marks.map(({ limit, ...mark }) =>
            quick || limit === undefined ? mark : { ...mark, limit }
          );
          reports.push({ ...report, marks });
          if (file !== null) writeFileSync(file, JSON.stringify(reports.at(-1)));
        } catch (error) {
          process.exitCode = 1;
          process.stderr.write(` ${error instanceof Error ? error.stack : String(error)}\n`);
        }
        process.stderr.write(` ${((performance.now() - start) / 1_000).toFixed(0)} s\n`);
      }
    }
  } finally {
    built.remove();
  }
  return reports;
}

function writeAll(reports: readonly Report[], head: Head): void {
  const folder = join(ROOT, "bench", "charts");
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) rmSync(join(folder, file));
  const charts = new Map<string, string[]>();
  for (const chart of CHARTS) {
    const drawn = picture(chart, reports, `commit ${head.commit}, ${head.date}, ${reports[0]!.machine}`);
    if (drawn === null) continue;
    writeFileSync(join(folder, chart.file), drawn);
    charts.set(chart.suite, [...charts.get(chart.suite) ?? [], chart.file]);
  }
  const file = join(ROOT, "bench", "RESULTS.md");
  writeFileSync(file, page(reports, head, charts));
  spawnSync(runtimePath("deno"), ["fmt", "--quiet", file, folder], { cwd: ROOT });
}

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true },
    suite: { type: "string", multiple: true },
    dry: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    soak: { type: "string", default: "6" },
    keep: { type: "string" },
  },
});
const unknown = [
  ...(values.runtime ?? []).filter((name) => !RUNTIMES.some((each) => each === name)),
  ...(values.suite ?? []).filter((name) => !SUITES.some((each) => each.name === name)),
];
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(", ")}; suites: ${SUITES.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const suites = SUITES.filter(({ name }) => values.suite?.includes(name) ?? true);
const head: Head = {
  commit: commitName(),
  date: new Date().toISOString().slice(0, 10),
  load: loadavg()[0]!,
};
const { keep } = values;
// What is not committed has no name under which it could be found again.
const keeps = keep !== undefined && !values.quick && !head.commit.endsWith("+");
if (keeps) mkdirSync(keep, { recursive: true });
const reports = await runAll(
  suites,
  values.quick,
  values.runtime,
  keeps ? (suite, runtime) => join(keep, `${head.commit}-${suite}-${runtime}.json`) : null,
);
const whole = values.suite === undefined && values.runtime === undefined && process.exitCode !== 1;
if (whole && !values.dry && !values.quick) writeAll(reports, head);
console.log(page(reports, head, new Map()));
if (!reports.every(({ marks }) => marks.every(met))) process.exitCode = 1;

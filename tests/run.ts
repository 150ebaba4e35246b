/**
 * Runs the tests on Node, Deno and Bun and ends in one line: `N passed, N failed, N skipped`.
 *
 *   tsx tests/run.ts [--runtime node|deno|bun]... [--tier default|system|full] [--verbose] [--times] [--limit SECONDS] [PATH]...
 *
 * A PATH picks the files whose path contains it. Exit 1 on a failure, when a runtime crashed or ran out of time, and
 * when it executed no test: a run that tested nothing has proved nothing.
 *
 * Lines of a test's output that begin with `report:` are shown; all output is with --verbose.
 * Runtimes run one after the other, each in two processes at a time, a part of the files in each; tests that measure time run alone.
 * @module
 */

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import process from "node:process";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { type Outcome, readBun, readDeno, readNode } from "./support/report.ts";
import { ROOT, type Runtime, runtimePath, RUNTIMES } from "./support/runtimes.ts";

type Tier = "default" | "system" | "full";

/** Which folder's tests run in which tiers and where; the first entry that fits a file counts. */
const FOLDERS: readonly { folder: string; tiers: readonly Tier[]; runtimes: readonly Runtime[] }[] = [
  { folder: "tests/system/", tiers: ["system"], runtimes: ["node"] }, // needs root or system packages
  { folder: "tests/full/", tiers: ["full"], runtimes: ["node"] }, // takes long
  { folder: "tests/interop/", tiers: ["default", "full"], runtimes: ["node"] }, // starts the other runtimes itself
  { folder: "tests/", tiers: ["default", "full"], runtimes: RUNTIMES },
];

/** Seconds that one runtime may take in each tier. */
const LIMITS: Record<Tier, number> = { default: 900, system: 900, full: 7_200 };

const USAGE =
  "usage: tsx tests/run.ts [--runtime node|deno|bun]... [--tier default|system|full] [--verbose] [--times] [--limit SECONDS] [PATH]...";

/** What takes longest begins first. */
const LONG: readonly string[] = [
  "tests/session/simulation.test.ts",
  "tests/interop/cli.test.ts",
  "tests/interop/origin.test.ts",
  "tests/interop/guide.test.ts",
];

/** Tests that measure real time. */
const ALONE: readonly string[] = ["tests/contract/", "tests/system/", "tests/full/"];

/** So many processes of a runtime test at a time. */
const PROCESSES = 2;

/** Files that one process tests. */
interface Part {
  readonly files: string[];
  readonly alone: boolean;
  /** On Node: one process for all files, not one for each. */
  readonly together: boolean;
}

/** Files in parts: a folder's together, those that start processes themselves each for itself. */
function partsOf(files: readonly string[]): Part[] {
  const parts = new Map<string, Part>();
  for (const file of files) {
    const alone = ALONE.find((folder) => file.startsWith(folder));
    const single = LONG.includes(file) || file.startsWith("tests/interop/");
    const name = alone ?? (single ? file : file.split("/", 2).join("/"));
    const part = parts.get(name) ??
      { files: [], alone: alone !== undefined, together: alone === undefined && !single };
    part.files.push(file);
    parts.set(name, part);
  }
  const rank = ({ files: [first] }: Part): number =>
    LONG.includes(first!) ? LONG.indexOf(first!) : LONG.length;
  return [...parts.values()].sort((a, b) => rank(a) - rank(b));
}

interface Options {
  runtimes: readonly Runtime[];
  tier: Tier;
  verbose: boolean;
  times: boolean;
  limit: number;
  filters: string[];
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runtime: { type: "string", multiple: true },
      tier: { type: "string", default: "default" },
      verbose: { type: "boolean", default: false },
      times: { type: "boolean", default: false },
      limit: { type: "string" },
    },
  });
  const runtimes = RUNTIMES.filter((runtime) => values.runtime?.includes(runtime) ?? true);
  const unknown = values.runtime?.find((name) => !RUNTIMES.some((runtime) => runtime === name));
  if (unknown !== undefined) throw new Error(`unknown runtime "${unknown}"`);
  const tier = (["default", "system", "full"] as const).find((name) => name === values.tier);
  if (tier === undefined) throw new Error(`unknown tier "${values.tier}"`);
  const limit = values.limit === undefined ? LIMITS[tier] : Number(values.limit);
  if (!(limit > 0)) throw new Error(`--limit needs a number of seconds, not "${values.limit}"`);
  const filters = positionals.map((path) => path.replaceAll("\\", "/").replace(/^\.\//, ""));
  return { runtimes, tier, verbose: values.verbose, times: values.times, limit, filters };
}

/** All test files, as paths from the root with "/", in order. */
function testFiles(): string[] {
  return readdirSync(join(ROOT, "tests"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath ?? entry.path, entry.name)).split(sep).join("/"))
    .sort();
}

/** The files of a tier that one runtime is to run. */
function filesFor(runtime: Runtime, options: Options, files: readonly string[]): string[] {
  return files.filter((file) => {
    const entry = FOLDERS.find(({ folder }) => file.startsWith(folder));
    return entry !== undefined && entry.tiers.includes(options.tier) && entry.runtimes.includes(runtime) &&
      (options.filters.length === 0 || options.filters.some((filter) => file.includes(filter)));
  });
}

/** The arguments with which a runtime tests a part and writes its report to `report`. */
function testArguments(runtime: Runtime, { files, together }: Part, report: string): string[] {
  const paths = files.map((file) => `./${file}`); // "./" makes Bun take it as a path, not as a filter
  switch (runtime) {
    case "node":
      return [
        ...["--import", "tsx", "--test", "--test-concurrency=1"],
        ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
        ...["--test-reporter=./tests/support/node_reporter.js", `--test-reporter-destination=${report}`],
        ...(together ? ["./tests/support/node_files.ts"] : paths),
      ];
    case "deno":
      return ["test", "-A", "--no-check", `--junit-path=${report}`, ...paths];
    case "bun": // Bun ends a test after 5 s unless told otherwise; Node and Deno never do
      return ["test", "--timeout=600000", "--reporter=junit", `--reporter-outfile=${report}`, ...paths];
  }
}

interface Ended {
  output: string;
  /** Why the process did not end by itself with an exit code, or null. */
  broken: string | null;
  code: number | null;
}

const running = new Set<number>(); // process groups at work

function kill(group: number): void {
  try {
    process.kill(process.platform === "win32" ? group : -group, "SIGKILL");
  } catch {
    // it has ended already
  }
}

function start(
  runtime: Runtime,
  args: string[],
  files: readonly string[],
  limit: number,
  options: Options,
): Promise<Ended> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
    HEARTWIRE_TIER: options.tier,
    HEARTWIRE_TEST_FILES: files.join("\n"),
  };
  delete env["FORCE_COLOR"];
  delete env["NODE_TEST_CONTEXT"];
  return new Promise((resolve) => {
    const child = spawn(runtimePath(runtime), args, {
      cwd: ROOT,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32", // its own group, so that whatever it started can be ended with it
    });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    let output = "";
    let broken: string | null = null;
    const timer = setTimeout(() => {
      broken = `not finished after ${options.limit} s`;
      if (pid !== undefined) kill(pid);
    }, limit);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (options.verbose) process.stdout.write(text);
      });
    }
    child.on("error", (error) => broken ??= `could not be started: ${error.message}`);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (pid !== undefined) running.delete(pid);
      if (signal !== null) broken ??= `ended by ${signal}`;
      resolve({ output: stripVTControlCharacters(output).replaceAll("\r\n", "\n"), broken, code });
    });
  });
}

/** Runs one runtime. */
async function runOn(runtime: Runtime, files: string[], options: Options): Promise<Outcome[]> {
  const itself = (detail: string): Outcome => ({ name: `(${runtime} itself)`, status: "failed", detail });
  if (files.length === 0) return [itself("no test file to run")];
  const until = performance.now() + options.limit * 1_000;
  const outcomes: Outcome[] = [];
  const parts = partsOf(files);
  const work = async (queue: Part[]): Promise<void> => {
    for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
      outcomes.push(...await runPart(runtime, part, until, options));
    }
  };
  const shared = parts.filter(({ alone }) => !alone);
  await Promise.all(Array.from({ length: PROCESSES }, () => work(shared)));
  await work(parts.filter(({ alone }) => alone));
  if (options.tier !== "system" && outcomes.every(({ status }) => status === "skipped")) {
    outcomes.push(itself("executed no test"));
  }
  return outcomes;
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(1).padStart(6);
}

/** Runs one part; whatever is wrong with the run itself becomes a failed outcome too. */
async function runPart(runtime: Runtime, part: Part, until: number, options: Options): Promise<Outcome[]> {
  const { files } = part;
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "heartwire-tests-"));
  const report = join(folder, "report");
  try {
    const { output, broken, code } = await start(
      runtime,
      testArguments(runtime, part, report),
      files,
      Math.max(1, until - performance.now()),
      options,
    );
    if (!options.verbose) {
      for (const [, line] of output.matchAll(/^\s*(report:.*)$/gm)) console.log(`  ${line}`);
    }
    const wrong = (what: string): Outcome => ({
      name: `(${runtime} itself, with ${files[0]}${
        files.length === 1 ? "" : ` and ${files.length - 1} more`
      })`,
      status: "failed",
      detail: `${what}; the end of its output:\n${output.trimEnd().split("\n").slice(-40).join("\n")}`,
    });
    let outcomes: Outcome[];
    try {
      const text = readFileSync(report, "utf8");
      outcomes = runtime === "node"
        ? readNode(text)
        : runtime === "deno"
        ? readDeno(text, output)
        : readBun(text, output);
    } catch (error) {
      return [
        wrong(broken ?? `no usable report (exit ${code}): ${error instanceof Error ? error.message : error}`),
      ];
    }
    if (broken !== null) outcomes.push(wrong(broken));
    else if (code !== 0 && !outcomes.some(({ status }) => status === "failed")) {
      outcomes.push(wrong(`exit ${code} without a failed test`));
    } else if (outcomes.length === 0) {
      outcomes.push(wrong("no test was there"));
    }
    if (options.times) {
      console.log(
        `  ${seconds(started)} s  ${runtime}: ${files[0]}${
          files.length === 1 ? "" : `, ${files.length} files`
        }`,
      );
    }
    return outcomes;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function count(outcomes: readonly Outcome[], status: Outcome["status"]): number {
  return outcomes.filter((outcome) => outcome.status === status).length;
}

function indent(text: string, lines: number): string {
  return text.split("\n").slice(0, lines).map((line) => `      ${line}`.trimEnd()).join("\n");
}

function show(runtime: Runtime, outcomes: readonly Outcome[], seconds: number, options: Options): void {
  for (const { name, detail } of outcomes.filter(({ status }) => status === "failed")) {
    console.log(`  FAILED on ${runtime}: ${name}\n${indent(detail, 48)}`);
  }
  if (options.tier === "system" || options.verbose) {
    for (const { name, detail } of outcomes.filter(({ status }) => status === "skipped")) {
      console.log(`  skipped on ${runtime}: ${name}: ${detail || "no reason given"}`);
    }
  }
  const [passed, failed, skipped] = (["passed", "failed", "skipped"] as const).map((s) => count(outcomes, s));
  console.log(
    `${runtime.padEnd(4)}  ${passed} passed, ${failed} failed, ${skipped} skipped  (${seconds.toFixed(1)} s)`,
  );
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  const files = testFiles();
  const all: Outcome[] = [];
  let idle = true;
  for (const runtime of options.runtimes) {
    const chosen = filesFor(runtime, options, files);
    if (chosen.length === 0 && (options.filters.length > 0 || options.tier === "system")) continue;
    idle = false;
    const started = performance.now();
    const outcomes = await runOn(runtime, chosen, options);
    show(runtime, outcomes, (performance.now() - started) / 1_000, options);
    all.push(...outcomes);
  }
  if (idle) {
    console.log(`no test file of the ${options.tier} tier fits: nothing was run`);
  }
  console.log(
    `${count(all, "passed")} passed, ${count(all, "failed")} failed, ${count(all, "skipped")} skipped`,
  );
  if (idle) return options.tier === "system" && options.filters.length === 0 ? 0 : 1;
  return all.some(({ status }) => status === "failed") ? 1 : 0;
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.on(signal, () => {
    for (const group of running) kill(group);
    process.exit(code);
  });
}
process.exitCode = await main();

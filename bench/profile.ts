/**
 * Where a server's time goes while it echoes, or accepts: the functions with the most time of their own.
 *
 *   tsx bench/profile.ts [--runtime node|deno|bun] [--subject NAME] [--size BYTES] [--burst COUNT] [--ms TIME] [--top COUNT] [--accept]
 *
 * Where Linux's `perf` is there and may count, the processor is sampled, the kernel and the runtime's own code included, and instructions
 * and cycles a message are counted: instructions hardly depend on what else the machine does, so they tell two versions apart when times
 * do not. Without it, the runtime's sampling profiler. Sources are built to plain JavaScript, so lines are not those of the sources. Bun's
 * functions have no names here.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type Runtime, RUNTIMES } from "../tests/support/runtimes.ts";
import { build } from "./build.ts";
import type { Program } from "./process.ts";
import type { Ran, Run } from "./programs/load.ts";
import type { Profile } from "./programs/profiler.ts";
import { Contest } from "./suite.ts";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "node" },
    subject: { type: "string", default: "heartwire, volatile" },
    size: { type: "string", default: "64" },
    burst: { type: "string", default: "200" },
    ms: { type: "string", default: "3000" },
    top: { type: "string", default: "30" },
    accept: { type: "boolean", default: false },
  },
});
const [size, ms, top] = [Number(values.size), Number(values.ms), Number(values.top)];
const large = size > 4_096;
const unit = values.accept ? "connection" : "message";

/** Shares of time, 0 .. 1, by function. */
type Shares = readonly (readonly [name: string, share: number])[];

const IDLE = new Set(["(idle)", "(root)"]);

function sharesOf(profile: Profile): Shares {
  const names = new Map(profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
    const place = url === "" ? "" : ` ${basename(url)}:${lineNumber + 1}`;
    return [id, { name: functionName, text: `${functionName || "(anonymous)"}${place}` }];
  }));
  const times = new Map<string, number>();
  let busy = 0;
  for (const [at, id] of profile.samples.entries()) {
    const { name, text } = names.get(id)!;
    if (IDLE.has(name)) continue;
    const span = profile.timeDeltas[at]!;
    busy += span;
    times.set(text, (times.get(text) ?? 0) + span);
  }
  return [...times].map(([name, time]) => [name, time / busy] as const);
}

const canCount = spawnSync("perf", ["stat", "-e", "instructions", "true"]).status === 0;

/** Runs `perf` on a process while something else goes on, and gives what it wrote. */
async function perf(args: readonly string[], pid: number, during: () => Promise<void>): Promise<string> {
  const child = spawn("perf", [...args, "-p", String(pid)], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => text += chunk);
  const exit = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await new Promise((done) => setTimeout(done, 200));
  await during();
  child.kill("SIGINT");
  await exit;
  return text;
}

/** Where the samples fell; and the same with all that is not JavaScript counted to the function that called it. */
interface Sampled {
  readonly own: Shares;
  readonly callers: Shares;
}

async function sampled(server: Program, load: () => Promise<unknown>): Promise<Sampled> {
  if (!canCount) {
    await server.call("startProfile");
    await load();
    return { own: sharesOf(await server.call<Profile>("stopProfile")), callers: [] };
  }
  const folder = mkdtempSync(join(tmpdir(), "heartwire-perf-"));
  try {
    const file = join(folder, "data");
    const record = ["record", "-F", "4999", "--call-graph", "fp", "-o", file];
    await perf(record, server.pid, async () => void await load());
    const { stdout } = spawnSync("perf", ["script", "-i", file, "-F", "ip,sym"], {
      encoding: "utf8",
      maxBuffer: 2 ** 30,
    });
    const own = new Map<string, number>();
    const callers = new Map<string, number>();
    const stacks = stdout.split("\n\n").filter((stack) => stack.trim() !== "");
    for (const stack of stacks) {
      const frames = stack.trim().split("\n").map((line) => {
        const [, address, name] = /^\s*(\S+)\s+(.*)$/.exec(line) ?? ["", "", ""];
        return address!.startsWith("ffff") ? `kernel: ${name}` : shorter(name!);
      });
      const caller = frames.find((name) => /^[*+~^]/.test(name)) ?? "no JavaScript";
      own.set(frames[0]!, (own.get(frames[0]!) ?? 0) + 1 / stacks.length);
      callers.set(caller, (callers.get(caller) ?? 0) + 1 / stacks.length);
    }
    return { own: [...own], callers: [...callers] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What kind of code a function is. */
function kindOf(name: string): string {
  if (name.startsWith("kernel: ")) return "the kernel";
  if (/^[*+]/.test(name)) return "JavaScript, optimized";
  if (/^[~^]/.test(name)) return "JavaScript, not optimized";
  if (name.startsWith("Builtins_")) return "the engine's built-in functions";
  if (/^v8::internal::(compiler|maglev|baseline|interpreter)|Parse|Scanner|Bytecode/.test(name)) {
    return "the engine's compilers";
  }
  if (/Scaveng|MarkCompact|Marking|Heap|Sweep|GC|Evacuat/.test(name)) return "the collector";
  return "all else";
}

/** The function and its file, of what V8 and compilers of C++ call it. */
function shorter(name: string): string {
  return name.replace(/^LazyCompile:|^Function:|^JS:/, "").replace(
    /file:\/\/\S*\/bench-?\S*?\/|file:\/\/\S*\/(?=[\w.]+:\d)/,
    "",
  )
    .trim().slice(0, 110);
}

const runtime = RUNTIMES.find((each) => each === values.runtime) as Runtime;
const built = await build();
const contest = Contest.start({ runtime, folder: built.folder, quick: false });
try {
  const { server, port } = (await contest.serve(
    values.subject,
    {},
    canCount
      ? ["--perf-basic-prof", "--no-logfile-per-isolate", `--logfile=${join(built.folder, "v8.log")}`]
      : [],
  ))!;
  const group = await contest.load.call<number>("open", { name: values.subject, port, size, count: 1 });
  const run: Run = { group, ms, burst: Number(values.burst), bursts: large ? 2 : 1, together: 1 };
  const echo = (span: number, least = 0): Promise<Ran> =>
    contest.load.call<Ran>("run", { ...run, ms: span, least });
  /** Connections instead of messages. */
  const accept = async (span: number, least = 0): Promise<Pick<Ran, "messages">> => {
    const end = performance.now() + span;
    let messages = 0;
    for (; performance.now() < end || messages < least; messages += 250) {
      const more = { name: values.subject, port, size, count: 250 };
      await contest.load.call("close", await contest.load.call<number>("open", more));
    }
    return { messages };
  };
  const load = values.accept ? accept : echo;
  await load(1_000, values.accept ? 3_000 : large ? 8_000 : 600_000);
  const before = await server.call<number>("cpu");
  let messages = 0;
  const counted = async (): Promise<void> => {
    messages = (await load(ms / 2)).messages;
  };
  const counts = canCount
    ? await perf(["stat", "-e", "instructions,cycles,context-switches"], server.pid, counted)
    : (await counted(), "");
  const each = (await server.call<number>("cpu") - before) / messages;
  const { own, callers } = await sampled(server, () => load(ms));
  console.log(`${values.subject}, ${size} B, ${runtime}: ${each.toFixed(2)} us of CPU a ${unit}`);
  for (const [, count, name] of counts.matchAll(/^\s*([\d,]+)\s+([\w-]+)/gm)) {
    console.log(`${(Number(count!.replaceAll(",", "")) / messages).toFixed(2)} ${name} a ${unit}`);
  }
  console.log();
  const kinds = new Map<string, number>();
  for (const [name, share] of own) kinds.set(kindOf(name), (kinds.get(kindOf(name)) ?? 0) + share);
  const list = (some: Shares): void => {
    for (const [name, share] of some.toSorted((a, b) => b[1] - a[1]).slice(0, top)) {
      console.log(
        `${(100 * share).toFixed(1).padStart(5)} %  ${(share * each).toFixed(3).padStart(7)} us  ${name}`,
      );
    }
  };
  if (canCount) list([...kinds]);
  console.log("\nOwn time:");
  list(own);
  if (callers.length > 0) console.log("\nOwn time, with what of the engine and the kernel a function calls:");
  list(callers);
} finally {
  await contest.stop();
  built.remove();
}
process.exit();

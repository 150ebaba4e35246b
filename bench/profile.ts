/**
 * Where a server's time goes: the functions with the most time of their own while it echoes.
 *
 *   tsx bench/profile.ts [--runtime node|deno|bun] [--subject NAME] [--size BYTES] [--burst COUNT] [--ms TIME] [--top COUNT]
 *
 * By the sampling profiler of the runtime. Shares are of the time in which the server was not idle; times a message are
 * made of the CPU time of the process. Built sources are plain JavaScript, so names and lines are theirs.
 *
 * @module
 */

import { basename } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type Runtime, RUNTIMES } from "../tests/support/runtimes.ts";
import { build } from "./build.ts";
import type { Ran } from "./programs/load.ts";
import type { Profile } from "./programs/profiler.ts";
import { Contest } from "./suite.ts";

const IDLE = new Set(["(idle)", "(root)"]);

/** Time of each function's own, us, and of all that was not idle. */
function ownTimes(profile: Profile): { times: Map<string, number>; busy: number } {
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
  return { times, busy };
}

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "node" },
    subject: { type: "string", default: "heartwire, volatile" },
    size: { type: "string", default: "64" },
    burst: { type: "string", default: "200" },
    ms: { type: "string", default: "3000" },
    top: { type: "string", default: "30" },
  },
});
const runtime = RUNTIMES.find((each) => each === values.runtime) as Runtime;
const built = await build();
const contest = Contest.start({ runtime, folder: built.folder, quick: false });
try {
  const { server, port } = (await contest.serve(values.subject))!;
  const [size, burst, ms] = [Number(values.size), Number(values.burst), Number(values.ms)];
  const group = await contest.load.call("open", { name: values.subject, port, size, count: 1 });
  const load = { group, burst, bursts: size > 4_096 ? 2 : 1, together: 1 };
  await contest.load.call<Ran>("run", { ...load, ms: 1_000, least: size > 4_096 ? 4_000 : 200_000 });
  const before = await server.call<number>("cpu");
  const { messages } = await contest.load.call<Ran>("run", { ...load, ms: 1_000 });
  const cpu = await server.call<number>("cpu") - before;
  await server.call("startProfile");
  await contest.load.call<Ran>("run", { ...load, ms });
  const { times, busy } = ownTimes(await server.call<Profile>("stopProfile"));
  const each = cpu / messages;
  console.log(`${values.subject}, ${size} B, ${runtime}: ${each.toFixed(2)} us of CPU a message\n`);
  const sorted = [...times].sort((a, b) => b[1] - a[1]).slice(0, Number(values.top));
  for (const [name, time] of sorted) {
    const share = time / busy;
    console.log(
      `${(100 * share).toFixed(1).padStart(5)} %  ${(share * each).toFixed(3).padStart(7)} us  ${name}`,
    );
  }
} finally {
  await contest.stop();
  built.remove();
}
process.exit();

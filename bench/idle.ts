/**
 * What a server holds for a connection on which nothing happens.
 *
 * Rules: a new server for each subject and round. Some connections come first, so that what is there once is not counted, nor what the engine needs
 * to compile what accepts them; then the rest, and everything is collected that nobody holds. `heap` is what the engine counts, buffers outside its
 * heap included; the runtime's own part of a socket is not in it, but that is the same for all who use the runtime's sockets, so what somebody adds
 * to a raw one is exact. `resident` is what the process has of the machine: all of it, and what the engine keeps for later; V8 is told to keep
 * little. What the kernel holds for a socket is in no figure.
 *
 * @module
 */

import type { Memory } from "./programs/memory.ts";
import type { Mark } from "./report.ts";
import { Contest, type Context, reportOf, Rounds, type Suite } from "./suite.ts";

const RESIDENT = "idle connection, resident";
const HEAP = "idle connection, heap";
const KIB = 1_024;
/** ms between the heartbeats of those connections that have everything on, so that some come before it is measured. */
const INTERVAL = 5_000;
/** What V8 keeps for young objects, MiB: 16 of them would stand for 8 KiB a connection. */
const V8 = ["--max-semi-space-size=1"];
const ALL_ON = "heartwire, everything on";

function plan({ quick }: Context): { count: number; first: number; rounds: number; settle: number } {
  return quick
    ? { count: 64, first: 16, rounds: 1, settle: 20 }
    : { count: 1_500, first: 4_000, rounds: 2, settle: 1.2 * INTERVAL };
}

/** The suite. */
export const idle: Suite = {
  name: "idle",
  async run(context) {
    const { count, first, rounds, settle } = plan(context);
    const deno = context.runtime === "deno";
    const limit = deno ? "raw socket, 1 KiB buffer" : "raw socket";
    const subjects = ["heartwire", "heartwire, session", ALL_ON, "raw socket", "ws"];
    if (deno) subjects.push(limit);
    const kept = new Rounds();
    let runtime = "";
    const absent: string[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const name of subjects) {
        const contest = Contest.start(context);
        try {
          const interval = name === ALL_ON ? { interval: INTERVAL } : {};
          const contestant = await contest.serve(name, interval, V8);
          if (contestant === null) {
            absent.push(...contest.absent);
            continue;
          }
          const { server, port } = contestant;
          runtime = contestant.runtime;
          const open = { name, port, size: 64, ...interval };
          const group = await contest.load.call<number>("open", { ...open, count: first });
          const before = await server.call<Memory>("memory");
          await contest.load.call("open", { ...open, count: first + count, group });
          if (name === ALL_ON) await contest.load.call("wait", settle);
          const after = await server.call<Memory>("memory");
          kept.add(RESIDENT, name, "KiB", (after.resident - before.resident) / count / KIB);
          kept.add(HEAP, name, "KiB", (after.heap - before.heap) / count / KIB);
        } finally {
          await contest.stop();
        }
      }
    }
    const names = ["heartwire, session", ALL_ON];
    const marks = names.map((name): Mark => ({
      number: 8,
      what: `${name}: KiB of heap for an idle connection above a raw socket`,
      value: kept.median(HEAP, name) - kept.median(HEAP, limit),
      bound: "at most",
      ...(deno ? {} : { limit: 1.5 }),
    }));
    marks.push(...names.map((name): Mark => ({
      number: 8,
      what: `${name}: KiB resident for an idle connection`,
      value: kept.median(RESIDENT, name),
      bound: "at most",
      ...(deno ? { limit: 8 } : {}),
    })));
    const against = `${count} connections; clients on Node`;
    return reportOf("idle", runtime, rounds, kept, marks, against, [...new Set(absent)]);
  },
};

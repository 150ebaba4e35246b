/**
 * What a connection costs a server until it is established.
 *
 * Rules: clients dial, 128 at a time, and hold what they have; the server's CPU time is taken from before the first dial until all are
 * established. Then they go, which is not counted. A raw socket is established when it was accepted; with one message each way, which is
 * the least that any handshake takes, when the client has its answer. The first ones of a server are told by themselves: the engine is
 * not done with what an accept takes before some 8,000. In the core alone both ends are counted.
 *
 * @module
 */

import { Program } from "./process.ts";
import type { Mark } from "./report.ts";
import { Contest, type Context, reportOf, Rounds, type Suite } from "./suite.ts";

const WHAT = "accept to established";
const FIRST = `${WHAT}, the first ones of a server`;
const RAW = "raw socket";
const ONE_EACH = "raw socket, one message each way";
const SUBJECTS = ["heartwire", "heartwire, session", RAW, ONE_EACH, "ws"];
const CORE = "handshake, the core alone, both ends";

/** `warm` rounds come before those that count. */
function plan({ quick }: Context): { count: number; rounds: number; warm: number; core: number } {
  return quick
    ? { count: 32, rounds: 2, warm: 0, core: 50 }
    : { count: 400, rounds: 7, warm: 20, core: 2_000 };
}

async function overSockets(context: Context, kept: Rounds): Promise<{ runtime: string; absent: string[] }> {
  const { count, rounds, warm } = plan(context);
  const contest = Contest.start(context);
  try {
    for (const name of SUBJECTS) await contest.serve(name === ONE_EACH ? RAW : name);
    // The two raw ones have a server each, in the order in which they were started.
    const names = contest.contestants.map(({ name }, at) =>
      name === RAW && contest.contestants[at - 1]?.name === RAW ? ONE_EACH : name
    );
    for (let round = -warm; round < rounds; round++) {
      for (const [at, { name, server, port }] of contest.contestants.entries()) {
        const gone = await server.call<number>("established");
        const before = await server.call<number>("cpu");
        const group = await contest.load.call<number>("open", { name, port, size: 64, count });
        if (names[at] === ONE_EACH) {
          await contest.load.call("run", {
            group,
            ms: 0,
            least: count,
            burst: 1,
            bursts: 1,
            together: count,
          });
        }
        while (await server.call<number>("established") < gone + count) await contest.load.call("wait", 1);
        const spent = await server.call<number>("cpu") - before;
        if (round >= 0) kept.add(WHAT, names[at]!, "us", spent / count);
        if (round === -warm) kept.add(FIRST, names[at]!, "us", spent / count);
        await contest.load.call("close", group);
        for (let turn = 0; turn < 500 && await server.call<number>("established") > 0; turn++) {
          await contest.load.call("wait", 10);
        }
      }
    }
    return { runtime: contest.contestants[0]!.runtime, absent: contest.absent };
  } finally {
    await contest.stop();
  }
}

async function coreAlone(context: Context, kept: Rounds): Promise<void> {
  const { rounds, warm, core } = plan(context);
  const program = Program.start(context.folder, context.runtime, "core", [], null);
  try {
    for (let round = -Math.ceil(warm / 4); round < rounds; round++) {
      for (
        const [kind, subject] of [["plain", "no session"], ["session", "new session"], ["resume", "resumed"]]
      ) {
        const us = await program.call<number>("handshakes", { count: core, kind });
        if (round >= 0) kept.add(CORE, `heartwire, ${subject}`, "us", us);
      }
    }
  } finally {
    await program.stop();
  }
}

/** The suite. */
export const accept: Suite = {
  name: "accept",
  async run(context) {
    const kept = new Rounds();
    const { runtime, absent } = await overSockets(context, kept);
    await coreAlone(context, kept);
    const marks: Mark[] = [
      {
        number: 11,
        what: `${WHAT}, with a session: times a raw accept`,
        value: kept.ratio(WHAT, "heartwire, session", RAW),
        bound: "at most",
        limit: 1.3,
        least: kept.ratio(WHAT, ONE_EACH, RAW),
      },
      {
        number: 11,
        what: `${WHAT}: the limit, a raw socket with one message each way, times a raw accept`,
        value: kept.ratio(WHAT, ONE_EACH, RAW),
        bound: "at most",
      },
      ...["new session", "resumed"].map((subject): Mark => ({
        number: 11,
        what: `${CORE}, ${subject}: a second of CPU`,
        value: 1e6 / kept.median(CORE, `heartwire, ${subject}`),
        bound: "at least",
        limit: 20_000,
      })),
    ];
    return reportOf("accept", runtime, plan(context).rounds, kept, marks, "clients on Node", absent);
  },
};

/**
 * What a heartbeat costs a server that has nothing else to do: thousands of connections, each beating once a second.
 *
 * Rules: a raw ping is 16 bytes that come back as they are; the limit gives them a length and a checksum; ws answers PINGs by itself.
 * heartwire's heartbeats are the real ones, by options alone: a round trip is a PING that was answered, in either direction, for the server asks
 * as well. The connections of one subject are there at a time, and the rounds follow one another, for so many take a while to come.
 *
 * @module
 */

import type { Mark } from "./report.ts";
import { Contest, type Context, reportOf, Rounds, type Suite } from "./suite.ts";

const WHAT = "heartbeat round trip";
/** The least that finds a flipped bit. */
const LIMIT = "framed by hand, CRC";
const SUBJECTS = ["heartwire", "raw socket", LIMIT, "ws"];
const INTERVAL = 1_000;

function plan({ quick }: Context): { count: number; ms: number; settle: number; rounds: number } {
  return quick
    ? { count: 50, ms: 300, settle: 100, rounds: 1 }
    : { count: 2_000, ms: 2_000, settle: 12_000, rounds: 5 };
}

/** The suite. */
export const heartbeats: Suite = {
  name: "heartbeats",
  async run(context) {
    const { count, ms, settle, rounds } = plan(context);
    // Few connections for a short time beat faster, or none would.
    const interval = context.quick ? 100 : INTERVAL;
    const kept = new Rounds();
    let runtime = "";
    const absent: string[] = [];
    for (const name of SUBJECTS) {
      const contest = Contest.start(context);
      try {
        const contestant = await contest.serve(name, { interval });
        if (contestant === null) {
          absent.push(...contest.absent);
          continue;
        }
        const { server, port } = contestant;
        runtime = contestant.runtime;
        const group = await contest.load.call<number>("open", { name, port, size: 16, count, interval });
        const ours = name.startsWith("heartwire");
        const beat = async (span: number): Promise<number> => {
          const before = await server.call<number>("beats");
          const cpu = await server.call<number>("cpu");
          if (ours) await contest.load.call("wait", span);
          else await contest.load.call("beat", { group, ms: span, interval });
          const spent = await server.call<number>("cpu") - cpu;
          const beats = ours ? await server.call<number>("beats") - before : count * span / interval;
          return spent / beats;
        };
        await beat(settle);
        for (let round = 0; round < rounds; round++) kept.add(WHAT, name, "us", await beat(ms));
      } finally {
        await contest.stop();
      }
    }
    const marks: Mark[] = [
      { other: "raw socket", what: "a raw ping's", limit: 1.1 },
      { other: "ws", what: "that of ws", limit: 0.85 },
    ].map(({ other, what, limit }) => ({
      number: 10,
      what: `${WHAT}, server's CPU: times ${what}`,
      value: kept.ratio(WHAT, "heartwire", other),
      bound: "at most",
      limit,
      least: kept.ratio(WHAT, LIMIT, other),
    }));
    marks.push({
      number: 10,
      what: `${WHAT}, server's CPU: the limit, framed by hand with a CRC, times a raw ping's`,
      value: kept.ratio(WHAT, LIMIT, "raw socket"),
      bound: "at most",
    });
    const against = `${count} connections, a beat every ${interval} ms; clients on Node`;
    return reportOf("heartbeats", runtime, rounds, kept, marks, against, [...new Set(absent)]);
  },
};

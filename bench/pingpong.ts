/**
 * How long a message of 64 bytes takes to and fro, one at a time.
 *
 * Rules: clients and servers run on the same runtime, each pinned to a core of its own. The client of ws is a socket that writes a frame
 * made beforehand, so its round trip is a little better than a program's; heartwire has both its ends.
 *
 * @module
 */

import type { Mark } from "./report.ts";
import { Contest, type Context, pinning, reportOf, Rounds, type Suite } from "./suite.ts";

const WHAT = "round trip, 64 B, median";
const TAIL = "round trip, 64 B, 99 of 100";
const CPU = "server's CPU a round trip";
/** The least that finds a flipped bit. */
const LIMIT = "framed by hand, CRC";
const SUBJECTS = [
  "heartwire",
  "heartwire, volatile",
  "heartwire, session",
  "raw socket",
  "framed by hand",
  LIMIT,
  "ws",
  "socket.io",
];

interface Trip {
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

function plan({ quick }: Context): { ms: number; warm: number; rounds: number } {
  return quick ? { ms: 30, warm: 0, rounds: 2 } : { ms: 150, warm: 20_000, rounds: 9 };
}

/** The suite. */
export const pingpong: Suite = {
  name: "pingpong",
  async run(context) {
    const { ms, warm, rounds } = plan(context);
    const kept = new Rounds();
    const contest = Contest.start(context, context.runtime, true);
    try {
      const groups = new Map<string, number>();
      const trip = (name: string, span: number, least = 0): Promise<Trip> =>
        contest.load.call<Trip>("pingPong", { group: groups.get(name), ms: span, least });
      for (const name of SUBJECTS) {
        const contestant = await contest.serve(name);
        if (contestant === null) continue;
        try {
          const { port } = contestant;
          groups.set(name, await contest.load.call<number>("open", { name, port, size: 64, count: 1 }));
          await trip(name, 0, warm);
        } catch (error) {
          contest.drop(name, error);
        }
      }
      for (let round = 0; round < rounds; round++) {
        for (const { name, server } of contest.contestants) {
          const before = await server.call<number>("cpu");
          const { p50, p99, count } = await trip(name, ms);
          kept.add(WHAT, name, "us", p50);
          kept.add(TAIL, name, "us", p99);
          kept.add(CPU, name, "us", (await server.call<number>("cpu") - before) / count);
        }
      }
      const marks = ["heartwire", "heartwire, session"].map((name): Mark => ({
        number: 6,
        what: `${WHAT}, ${name}: times a raw socket's`,
        value: kept.ratio(WHAT, name, "raw socket"),
        bound: "at most",
        limit: 1.1,
        least: kept.ratio(WHAT, LIMIT, "raw socket"),
      }));
      marks.push({
        number: 6,
        what: `${WHAT}: the limit, framed by hand with a CRC, times a raw socket's`,
        value: kept.ratio(WHAT, LIMIT, "raw socket"),
        bound: "at most",
      });
      const { runtime } = contest.contestants[0]!;
      return reportOf("pingpong", runtime, rounds, kept, marks, pinning(), contest.absent);
    } finally {
      await contest.stop();
    }
  },
};

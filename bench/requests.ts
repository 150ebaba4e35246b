/**
 * What a request and its reply cost a server: 64 bytes each, 64 in flight.
 *
 * Rules: each client is the subject's own, for there is no cheaper one that keeps its books. The next request goes when a reply is there.
 * Rates at equal CPU are compared by what a request takes of the server's CPU; that of both ends stands beside it.
 *
 * @module
 */

import type { Ran } from "./programs/load.ts";
import type { Mark } from "./report.ts";
import { Contest, type Context, reportOf, Rounds, type Suite } from "./suite.ts";

const WHAT = "request and reply, 64 B, 64 in flight";
const BOTH = `${WHAT}, both ends`;
const OURS = "heartwire, requests";
const SUBJECTS = [OURS, "rsocket-js", "socket.io, requests"];
const IN_FLIGHT = 64;

function plan({ quick }: Context): { ms: number; warm: number; least: number; rounds: number } {
  return quick
    ? { ms: 20, warm: 10, least: 0, rounds: 2 }
    : { ms: 250, warm: 300, least: 200_000, rounds: 7 };
}

/** The suite. */
export const requests: Suite = {
  name: "requests",
  async run(context) {
    const { ms, warm, least, rounds } = plan(context);
    const kept = new Rounds();
    const contest = Contest.start(context);
    try {
      const groups = new Map<string, number>();
      const load = (name: string, span: number, messages = 0): Promise<Ran> =>
        contest.load.call<Ran>("run", {
          group: groups.get(name),
          ms: span,
          least: messages,
          burst: 1,
          bursts: IN_FLIGHT,
          together: 1,
        });
      for (const name of SUBJECTS) {
        const contestant = await contest.serve(name);
        if (contestant === null) continue;
        try {
          const { port } = contestant;
          groups.set(name, await contest.load.call<number>("open", { name, port, size: 64, count: 1 }));
          await load(name, warm, least);
        } catch (error) {
          contest.drop(name, error);
        }
      }
      for (let round = 0; round < rounds; round++) {
        for (const { name, server } of contest.contestants) {
          const before = await server.call<number>("cpu");
          const { messages, cpu, wall } = await load(name, ms);
          const spent = await server.call<number>("cpu") - before;
          kept.add(WHAT, name, "us", spent / messages);
          kept.add(BOTH, name, "us", (spent + cpu) / messages);
          kept.add(`${WHAT}, wall time`, name, "us", 1_000 * wall / messages);
        }
      }
      const marks = SUBJECTS.slice(1).map((name): Mark => ({
        number: 12,
        what: `${WHAT}: ${name.replace(", requests", "")} takes so many times as much of the server's CPU`,
        value: kept.ratio(WHAT, name, OURS),
        bound: "at least",
        limit: 5,
      }));
      const { runtime } = contest.contestants[0]!;
      return reportOf("requests", runtime, rounds, kept, marks, "clients on Node", contest.absent);
    } finally {
      await contest.stop();
    }
  },
};

/**
 * Whether a message costs the same when there are many connections, and whether anything grows that should not.
 *
 * Rules: bursts of 32 messages, one burst at a time, the connections in turn: so a read brings as much with one connection as with ten
 * thousand, and what differs is what is no longer in the processor's caches. A raw socket shows how much of that is the kernel's. The soak
 * echoes on one session and compares what the server holds before and after.
 *
 * @module
 */

import type { Memory } from "./programs/memory.ts";
import type { Ran, Run } from "./programs/load.ts";
import type { Mark } from "./report.ts";
import { Contest, type Contestant, type Context, reportOf, Rounds, type Suite } from "./suite.ts";

const OURS = "heartwire, session";
const RAW = "raw socket";
const BURST = 32;
const KIB = 1_024;
const cost = (count: number): string => `echo, 64 B, ${count.toLocaleString("en")} connections`;
const space = (count: number): string => `heap for each of ${count.toLocaleString("en")} connections`;

function plan(
  { quick, soak }: Context,
): { counts: readonly number[]; ms: number; rounds: number; least: number; soakMs: number } {
  return quick
    ? { counts: [1, 20], ms: 20, rounds: 2, least: 0, soakMs: 50 }
    : { counts: [1, 100, 1_000, 10_000], ms: 250, rounds: 5, least: 20_000, soakMs: 1_000 * (soak ?? 6) };
}

/** The suite. */
export const growth: Suite = {
  name: "growth",
  async run(context) {
    const { counts, ms, rounds, least, soakMs } = plan(context);
    const kept = new Rounds();
    // A process of clients for each: ten thousand sockets and as many again are more than one may have.
    const crowds: Crowd[] = [];
    try {
      for (const name of [OURS, RAW]) {
        const crowd = await Crowd.start(context, name);
        crowds.push(crowd);
        await crowd.load(0, least * 3);
        await crowd.weigh();
      }
      for (const count of counts) {
        for (const crowd of crowds) {
          await crowd.grow(count);
          if (count > 1) kept.add(space(count), crowd.name, "KiB", await crowd.weigh() / (count - 1) / KIB);
          await crowd.load(0, least);
        }
        for (let round = 0; round < rounds; round++) {
          for (const crowd of crowds) kept.add(cost(count), crowd.name, "us a message", await crowd.load(ms));
        }
      }
      const { runtime } = crowds[0]!;
      const soaked = await soak(context, soakMs, kept);
      const [first, last] = [counts[0]!, counts.at(-1)!];
      const grown = (name: string): number => kept.median(cost(last), name) / kept.median(cost(first), name);
      const middle = counts.at(-2)!;
      const marks: Mark[] = [
        {
          number: 14,
          what: "CPU a message, 10,000 connections against 1",
          value: grown(OURS),
          bound: "at most",
          limit: 1.1,
          least: grown(RAW),
        },
        { number: 14, what: "the same of a raw socket", value: grown(RAW), bound: "at most" },
        {
          number: 14,
          what: "memory of a connection, 10,000 of them against 1,000",
          value: middle === 1 ? 1 : kept.median(space(last), OURS) / kept.median(space(middle), OURS),
          bound: "at most",
          limit: 1.1,
        },
        {
          number: 14,
          what: "soak: what the server holds afterwards, times before",
          value: soaked,
          bound: "at most",
          limit: 1.05,
        },
      ];
      const against = `clients on Node; soak of ${(soakMs / 1_000).toFixed(0)} s`;
      return reportOf("growth", runtime, rounds, kept, marks, against);
    } finally {
      await Promise.all(crowds.map((crowd) => crowd.stop()));
    }
  },
};

/** One server and its clients, ever more of them. */
class Crowd {
  readonly name: string;
  readonly #contest: Contest;
  readonly #contestant: Contestant;
  #group: number | null = null;
  #empty: number | null = null;

  private constructor(contest: Contest, contestant: Contestant) {
    this.name = contestant.name;
    this.#contest = contest;
    this.#contestant = contestant;
  }

  static async start(context: Context, name: string): Promise<Crowd> {
    const contest = Contest.start(context);
    const crowd = new Crowd(contest, (await contest.serve(name))!);
    await crowd.grow(1);
    return crowd;
  }

  get runtime(): string {
    return this.#contestant.runtime;
  }

  /** There are so many connections from now on. */
  async grow(count: number): Promise<void> {
    const { name, port } = this.#contestant;
    const group = this.#group === null ? {} : { group: this.#group };
    this.#group = await this.#contest.load.call<number>("open", { name, port, size: 64, count, ...group });
  }

  /** Bytes that the server's heap has more than when this was called first. */
  async weigh(): Promise<number> {
    const { heap } = await this.#contestant.server.call<Memory>("memory");
    this.#empty ??= heap;
    return heap - this.#empty;
  }

  /** CPU of the server for a message, us. */
  async load(ms: number, least = 0): Promise<number> {
    const before = await this.#contestant.server.call<number>("cpu");
    const run: Run = { group: this.#group!, ms, least, burst: BURST, bursts: 1, together: 1 };
    const { messages } = await this.#contest.load.call<Ran>("run", run);
    return (await this.#contestant.server.call<number>("cpu") - before) / messages;
  }

  stop(): Promise<void> {
    return this.#contest.stop();
  }
}

/** Echoes for a while and says what the server holds then, times what it held before. */
async function soak(context: Context, ms: number, kept: Rounds): Promise<number> {
  const contest = Contest.start(context);
  try {
    const { server, port } = (await contest.serve(OURS))!;
    const group = await contest.load.call<number>("open", { name: OURS, port, size: 64, count: 1 });
    const load = (span: number): Promise<Ran> =>
      contest.load.call<Ran>("run", { group, ms: span, burst: 200, bursts: 1, together: 1 });
    await load(ms / 3);
    const before = await server.call<Memory>("memory");
    const { messages } = await load(ms);
    const after = await server.call<Memory>("memory");
    const what = "soak, held by the server's heap";
    kept.add(what, "before", "KiB", before.heap / KIB);
    kept.add(what, `after ${messages.toLocaleString("en")} messages`, "KiB", after.heap / KIB);
    return after.heap / before.heap;
  } finally {
    await contest.stop();
  }
}

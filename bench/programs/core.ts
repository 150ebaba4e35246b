/**
 * What only the core costs, in one process: deadlines, heartbeats, handshakes. No sockets and no clock but virtual time.
 *
 * @module
 */

import process from "node:process";
import { Deadlines, type Timed } from "../../core/deadlines.ts";
import type { Environment } from "../../core/environment.ts";
import { Timer, Timers } from "../../core/timers.ts";
import { platformOf } from "../peers/heartwire.ts";
import { answer, cpuMicros } from "./commands.ts";
import { CoreWorld } from "./core_world.ts";
import { collect } from "./memory.ts";

const SECOND = 1_000;

interface Entry extends Timed {
  /** When it is due in truth; the heap may have it earlier. */
  deadline: number;
}

function entries(count: number, period: number): { heap: Deadlines<Entry>; all: Entry[] } {
  const heap = new Deadlines<Entry>();
  const all = Array.from({ length: count }, (_, at): Entry => {
    const deadline = period * (1 + at / count);
    return { deadline, index: -1 };
  });
  for (const entry of all) heap.update(entry, entry.deadline);
  return { heap, all };
}

/**
 * Deadlines that come up and move on by a period, as those of heartbeats do: CPU ms for each second of virtual time. Every connection is
 * heard once between two of its deadlines, which is not counted here.
 */
function period({ count, seconds }: { count: number; seconds: number }): number {
  const span = 10 * SECOND;
  const { heap } = entries(count, span);
  const step = 10;
  const start = cpuMicros();
  for (let now = span; now < span + seconds * SECOND; now += step) {
    for (let entry = heap.take(now); entry !== null; entry = heap.take(now)) {
      entry.deadline = now + span;
      heap.update(entry, entry.deadline);
    }
  }
  return (cpuMicros() - start) / 1_000 / seconds;
}

// The loops are functions of their own, so that they stay compiled from round to round.

function touchAll(
  heap: Deadlines<Entry>,
  all: readonly Entry[],
  tables: readonly Timers[],
  times: number,
): void {
  for (let time = 0; time < times; time++) {
    const now = 1_000_000 + 7 * time;
    const at = time % all.length;
    const table = tables[at]!;
    table.set(Timer.INBOUND, now + 30_000_000);
    table.set(Timer.BEAT, now + 10_000_000);
    heap.update(all[at]!, table.next());
  }
}

function touchHeaps(heap: Deadlines<Entry>, all: readonly Entry[], times: number): void {
  for (let time = 0; time < times; time++) heap.update(all[time % all.length]!, 1e9 + time);
}

/** What a received packet costs the timers of its connection, ns: two are armed anew, the earliest is found, the heap is told. */
function touch({ count, times }: { count: number; times: number }): number {
  const { heap, all } = entries(count, 10 * SECOND);
  const tables = all.map(() => new Timers());
  const start = cpuMicros();
  touchAll(heap, all, tables, times);
  return 1_000 * (cpuMicros() - start) / times;
}

/** The same of the heap alone, ns. */
function touchHeap({ count, times }: { count: number; times: number }): number {
  const { heap, all } = entries(count, 10 * SECOND);
  const start = cpuMicros();
  touchHeaps(heap, all, times);
  return 1_000 * (cpuMicros() - start) / times;
}

/** What the runtime's own timers cost instead: one `refresh` for each packet, ns. */
function touchTimeout({ count, times }: { count: number; times: number }): number {
  const timers = Array.from({ length: count }, () => setTimeout(() => {}, 100 * SECOND));
  const start = cpuMicros();
  for (let time = 0; time < times; time++) timers[time % count]!.refresh();
  const cost = 1_000 * (cpuMicros() - start) / times;
  for (const timer of timers) clearTimeout(timer);
  return cost;
}

async function held(): Promise<number> {
  await collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that a timer adds to an object that is there anyway. */
async function timerBytes(count: number): Promise<number> {
  const empty = await held();
  let plain: object[] | null = Array.from({ length: count }, (_, at) => ({ deadline: 0.5 + at }));
  const without = await held();
  if (plain.length !== count) throw new Error("collected");
  plain = null;
  const between = await held();
  const { heap, all } = entries(count, 10 * SECOND);
  const withTimers = await held();
  if (heap.next() === 0 || all.length !== count) throw new Error("collected");
  return (withTimers - between - (without - empty)) / count;
}

async function environment(): Promise<Environment> {
  return (await platformOf()).environment;
}

/** CPU of both ends for each heartbeat that was answered, us, by the core alone. */
async function beats({ count, seconds }: { count: number; seconds: number }): Promise<number> {
  const heartbeat = { interval: 10 * SECOND };
  const world = new CoreWorld(await environment(), { heartbeat }, { heartbeat });
  // Connections do not begin in one moment.
  for (let at = 0; at < count; at++) world.connect(at * 10 * SECOND / count);
  world.run(20 * SECOND);
  const answered = (): number =>
    world.pairs.reduce((sum, { there }) => {
      const { pongsSent, pingsAnswered } = there!.stats();
      return sum + pongsSent + pingsAnswered;
    }, 0);
  const before = answered();
  const start = cpuMicros();
  world.run((20 + seconds) * SECOND);
  const spent = cpuMicros() - start;
  return spent / (answered() - before);
}

/** CPU of both ends for each handshake, us: without a session, with a new one, or resuming one. */
async function handshakes(
  { count, kind }: { count: number; kind: "plain" | "session" | "resume" },
): Promise<number> {
  const reconnect = kind === "plain" ? false : { base: 1, floor: 0, cap: 1 };
  const world = new CoreWorld(await environment(), {}, { reconnect });
  if (kind !== "resume") {
    const start = cpuMicros();
    for (let at = 0; at < count; at++) world.connect(at / 10);
    return (cpuMicros() - start) / count;
  }
  const some = Math.min(count, 1_000);
  let now = 0;
  for (let at = 0; at < some; at++) world.connect(now += 0.1);
  let spent = 0;
  for (let done = 0; done < count; done += some) {
    for (const pair of world.pairs) {
      now += 0.1;
      world.lose(pair, now);
      now += 10;
      pair.client.handleTimeout(now);
      const start = cpuMicros();
      world.dial(pair, now);
      spent += cpuMicros() - start;
      if (world.server.stats().sessions!.resumed === 0) throw new Error("nothing was resumed");
    }
  }
  return spent / (Math.ceil(count / some) * some);
}

answer({ period, touch, touchHeap, touchTimeout, timerBytes, beats, handshakes });

/**
 * What a receiver that stops for a while (garbage collection, a long task, a busy machine) does to a detector.
 *
 * While a process stands still the kernel goes on and collects what comes. When it runs again, an event loop fires overdue timers before it
 * reads (seen on Node, Deno and Bun). A detector that judges in that timer convicts a peer whose beats lie in the socket.
 *
 * Rules: the same arrivals, stalls and detector, judged in two manners: in the timer at once, and only after one more turn of input. That
 * heartwire moves its deadlines by what it lost, and takes no sample that spans a stall, is left out here.
 *
 * @module
 */

import type { Micros } from "../../core/time.ts";
import { Random } from "../../tests/support/random.ts";
import { type Judge, WARMUP } from "./contest.ts";
import { MS, SECOND, type Stream } from "./models.ts";

/** How a timer that is due is judged. */
export type Manner = "in the timer" | "after a turn of input";

/** What a process went through. */
export interface Stalls {
  readonly from: Float64Array;
  readonly to: Float64Array;
}

/** Stalls of Pareto length: from 50 ms, shape 1.1, at most 20 s; 30 s apart in the mean. */
export function stalls(length: Micros, seed: number): Stalls {
  const random = new Random(seed);
  const [from, to]: [number[], number[]] = [[], []];
  for (let now = 0; now < length;) {
    now += Math.round(-30 * SECOND * Math.log(1 - random.fraction()));
    from.push(now);
    now += Math.round(Math.min(20 * SECOND, 50 * MS * (1 - random.fraction()) ** (-1 / 1.1)));
    to.push(now);
  }
  return { from: Float64Array.from(from), to: Float64Array.from(to) };
}

/** False convictions in a million beats, in a process that stalls. */
export function stalled(judge: Judge, stream: Stream, { from, to }: Stalls, manner: Manner): number {
  const { sentAt, promise, at } = stream;
  let [wrong, stall, due] = [0, 0, Infinity];
  for (let beat = 0; beat < at.length; beat++) {
    const came = at[beat]!;
    while (to[stall]! < came) stall++;
    // Read when the process runs: now, or at the end of the stall.
    const read = came >= from[stall]! ? to[stall]! : came;
    let convicted = due < read;
    if (convicted && manner === "after a turn of input") {
      // The timer fires at the end of the stall that covers `due`, or at `due`; then all that came is read first.
      let cover = stall;
      while (cover > 0 && to[cover - 1]! > due) cover--;
      const fires = due >= from[cover]! ? to[cover]! : due;
      convicted = came > fires;
    }
    if (convicted && beat >= WARMUP) wrong++;
    due = judge.arrived(read, beat, sentAt[beat]!, promise[beat]!);
    if (due <= read) due = Infinity;
  }
  return wrong / (at.length - WARMUP) * 1e6;
}

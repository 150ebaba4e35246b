/**
 * What a process holds, after everything was collected that nobody holds.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";

const { gc, Bun } = globalThis as unknown as { gc?: () => void; Bun?: { gc(force: boolean): void } };

/** Bytes. */
export interface Memory {
  /** What the process has of the machine, without what it shares. */
  readonly resident: number;
  /** What the engine counts as used, buffers outside the heap included. */
  readonly heap: number;
}

/** Collects. */
export async function collect(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    gc?.();
    Bun?.gc(true);
    await new Promise((done) => setTimeout(done, 30));
  }
}

function resident(): number {
  try {
    const [, anonymous] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))!;
    return 1_024 * Number(anonymous);
  } catch {
    return process.memoryUsage.rss();
  }
}

/** Measures. */
export async function memory(): Promise<Memory> {
  await collect();
  const { heapUsed, external } = process.memoryUsage();
  return { resident: resident(), heap: heapUsed + external };
}

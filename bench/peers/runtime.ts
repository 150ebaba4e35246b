/**
 * Which runtime this process is.
 *
 * @module
 */

import type { Runtime } from "../../tests/support/runtimes.ts";

/** The runtime. */
export function runtimeOf(): Runtime {
  return "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";
}

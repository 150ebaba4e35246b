/**
 * Which commit was measured.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { ROOT } from "../../tests/support/runtimes.ts";

/** The commit; `+` when what is measured differs from it. */
export function commitName(): string {
  const git = (...args: string[]): string =>
    spawnSync("git", args, { cwd: ROOT, encoding: "utf8" }).stdout ?? "";
  const measured = [
    ...["accrual", "detector", "normal", "phi", "window"].map((name) => `core/liveness/${name}.ts`),
    ...["core/options.ts", "bench/liveness"],
  ];
  const changed = git("status", "--porcelain", "--", ...measured).trim() !== "";
  return (git("rev-parse", "--short", "HEAD").trim() || "unknown") + (changed ? "+" : "");
}

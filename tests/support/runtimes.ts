/**
 * Finds the three runtimes: the Node that runs us, and the Deno and Bun that npm installed.
 *
 * The binaries inside the platform packages are named directly, because the launchers in node_modules/.bin are
 * scripts when install scripts were off, and killing a launcher leaves its child alive.
 * Rule: paths only; this file starts nothing.
 * @module
 */

import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The runtimes that every portable test runs on. */
export type Runtime = "node" | "deno" | "bun";

/** All runtimes, in the order in which they are run. */
export const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];

/** The repository's root folder. */
export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const exe = process.platform === "win32" ? ".exe" : "";

/** The binary that an npm package unpacked: in the platform's package, or moved from there by an install script. */
function installed(scope: string, file: string, moved: string): string | null {
  const modules = join(ROOT, "node_modules");
  const packages = existsSync(join(modules, scope)) ? readdirSync(join(modules, scope)) : [];
  packages.sort((a, b) => a.length - b.length); // variants such as -baseline come last
  const candidates = [
    ...packages.map((name) => join(modules, scope, name, file + exe)),
    join(modules, moved),
  ];
  // A stub stands in for the binary when install scripts were off; it is small.
  return candidates.find((path) => existsSync(path) && statSync(path).size > 1_000_000) ?? null;
}

/** The command that starts a runtime: a full path where npm installed one, else the bare name for PATH. */
export function runtimePath(runtime: Runtime): string {
  switch (runtime) {
    case "node":
      return "Deno" in globalThis || "Bun" in globalThis ? "node" : process.execPath;
    case "deno":
      return installed("@deno", "deno", "deno/deno" + exe) ?? "deno";
    case "bun":
      return installed("@oven", "bin/bun", "bun/bin/bun.exe") ?? "bun";
  }
}

/** Command and arguments that run one TypeScript file of this repository on a runtime, from any folder. */
export function runtimeCommand(runtime: Runtime, script: string, args: readonly string[] = []): string[] {
  const start: Record<Runtime, string[]> = {
    node: ["--import", import.meta.resolve("tsx")],
    deno: ["run", "-A", "--no-check", "--quiet"],
    bun: [],
  };
  return [runtimePath(runtime), ...start[runtime], script, ...args];
}

/**
 * What importing heartwire costs a program that starts, and how much of it there is to carry.
 *
 * Rules: the program imports and ends; times are those that it takes of itself, over those of a program that imports nothing. The files are
 * the built ones, one for each module, as npm has them. Sizes are of one minified file.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { runtimePath } from "../tests/support/runtimes.ts";
import { flagsOf } from "./process.ts";
import { runtimeName } from "./report.ts";
import type { Mark } from "./report.ts";
import { type Context, reportOf, ROOT, Rounds, type Suite } from "./suite.ts";

const CPU = "start, CPU";
const WALL = "start, wall time";
const EMPTY = "an empty program";
const KIB = 1_024;

/** Bytes of a module with all that it imports, minified and gzipped. */
async function size(file: string): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, file)],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    external: ["node:*"],
    write: false,
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
}

/** Times of one start, ms. */
function start({ runtime }: Context, script: string): { wall: number; cpu: number; name: string } {
  const { status, stdout, stderr } = spawnSync(runtimePath(runtime), [...flagsOf(runtime), script], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return JSON.parse(stdout) as { wall: number; cpu: number; name: string };
}

/** The suite. */
export const startup: Suite = {
  name: "startup",
  async run(context) {
    const { folder, runtime, quick } = context;
    const rounds = quick ? 2 : 15;
    const kept = new Rounds();
    const adapter = `heartwire/${runtime}`;
    const programs = new Map([
      [adapter, `import "./adapters/${runtime}/mod.js";`],
      ["heartwire", 'import "./core/mod.js";'],
      ["node:net alone", 'import "node:net";'],
      [EMPTY, ""],
    ]);
    const tell = "const { user, system } = process.cpuUsage();" +
      "console.log(JSON.stringify({ wall: performance.now(), cpu: (user + system) / 1000 }));";
    const files = [...programs].map(([name, source], at) => {
      const file = join(folder, `start_${at}.js`);
      writeFileSync(file, `import process from "node:process";\n${source}\n${tell}\n`);
      return { name, file };
    });
    for (const { file } of files) start(context, file); // what is read once is in the page cache
    for (let round = 0; round < rounds; round++) {
      for (const { name, file } of files) {
        const { wall, cpu } = start(context, file);
        kept.add(CPU, name, "ms", cpu);
        kept.add(WALL, name, "ms", wall);
      }
    }
    kept.add("minified and gzipped", "heartwire", "KiB", await size("core/mod.ts") / KIB);
    kept.add("minified and gzipped", adapter, "KiB", await size(`adapters/${runtime}/mod.ts`) / KIB);
    const over = kept.median(CPU, adapter) - kept.median(CPU, EMPTY);
    const marks: Mark[] = [{
      number: 13,
      what: "ms of CPU that importing the adapter adds to an empty program",
      value: over,
      bound: "at most",
      ...(runtime === "node" ? { limit: 15 } : {}),
    }, {
      number: 13,
      what: "core, KiB minified and gzipped",
      value: kept.median("minified and gzipped", "heartwire"),
      bound: "at most",
      limit: 15,
    }];
    const name = runtime === "node" ? runtimeName() : versionOf(runtime);
    return reportOf("startup", name, rounds, kept, marks, "processes one after another");
  },
};

/** Name and version of a runtime that is not ours. */
function versionOf(runtime: "deno" | "bun"): string {
  const { stdout } = spawnSync(runtimePath(runtime), ["--version"], { encoding: "utf8" });
  const [version] = /\d+\.\d+\.\d+/.exec(stdout)!;
  return `${runtime === "deno" ? "Deno" : "Bun"} ${version}`;
}

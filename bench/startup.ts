/**
 * What importing heartwire costs a program that starts, and how much of it there is to carry.
 *
 * Rules: the program imports and ends; times are those that it takes of itself, over those of a program that imports nothing. The files are
 * those that npm has. What is loaded when it is first needed is not hidden: one program opens and closes a session. Sizes are of one minified
 * file.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { runtimePath } from "../tests/support/runtimes.ts";
import { bundle } from "../tools/bundle.ts";
import { flagsOf } from "./process.ts";
import { runtimeName } from "./report.ts";
import type { Mark } from "./report.ts";
import { median } from "./stats.ts";
import { type Context, reportOf, ROOT, Rounds, type Suite } from "./suite.ts";

const CPU = "start, CPU";
const WALL = "start, wall time";
const EMPTY = "an empty program";
const SIZE = "minified and gzipped";
const CONNECTION = "heartwire, a connection alone";
const KIB = 1_024;

/** KiB of what is exported, with all that it needs, minified and gzipped. */
async function size(exported: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: exported, resolveDir: ROOT },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    external: ["node:*"],
    write: false,
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length / KIB;
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
    const rounds = quick ? 2 : 31;
    const kept = new Rounds();
    const adapter = `heartwire/${runtime}`;
    await bundle(join(folder, "dist"));
    const session = `import { connect, listen } from "./dist/adapters/${runtime}/mod.js";
      const server = await listen("127.0.0.1:0", async (session) => { for await (const _ of session); });
      await (await connect(server.address)).close();
      await server.close();`;
    const programs = new Map([
      [adapter, `import "./dist/adapters/${runtime}/mod.js";`],
      [`${adapter}, and a session with itself`, session],
      ["heartwire", 'import "./dist/core/mod.js";'],
      ["node:net alone", 'import "node:net";'],
      [EMPTY, ""],
    ]);
    // The global: what importing it costs would be taken off what is measured.
    const tell = "const { user, system } = process.cpuUsage();" +
      "console.log(JSON.stringify({ wall: performance.now(), cpu: (user + system) / 1000 }));";
    const files = [...programs].map(([name, source], at) => {
      const file = join(folder, `start_${at}.js`);
      writeFileSync(file, `${source}\n${tell}\n`);
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
    const module = `./adapters/${runtime}/mod.ts`;
    const parts = new Map([
      ["heartwire", 'export * from "./core/mod.ts";'],
      [CONNECTION, 'export { Connection } from "./core/mod.ts";'],
      ["the codec alone", 'export * from "./core/wire/decoder.ts"; export * from "./core/wire/encoder.ts";'],
      [adapter, `export * from "${module}";`],
      [`${adapter}, connect alone`, `export { connect } from "${module}";`],
    ]);
    for (const [name, exported] of parts) kept.add(SIZE, name, "KiB", await size(exported));
    const empty = kept.of(CPU, EMPTY);
    const over = median(kept.of(CPU, adapter).map((cpu, round) => cpu - empty[round]!));
    const marks: Mark[] = [{
      number: 13,
      what: "ms of CPU that importing the adapter adds to an empty program",
      value: over,
      bound: "at most",
      ...(runtime === "node" ? { limit: 15 } : {}),
    }, {
      number: 13,
      what: "core, KiB minified and gzipped",
      value: kept.median(SIZE, "heartwire"),
      bound: "at most",
      limit: 15,
    }, {
      number: 13,
      what: "core, only what a connection needs, KiB minified and gzipped",
      value: kept.median(SIZE, CONNECTION),
      bound: "at most",
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

/**
 * The published JavaScript: few files, each with many modules, for a runtime that starts pays more for a file than for what is in it.
 *
 * Rules: what two entry points share stands in one file that both import, so that a class is the same whichever was imported; what is imported
 * when it is first needed stays in files of its own. Not minified: a start would hardly be shorter, and stack traces would name no line.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../tests/support/runtimes.ts";

/** The modules that something outside imports: those that package.json exports, and the command. */
const ENTRY_POINTS: readonly string[] = [
  "core/mod.ts",
  "adapters/node/mod.ts",
  "adapters/deno/mod.ts",
  "adapters/bun/mod.ts",
  "cli/main.ts",
];

/** An import for the sake of order alone. No module of ours does anything by being imported but the command's, which nothing imports. */
const BARE_IMPORT = /^import "\.[^"]*";\n/gm;

/** Writes the bundles into a folder, under the names of their sources. */
export async function bundle(folder: string): Promise<void> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...ENTRY_POINTS],
    outdir: folder,
    outbase: ROOT,
    chunkNames: "shared/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    charset: "utf8",
    external: ["node:*"],
    logLevel: "warning",
    write: false,
  });
  for (const { path, text } of outputFiles) {
    const code = text.replace(BARE_IMPORT, "");
    if (code === "") continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
  }
}

/**
 * The published JavaScript: few files, each with many modules, for a runtime that starts pays more for a file than for what is in it.
 *
 * Rules: what two entry points share stands in one file that both import, so that a class is the same whichever was imported; what is imported
 * when it is first needed stays in files of its own. Not minified: a start would hardly be shorter, and stack traces would name no line.
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build, type BuildOptions, type Metafile, type Plugin } from "esbuild";
import { ROOT } from "../tests/support/runtimes.ts";

/** The modules that something outside imports: those that package.json exports, and the command. */
const ENTRY_POINTS: readonly string[] = [
  "core/mod.ts",
  "adapters/node/mod.ts",
  "adapters/deno/mod.ts",
  "adapters/bun/mod.ts",
  "cli/main.ts",
];

/** A shared file below this is put together with the other small ones, bytes. */
const SMALL = 16_384;

/** An import for the sake of order alone. No module of ours does anything by being imported but the command's, which nothing imports. */
const BARE_IMPORT = /^import "\.[^"]*";\n/gm;

/** The modules of the small shared files, but of those that would load more: a module of Node's, or a file that is not small. */
function smallModules({ outputs }: Metafile): string[] {
  const small = new Map(
    Object.entries(outputs).filter(([, { bytes, entryPoint }]) => entryPoint === undefined && bytes < SMALL),
  );
  for (let before = -1; before !== small.size;) {
    before = small.size;
    for (const [file, { imports }] of small) {
      if (!imports.every(({ path, kind }) => kind === "dynamic-import" || small.has(path))) {
        small.delete(file);
      }
    }
  }
  return [...small.values()].flatMap(({ inputs }) => Object.keys(inputs)).sort();
}

/** Has every entry point import some modules: esbuild makes one file of what the same entry points need. */
function together(modules: readonly string[], { outputs }: Metafile): Plugin {
  const entries = new Set(
    Object.values(outputs).map(({ entryPoint }) => entryPoint).filter((each) => each !== undefined),
  );
  return {
    name: "together",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (!entries.has(relative(ROOT, path).replaceAll("\\", "/"))) return null;
        const imports = modules.map((module) => `import ${JSON.stringify(join(ROOT, module))};\n`);
        return { contents: `${readFileSync(path, "utf8")}\n${imports.join("")}`, loader: "ts" };
      });
    },
  };
}

/** Writes the bundles into a folder, under the names of their sources. */
export async function bundle(folder: string): Promise<void> {
  const options = {
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
    logOverride: { "ignored-bare-import": "silent" },
    metafile: true,
    write: false,
  } as const satisfies BuildOptions;
  const { metafile } = await build(options);
  const plugins = [together(smallModules(metafile), metafile)];
  const { outputFiles } = await build({ ...options, plugins });
  for (const { path, text } of outputFiles) {
    const code = text.replace(BARE_IMPORT, "");
    if (code === "") continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
  }
}

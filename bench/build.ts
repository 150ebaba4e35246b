/**
 * The sources as plain JavaScript, in a folder that goes away: what all three runtimes run when they are measured.
 *
 * tsx gives every function its name at run time, which costs a call for each closure that is made; nobody who installed the package has
 * that. So types are stripped and nothing else is done, file by file; what npm gets is in fewer files (tools/bundle.ts), which matters only
 * where the start is measured, and there it is.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transform } from "esbuild";
import { ROOT } from "../tests/support/runtimes.ts";

const FOLDERS = ["core", "adapters", "bench"];
const SPECIFIER = /((?:\bfrom|\bimport)\s*\(?\s*["']\.{1,2}\/[^"'\n]*)\.ts(["'])/g;

/** Built sources. */
export interface Built {
  /** The folder that holds them as the repository's does. */
  readonly folder: string;
  /** Deletes it. */
  remove(): void;
}

/** Builds. */
export async function build(): Promise<Built> {
  const folder = mkdtempSync(join(tmpdir(), "heartwire-bench-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  await Promise.all(
    FOLDERS.flatMap((name) =>
      readdirSync(join(ROOT, name), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map(async (file) => {
          const source = readFileSync(join(ROOT, name, file), "utf8");
          const { code } = await transform(source, { loader: "ts", target: "esnext", format: "esm" });
          const target = join(folder, name, file.replace(/\.ts$/, ".js"));
          mkdirSync(dirname(target), { recursive: true });
          writeFileSync(target, code.replace(SPECIFIER, "$1.js$2"));
        })
    ),
  );
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * Builds dist/: the JavaScript and the declarations that npm gets.
 *
 *   tsx tools/build.ts
 *
 * Node refuses to strip types inside node_modules, so the package carries built code: JavaScript in few files (bundle.ts), and a declaration
 * for each source, by tsc. tsc leaves the `.ts` of relative imports in declarations; it is rewritten here, so that Deno resolves them too.
 * @module
 */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../tests/support/runtimes.ts";
import { bundle } from "./bundle.ts";

const dist = join(ROOT, "dist");

rmSync(dist, { recursive: true, force: true });
const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
  cwd: ROOT,
  stdio: "inherit",
});
if (status !== 0) process.exit(1);

const specifier = /((?:\bfrom|\bimport)\s*\(?\s*["']\.{1,2}\/[^"'\n]*)\.ts(["'])/g;
for (const entry of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
  if (!entry.endsWith(".d.ts")) continue;
  const path = join(dist, entry);
  const text = readFileSync(path, "utf8");
  const rewritten = text.replace(specifier, "$1.js$2");
  if (rewritten !== text) writeFileSync(path, rewritten);
}
await bundle(dist);

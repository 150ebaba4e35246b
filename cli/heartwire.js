#!/usr/bin/env node
/**
 * The `heartwire` command as npm installs it.
 *
 * In a clone it runs the TypeScript source beside it, so that `npx heartwire` needs no build and is never stale; in
 * an installed package, which has no source, it runs the build. Nothing else belongs here.
 * @module
 */

import { existsSync } from "node:fs";

const source = new URL("./main.ts", import.meta.url);
if (existsSync(source)) {
  if (!("Deno" in globalThis) && !("Bun" in globalThis)) (await import("tsx/esm/api")).register();
  await import(source.href);
} else {
  await import(new URL("../dist/cli/main.js", import.meta.url).href);
}

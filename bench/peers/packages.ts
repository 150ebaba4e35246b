/**
 * Loads development packages from where the repository has them, by path: the built programs run in another folder, and Bun has a module
 * of its own under the name `ws`.
 *
 * @module
 */

import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

const require = createRequire(join(process.cwd(), "package.json"));

/** A CommonJS file of a package, e.g. `ws/lib/receiver.js`. */
export function load<T>(file: string): T {
  return require(join(process.cwd(), "node_modules", file)) as T;
}

/** A CommonJS package by its name. */
export function loadPackage<T>(name: string): T {
  return require(name) as T;
}

/** An ES module of a package. */
export async function loadModule<T>(file: string): Promise<T> {
  return await import(join(process.cwd(), "node_modules", file)) as T;
}

/** A package's name and version. */
export function versionOf(name: string): string {
  return `${name} ${load<{ version: string }>(`${name}/package.json`).version}`;
}

/**
 * The runtime this process runs on, and its adapter. The only place in the command that asks which one it is.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { delimiter, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type {
  ConnectOptions,
  ConnectTarget,
  ListenOptions,
  Server,
  Session,
  SessionHandler,
} from "../adapters/api.ts";
import type { Address } from "../adapters/api.ts";

/** What the command uses of an adapter; each of them has it. */
export interface Adapter {
  connect(target: ConnectTarget, options?: ConnectOptions): Promise<Session>;
  listen(address: string | Address, handler: SessionHandler, options?: ListenOptions): Promise<Server>;
}

/** The runtimes. */
export type RuntimeName = "node" | "deno" | "bun";

/** Which runtime this is. Deno and Bun also pretend to be Node, so they are asked first. */
export function runtimeName(): RuntimeName {
  if ("Deno" in globalThis) return "deno";
  if ("Bun" in globalThis) return "bun";
  return "node";
}

const TITLES: Readonly<Record<RuntimeName, string>> = { node: "Node", deno: "Deno", bun: "Bun" };

/** The runtime's name and version, for a person. */
export function runtimeText(): string {
  const name = runtimeName();
  return `${TITLES[name]} ${process.versions[name]}`;
}

/** Loads the adapter of this runtime. */
export async function loadAdapter(): Promise<Adapter> {
  switch (runtimeName()) {
    case "deno":
      return await import("../adapters/deno/mod.ts");
    case "bun":
      return await import("../adapters/bun/mod.ts");
    case "node":
      return await import("../adapters/node/mod.ts");
  }
}

/** The file nearest above this one: as a source it lies one folder deep, as a build two. */
function find(path: string): string {
  for (const up of ["../", "../../"]) {
    const file = fileURLToPath(new URL(up + path, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new Error(`heartwire is not complete: ${path} is missing`);
}

/** The version of heartwire. */
export function version(): string {
  return String((JSON.parse(readFileSync(find("package.json"), "utf8")) as { version: unknown }).version);
}

/** Whether a terminal finds this command. What npm put in the path for the script that it runs does not count. */
function installed(command: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) =>
    !/node_modules.\.bin$/.test(folder) &&
    (existsSync(join(folder, command)) || existsSync(join(folder, `${command}.exe`)))
  );
}

/** How the command is started on each runtime from the working directory, by the runtime's title. */
export function commandLines(): Readonly<Record<string, string>> {
  const inPackage = (path: string): string => {
    const file = relative(process.cwd(), find(path));
    return /^[\w./\\-]+$/.test(file) ? file : JSON.stringify(file);
  };
  const script = inPackage(import.meta.url.endsWith(".ts") ? "cli/main.ts" : "cli/heartwire.js");
  // A runtime that is no command of this machine may be a package of this project.
  const runtime = (command: string): string =>
    !installed(command) && existsSync(join("node_modules", ".bin", command)) ? `npx ${command}` : command;
  const here = existsSync(join("node_modules", ".bin", "heartwire")) ||
    inPackage("cli/heartwire.js") === join("cli", "heartwire.js");
  return {
    [TITLES.node]: here ? "npx heartwire" : `node ${inPackage("cli/heartwire.js")}`,
    [TITLES.deno]: `${runtime("deno")} run -A ${script}`,
    [TITLES.bun]: `${runtime("bun")} ${script}`,
  };
}

/**
 * Starts a program of bench/programs/ on a runtime and speaks with it.
 *
 * Rules: who takes round trips pins each program to a core, where `taskset` is there; {@link PINNED} says whether. Who counts CPU time does not,
 * for the engine's compiler would stand in line with what it compiles. A program ends with {@link Program.stop}, or when this process does.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT, type Runtime, runtimePath } from "../tests/support/runtimes.ts";

/** Whether programs can be pinned to cores. */
export const PINNED: boolean = cpus().length > 1 && spawnSync("taskset", ["-V"]).status === 0;

/** Ten thousand connections take a while on a busy machine. */
const CALL_TIMEOUT = 400_000;
const STOP_TIMEOUT = 3_000;

/** What a runtime is started with. `v8` are flags of V8, where it is the engine. */
export function flagsOf(runtime: Runtime, v8: readonly string[] = []): string[] {
  const all = ["--expose-gc", ...v8];
  switch (runtime) {
    case "node":
      return all;
    case "deno":
      return [
        "run",
        "-A",
        "--no-check",
        "--quiet",
        "--node-modules-dir=manual",
        `--v8-flags=${all.join(",")}`,
      ];
    case "bun":
      return [];
  }
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A running program. */
export class Program {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #exit: Promise<void>;
  #pending: Pending[] = [];
  #rest = "";
  #errors = "";

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2_000);
    });
    child.stdin!.on("error", () => {}); // the exit says it
    this.#exit = new Promise((resolve) => {
      child.once("error", (error) => this.#fail(String(error)));
      child.once("close", (code, signal) => {
        this.#fail(`ended with ${signal ?? code}: ${this.#errors}`);
        resolve();
      });
    });
  }

  /**
   * Starts one.
   *
   * @param folder the built sources
   * @param name a file of programs/
   * @param core the core that it is pinned to; null: none
   * @param v8 flags of V8
   */
  static start(
    folder: string,
    runtime: Runtime,
    name: string,
    args: readonly string[],
    core: number | null,
    v8: readonly string[] = [],
  ): Program {
    const script = join(folder, "bench", "programs", `${name}.js`);
    const command = [runtimePath(runtime), ...flagsOf(runtime, v8), script, ...args];
    if (PINNED && core !== null) command.unshift("taskset", "-c", String(core % cpus().length));
    // Packages are found from the repository's folder; see peers/packages.ts.
    const child = spawn(command[0]!, command.slice(1), {
      cwd: ROOT,
      env: { ...process.env, NODE_ENV: "production" },
    });
    return new Program(child, `${name} ${args.join(" ")} on ${runtime}`);
  }

  /** Its process. */
  get pid(): number {
    return this.#child.pid!;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const { result, error } = JSON.parse(line) as { result?: unknown; error?: string };
      const pending = this.#pending.shift();
      if (error === undefined) pending?.resolve(result);
      else pending?.reject(new Error(`${this.#name}: ${error}`));
    }
  }

  #fail(why: string): void {
    for (const { reject } of this.#pending.splice(0)) reject(new Error(`${this.#name}: ${why}`));
  }

  /** Gives a command and waits for its result. */
  call<T>(name: string, argument: unknown = null): Promise<T> {
    if (this.#child.exitCode !== null) return Promise.reject(new Error(`${this.#name}: ${this.#errors}`));
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.#name}: no answer to ${name}: ${this.#errors}`)),
        CALL_TIMEOUT,
      );
      this.#pending.push({
        resolve: (value) => (clearTimeout(timer), resolve(value as T)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      });
      this.#child.stdin!.write(`${JSON.stringify({ name, argument })}\n`);
    });
  }

  /** Ends it. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT);
    await this.#exit;
    clearTimeout(timer);
  }
}

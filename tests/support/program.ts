/**
 * A process that tells what happens, one JSON object a line.
 *
 * Rules: every wait is for a line or for the end, and is bounded: by `PATIENCE`, and by the end of the process. What it said is read
 * once, so that thousands of lines cost little.
 *
 * @module
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { ROOT } from "./runtimes.ts";

/** A wait that is longer is a failure, ms. Starting a runtime takes up to a few seconds on a busy machine. */
const PATIENCE = 20_000;

/** So many of the last lines are shown when a wait failed. */
const SHOWN = 30;

/** One line of what a process tells. */
export type Line = Readonly<Record<string, unknown>>;

/** Whether a line has these fields. */
export function fits(line: Line, fields: Line): boolean {
  return Object.entries(fields).every(([name, value]) => line[name] === value);
}

/** A running process. */
export class Program {
  readonly lines: Line[] = [];
  stderr = "";
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #name: string;
  readonly #watchers = new Set<() => void>();
  /** Exit code or signal, when it has ended. */
  #exit: number | string | null = null;

  /** Its stdin stays open. */
  constructor(command: readonly string[], name: string) {
    this.#name = name;
    const [file, ...args] = command;
    const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1" };
    delete env["FORCE_COLOR"];
    delete env["NODE_TEST_CONTEXT"];
    this.#child = spawn(file!, args, { cwd: ROOT, env, stdio: ["pipe", "pipe", "pipe"] });
    let partial = "";
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop()!;
      for (const line of lines) this.lines.push(JSON.parse(line) as Line);
      this.#look();
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    this.#child.stdin.on("error", () => {}); // it may end before it has read everything
    this.#child.on("error", (error) => this.stderr += error.message);
    this.#child.on("close", (code, signal) => {
      this.#exit = code ?? signal ?? "?";
      this.#look();
    });
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }

  #until<T>(what: string, found: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settled();
      };
      const fail = (why: string): void => {
        const told = this.lines.slice(-SHOWN).map((line) => JSON.stringify(line)).join("\n");
        settle(() => reject(new Error(`${this.#name}: ${why} ${what}\n${told}\n${this.stderr}`)));
      };
      const look = (): void => {
        const result = found();
        if (result !== undefined) settle(() => resolve(result));
        else if (this.#exit !== null) fail(`ended (${this.#exit}) without`);
      };
      const timer = setTimeout(() => fail(`within ${PATIENCE} ms no`), PATIENCE);
      this.#watchers.add(look);
      look();
    });
  }

  /** Waits for a line with these fields: the `nth` of them, counted from 0. */
  told(fields: Line, nth = 0): Promise<Line> {
    let at = 0;
    let left = nth;
    return this.#until(`${JSON.stringify(fields)} (${nth})`, () => {
      for (; at < this.lines.length; at++) {
        if (fits(this.lines[at]!, fields) && left-- === 0) return this.lines[at];
      }
      return undefined;
    });
  }

  /** Waits for the end; its exit code, or the signal that ended it. */
  ended(): Promise<number | string> {
    return this.#until("end", () => this.#exit ?? undefined);
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /** Sends a signal, more than once if need be: Deno's `child.kill` takes only the first. */
  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    if (this.#exit === null) process.kill(this.#child.pid!, signal);
  }
}

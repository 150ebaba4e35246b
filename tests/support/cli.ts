/**
 * Runs the command `heartwire` as a process of its own, on any runtime.
 *
 * Rules: every wait is for something that is said or for the end, and is bounded. Whatever was started is killed when the test ends.
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { ROOT, type Runtime, runtimeCommand } from "./runtimes.ts";

/** A wait that is longer is a failure, ms. Starting a runtime takes up to a few seconds on a busy machine. */
const PATIENCE = 30_000;

/** One line of NDJSON. */
export type Line = Readonly<Record<string, unknown>>;

/** What `it` gives to a test. */
interface TestContext {
  after(cleanup: () => void): void;
}

/** How it is started. */
export interface StartOptions {
  /** What stdin has; default nothing. null leaves it open. */
  readonly stdin?: string | null;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A running command. */
export class Cli {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  stdout = "";
  stderr = "";
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exit: Promise<number | string>;
  readonly #name: string;
  readonly #watchers = new Set<() => void>();
  #ended = false;

  constructor(command: readonly string[], options: StartOptions = {}) {
    this.#name = command.slice(-4).join(" ");
    const env: Record<string, string | undefined> = { ...process.env, NO_COLOR: "1", ...options.env };
    delete env["FORCE_COLOR"];
    delete env["NODE_TEST_CONTEXT"];
    const [file, ...args] = command;
    this.child = spawn(file!, args, { cwd: options.cwd ?? ROOT, env, stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => this.#said("stdout", text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => this.#said("stderr", text));
    this.child.stdin.on("error", () => {}); // it may end before it has read everything
    if (options.stdin !== null) this.child.stdin.end(options.stdin ?? "");
    this.exit = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (code, signal) => {
        this.#ended = true;
        for (const look of this.#watchers) look();
        resolve(code ?? signal ?? "?");
      });
    });
  }

  #said(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text;
    for (const look of this.#watchers) look();
  }

  /** Waits until `look` returns something else than undefined. */
  #until<T>(what: string, look: () => T | undefined, patience = PATIENCE): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      const fail = (why: string): void => {
        done();
        reject(new Error(`${this.#name}: ${why} ${what}\nstdout:\n${this.stdout}\nstderr:\n${this.stderr}`));
      };
      const check = (): void => {
        const found = look();
        if (found !== undefined) {
          done();
          resolve(found);
        } else if (this.#ended) fail("ended without");
      };
      const timer = setTimeout(() => fail(`within ${patience} ms no`), patience);
      this.#watchers.add(check);
      check();
    });
  }

  /** The NDJSON so far. */
  get records(): Line[] {
    return this.stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line) as Line);
  }

  /** Waits for the first record, behind `from` others, that has these fields. */
  record(fields: Line, from = 0): Promise<Line> {
    const fits = (line: Line): boolean =>
      Object.entries(fields).every(([name, value]) => line[name] === value);
    return this.#until(JSON.stringify(fields), () => this.records.slice(from).find(fits));
  }

  /** Waits for a text. */
  says(stream: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(String(pattern), () => pattern.exec(this[stream]) ?? undefined);
  }

  /** Waits for the end. Returns exit code and the last record, if there is one. */
  async end(): Promise<{ code: number | string; summary: Line }> {
    const code = await this.#until("end", () => this.#ended ? this.exit : undefined);
    const last = this.stdout.trimEnd().split("\n").at(-1) ?? "";
    return { code, summary: last.startsWith("{") ? JSON.parse(last) as Line : {} };
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.child.kill(signal);
  }
}

/** Starts the command on a runtime; it is killed when the test ends. */
export function startCli(
  test: TestContext,
  runtime: Runtime,
  args: readonly string[],
  options: StartOptions = {},
): Cli {
  const cli = new Cli(runtimeCommand(runtime, join(ROOT, "cli", "main.ts"), args), options);
  test.after(() => cli.kill());
  return cli;
}

/** Starts `serve` on a free port; returns it and `host:port`. */
export async function startServer(
  test: TestContext,
  runtime: Runtime,
  ...args: string[]
): Promise<{ server: Cli; address: string }> {
  const server = startCli(test, runtime, ["serve", ":0", "--json", ...args]);
  const { host, port } = await server.record({ type: "listening" });
  return { server, address: `${host}:${port}` };
}

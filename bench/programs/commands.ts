/**
 * The measured side of the channel between a suite and a program that it started: lines of JSON on standard input and output.
 *
 * Rules: one command at a time. A program ends when its input does, so that none outlives the suite.
 *
 * @module
 */

import process from "node:process";
import { runtimeName } from "../report.ts";

/** CPU time of this process, all threads, us. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** What a command does with its argument. */
export type Command = (argument: never) => unknown;

/** Answers commands until the input ends. `cpu` and `runtime` are always there. */
export function answer(commands: Readonly<Record<string, Command>>): void {
  const all: Record<string, Command> = { cpu: cpuMicros, runtime: runtimeName, ...commands };
  let rest = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) void run(line);
  });
  process.stdin.on("end", () => process.exit(0));

  async function run(line: string): Promise<void> {
    const { name, argument } = JSON.parse(line) as { name: string; argument: never };
    let reply: object;
    try {
      reply = { result: await all[name]!(argument) ?? null };
    } catch (error) {
      reply = { error: error instanceof Error ? error.stack ?? error.message : String(error) };
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
}

/**
 * The command `heartwire`: reads the arguments, runs the command, ends with its exit code.
 *
 *   npx heartwire serve        deno run -A cli/main.ts serve        bun cli/main.ts serve
 *
 * Rules: this file is run by being imported. Whatever happens, the last line of NDJSON is the summary, and the exit code is one
 * of exit.ts.
 *
 * @module
 */

import process from "node:process";
import { HeartwireError } from "../adapters/api.ts";
import { type Invocation, readArguments, type Run } from "./args.ts";
import type { Command, Outcome } from "./command.ts";
import { bench } from "./commands/bench.ts";
import { connect } from "./commands/connect.ts";
import { demo } from "./commands/demo.ts";
import { ping } from "./commands/ping.ts";
import { send } from "./commands/send.ts";
import { serve } from "./commands/serve.ts";
import { EXIT, exitOf, UsageError } from "./exit.ts";
import { helpText } from "./help.ts";
import { Output } from "./output.ts";
import { loadAdapter, version } from "./runtime.ts";
import type { CommandName } from "./spec.ts";
import { Stop } from "./stop.ts";

const COMMANDS: Readonly<Record<CommandName, Command>> = { serve, connect, send, ping, bench, demo };

/** Says what went wrong and what can be done. What is no error of ours is shown whole: it is a bug. */
function tellError(output: Output, error: unknown): void {
  if (error instanceof UsageError || error instanceof HeartwireError) output.error(error.message, error.hint);
  else output.error(error instanceof Error ? error.stack ?? error.message : String(error));
}

function errorRecord(error: unknown): Record<string, unknown> {
  if (!(error instanceof HeartwireError)) return { error: { message: String(error) } };
  return { error: { code: error.code, message: error.message, hint: error.hint } };
}

async function runCommand(run: Run, output: Output, stop: Stop): Promise<number> {
  let outcome: Outcome;
  try {
    outcome = await COMMANDS[run.command]({
      ...{ run, output, stop, stdin: process.stdin },
      adapter: await loadAdapter(),
      typed: process.stdin.isTTY === true,
    });
  } catch (error) {
    outcome = { exit: EXIT.loss, error, summary: {} };
  }
  // What fails because of an interruption is no error.
  const error = stop.cause === null ? outcome.error : undefined;
  const terminated = stop.cause === "SIGTERM" && run.command === "serve";
  const decided = error === undefined ? outcome.exit : exitOf(error);
  const exit = terminated ? EXIT.ok : stop.exit ?? decided;
  if (error !== undefined) tellError(output, error);
  for (const line of outcome.report ?? []) output.line(line);
  const failed = error === undefined ? {} : errorRecord(error);
  output.record("summary", { command: run.command, ...outcome.summary, ...failed, exit });
  return exit;
}

async function main(args: readonly string[]): Promise<void> {
  const stop = new Stop();
  const makeOutput = (json: boolean, quiet: boolean): Output =>
    new Output({
      ...{ stdout: process.stdout, stderr: process.stderr, env: process.env, json, quiet },
      onClosed: (quietly) => stop.ask(quietly ? "unread" : "unwritable"),
    });
  let invocation: Invocation;
  try {
    invocation = readArguments(args);
  } catch (error) {
    tellError(makeOutput(false, false), error);
    process.exit(error instanceof UsageError ? EXIT.usage : EXIT.loss);
  }
  const values = invocation.kind === "run" ? invocation.values : { json: false, quiet: false };
  const output = makeOutput(values.json, values.quiet);
  let exit: number = EXIT.ok;
  switch (invocation.kind) {
    case "help":
      output.line(helpText(invocation.command, version()));
      break;
    case "version":
      output.line(version());
      break;
    case "run":
      stop.listen();
      exit = await runCommand(invocation, output, stop);
  }
  await output.flush();
  // stdin may still be open, hence no waiting for an end by itself
  process.exit(stop.cause === "unwritable" ? EXIT.loss : exit);
}

await main(process.argv.slice(2));

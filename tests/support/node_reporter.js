/**
 * A reporter for `node --test`: one line of JSON (an `Outcome` of report.ts) a test, then the line "end".
 *
 * Node's own JUnit and TAP reporters lose the failure of a test whose subtests passed, and of an `after` hook.
 * Plain JavaScript, for Node 20 loads reporters before it lets an import hook read TypeScript.
 * Rule: counts as report.ts says; a file that registers no test is a failure, as nobody writes one on purpose.
 * @module
 */

import { resolve } from "node:path";
import process from "node:process";
import { inspect } from "node:util";

/**
 * Called by Node with the stream of events of a run.
 * @param {AsyncIterable<{ type: string, data: any }>} source
 * @returns {AsyncGenerator<string>}
 */
export default async function* reporter(source) {
  const levels = new Map(); // file -> number of tests seen at each nesting; children are reported before parents
  const output = new Map(); // file -> the end of what it wrote, for a file that fails as a whole
  const held = []; // { file, nesting, outcome } whose outermost parent is still to come
  for await (const { type, data } of source) {
    const file = data.file ?? "";
    if (type === "test:stderr" || type === "test:stdout") {
      output.set(file, ((output.get(file) ?? "") + data.message).slice(-4_000));
    }
    if (type !== "test:pass" && type !== "test:fail") continue;

    const seen = levels.get(file) ?? [];
    levels.set(file, seen);
    const children = seen[data.nesting + 1] ?? 0;
    seen.length = data.nesting + 1;
    seen[data.nesting] = (seen[data.nesting] ?? 0) + 1;
    for (const entry of held) {
      if (entry.file !== file || entry.nesting <= data.nesting) continue;
      entry.outcome.name = `${data.name} > ${entry.outcome.name}`;
      entry.nesting = data.nesting;
    }

    const outcome = judge(type, data, output.get(file) ?? "");
    const parent = children > 0 || (data.details?.type === "suite" && outcome.status !== "skipped");
    const ownFailure = outcome.status === "failed" && data.details?.error?.failureType !== "subtestsFailed";
    if (!parent || ownFailure) held.push({ file, nesting: data.nesting, outcome });
    if (data.nesting > 0) continue;
    for (const entry of held.splice(0)) yield `${JSON.stringify(entry.outcome)}\n`;
  }
  for (const entry of held) yield `${JSON.stringify(entry.outcome)}\n`;
  yield `"end"\n`;
}

function judge(type, data, output) {
  const wholeFile = /(\.test|\/node_files)\.ts$/.test(data.name) &&
    resolve(process.cwd(), data.name) === (data.file ?? resolve(data.name));
  const reason = data.skip ?? data.todo ?? false; // true, or the reason; the empty string is one too
  if (reason !== false) {
    return { name: data.name, status: "skipped", detail: typeof reason === "string" ? reason : "" };
  }
  if (type === "test:fail") {
    const error = data.details?.error;
    const detail = wholeFile ? output.trim() || "the file failed" : inspect(error?.cause ?? error);
    return { name: data.name, status: "failed", detail };
  }
  if (wholeFile) return { name: data.name, status: "failed", detail: "this file registered no test" };
  return { name: data.name, status: "passed", detail: "" };
}

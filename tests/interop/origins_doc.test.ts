/**
 * docs/origins.md: its commands run as they stand, and its figures are what `bench/origins.ts` writes.
 *
 * Rules: a block of shell is one terminal session: its `serve` stays up for the lines behind it. Only ports are exchanged for free ones.
 */

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Cli } from "../support/cli.ts";
import { ROOT, runtimeCommand } from "../support/runtimes.ts";

const DOCUMENT = readFileSync(join(ROOT, "docs", "origins.md"), "utf8");
const BLOCKS = [...DOCUMENT.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) =>
  text!.trimEnd().split("\n")
);

const folder = mkdtempSync(join(tmpdir(), "heartwire-origins-"));
after(() => rmSync(folder, { recursive: true, force: true }));

// A command `npx`, which knows only `heartwire`, on the runtime that starts fastest.
const words = runtimeCommand("bun", join(ROOT, "cli", "main.ts")).map((word) => `'${word}'`).join(" ");
writeFileSync(join(folder, "npx"), `#!/bin/sh\nshift\nexec ${words} "$@"\n`);
chmodSync(join(folder, "npx"), 0o755);
const env = { PATH: `${folder}${delimiter}${process.env["PATH"]}` };

/** What a line must print, by what stands in it. */
const PRINTS: readonly (readonly [RegExp, RegExp])[] = [
  [/Hello, World!/, /^Hello, World!$/],
  [/once more/, /^once more$/],
  [/heartwire bench/, /^long against short: /m],
  [/connect .*--reconnect/, /^one\ntwo$/],
  [/ping .*classic/, /^3 sent, 3 answered, 0 lost/m],
  [/ping .*--count 5/, /^PING .* a dead peer is found within [\d.]+ m?s$/m],
  [/send .*'hello'.*plain/, /^HELLO$/],
  [/GET \/metrics/, /^heartwire_heartbeats_received_total 0$/m],
];

describe("docs/origins.md", { skip: process.platform === "win32" ? "needs a shell" : false }, () => {
  for (const [number, lines] of BLOCKS.entries()) {
    it(`commands of block ${number + 1}: ${lines[0]}`, async (t) => {
      const ports = new Map<string, string>();
      for (const line of lines) {
        assertMatch(line, /npx heartwire /);
        const serving = / serve /.test(line);
        let given = serving ? line.replaceAll(/\b(7433|9464)\b/g, "0") : line;
        for (const [port, free] of ports) given = given.replaceAll(port, free);
        const cli = new Cli(["sh", "-c", serving ? `exec ${given}` : given], { env });
        t.after(() => cli.kill());
        if (serving) {
          ports.set("7433", (await cli.says("stderr", /serving \w+ at 127\.0\.0\.1:(\d+)/))[1]!);
          if (!/--http/.test(line)) continue;
          ports.set("9464", (await cli.says("stderr", /http:\/\/127\.0\.0\.1:(\d+)/))[1]!);
        } else {
          assertEquals((await cli.end()).code, 0, cli.stderr);
          const expected = PRINTS.find(([command]) => command.test(line));
          assert(expected !== undefined, `nothing is known of: ${line}`);
          assertMatch(cli.stdout.trim(), expected[1]);
        }
      }
    });
  }

  it("has blocks to run, and every profile in them", () => {
    assert(BLOCKS.length >= 6);
    for (const profile of ["raw", "classic", "plain"]) {
      assertStringIncludes(BLOCKS.join(), `--profile ${profile}`);
    }
  });

  it("has the figures that the benchmark writes", async () => {
    const [, figures] = /<!-- figures:begin -->\n([\s\S]*)<!-- figures:end -->/.exec(DOCUMENT)!;
    const run = await output("bench/origins.ts", "--dry", "--quick");
    // All but the values: titles, what was measured, heads of tables, in one order.
    const frame = (text: string): string[] =>
      text.split("\n").filter((line) => /^### /.test(line)).map((line) => line.trim());
    assert(frame(run).length >= 5);
    assertEquals(frame(figures!), frame(run));
    assertMatch(figures!, /Commit [0-9a-f]{7,}, \d{4}-\d\d-\d\d, Node \d+/);
    // A zombie is found within the promised bound, of which the document speaks.
    const rows = [...run.matchAll(/^\| (\w+) \| (10|1) s \| [\d.]+ to ([\d.]+) s.*\| ([\d.]+) s \|$/gm)];
    assertEquals(rows.length, 6);
    for (const [line, , , most, bound] of rows) assert(Number(most) <= Number(bound), line);
  });
});

/** Runs a script of the project and returns its stdout. */
function output(script: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const [file, ...rest] = runtimeCommand("node", join(ROOT, script), args);
    const child = spawn(file!, rest, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => errors += chunk);
    child.on("error", reject);
    child.on("close", (code) => code === 0 ? resolve(text) : reject(new Error(`${code}: ${errors}`)));
  });
}

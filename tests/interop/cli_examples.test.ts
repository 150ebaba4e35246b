/**
 * The examples of `--help`, run in a shell as they stand: only the addresses are exchanged for free ones.
 */

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Cli, startCli, startServer } from "../support/cli.ts";
import { ROOT, runtimeCommand } from "../support/runtimes.ts";

const folder = mkdtempSync(join(tmpdir(), "heartwire-examples-"));
after(() => rmSync(folder, { recursive: true, force: true }));

// A command `heartwire`, on the runtime that starts fastest.
const command = runtimeCommand("bun", join(ROOT, "cli", "main.ts"));
const words = command.map((word) => `'${word}'`).join(" ");
writeFileSync(join(folder, "heartwire"), `#!/bin/sh\nexec ${words} "$@"\n`);
chmodSync(join(folder, "heartwire"), 0o755);
const env = { PATH: `${folder}${delimiter}${process.env["PATH"]}` };

function examplesOf(command: string): string[] {
  const [file, ...args] = runtimeCommand("bun", join(ROOT, "cli", "main.ts"), [command, "--help"]);
  const { stdout } = spawnSync(file!, args, { encoding: "utf8" });
  const [, block] = /^examples:\n((?: {2}.*\n)+)/m.exec(stdout)!;
  return block!.trimEnd().split("\n").map((line) => line.trim());
}

describe("examples of --help", { skip: process.platform === "win32" ? "needs a shell" : false }, () => {
  for (const command of ["connect", "send", "ping"]) {
    it(`of ${command}`, async (t) => {
      const { address } = await startServer(t, "bun");
      for (const example of examplesOf(command)) {
        assertMatch(example, /127\.0\.0\.1:7433/);
        const cli = new Cli(["sh", "-c", example.replaceAll("127.0.0.1:7433", address)], { env });
        t.after(() => cli.kill());
        const expected = /--expect 0/.test(example) ? /^$/ : command === "connect" ? /^(one\ntwo\n)?$/ : /./;
        assertEquals((await cli.end()).code, 0, cli.stderr);
        assertMatch(cli.stdout, expected);
      }
    });
  }

  it("of bench", async (t) => {
    const { address } = await startServer(t, "bun");
    for (const example of examplesOf("bench")) {
      const cli = new Cli(["sh", "-c", example.replaceAll("127.0.0.1:7433", address)], { env });
      t.after(() => cli.kill());
      assertEquals((await cli.end()).code, 0, cli.stderr);
      assertMatch(cli.stdout, /messages\/s|"messagesPerSecond"|0 lost/);
    }
  });

  it("of demo", async (t) => {
    const examples = examplesOf("demo").map((example) => {
      const cli = new Cli(["sh", "-c", example], { env });
      t.after(() => cli.kill());
      return cli;
    });
    for (const cli of examples) {
      assertEquals((await cli.end()).code, 0, cli.stdout);
      assertMatch(cli.stdout, /: 0 lost|"held":true/);
    }
  });

  it("of serve", async (t) => {
    for (const example of examplesOf("serve")) {
      const given = example
        .replace(/serve$/, "serve :0") // the default port may be taken
        .replace("/tmp/heartwire.sock", join(folder, "socket"));
      const args = given.split(" ").slice(1);
      const server = startCli(t, "bun", args);
      await server.says("stderr", /serving \w+ at /);
      server.kill("SIGINT");
      assertEquals((await server.end()).code, 130);
    }
  });

  it("of the first page", async (t) => {
    const cli = new Cli(["heartwire", "--help"], { env: { ...env } });
    t.after(() => cli.kill());
    assertEquals((await cli.end()).code, 0);
    assert(cli.stdout.includes("heartwire serve"));
    const version = new Cli(["heartwire", "--version"], { env: { ...env } });
    t.after(() => version.kill());
    assertEquals((await version.end()).code, 0);
    assertMatch(version.stdout, /^\d+\.\d+\.\d+\S*\n$/);
  });
});

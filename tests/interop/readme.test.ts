/**
 * The examples of README.md, run as they stand: each on every runtime, with only the import and the port exchanged.
 *
 * Rules: a TypeScript block whose first line names a file is an example; one that no test below runs is a failure. Waits are for
 * output, never for time.
 */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Examples, freePort, listening, type Run } from "../support/examples.ts";
import { ROOT, RUNTIMES } from "../support/runtimes.ts";

const examples = new Examples("README.md");
const README = examples.text;
after(() => examples.close());

describe("README.md", () => {
  it("has just the examples that are run here", () => {
    assertEquals([...examples.sources.keys()].sort(), ["client.ts", "core.ts", "server.ts", "watch.ts"]);
    assertEquals(examples.blocks, examples.sources.size);
  });

  for (const runtime of RUNTIMES) {
    it(`the echo pair runs on ${runtime}`, async () => {
      const port = await freePort();
      const server = examples.run("server.ts", runtime, port);
      await listening(port);
      const client = examples.run("client.ts", runtime, port);
      assertEquals(await client.exit, 0, client.output);
      assertEquals(client.output, "HELLO\n");
      server.child.kill("SIGKILL");
      await server.exit;
    });

    it(`a death is told with its code on ${runtime}`, async () => {
      const port = await freePort();
      const server = examples.run("server.ts", runtime, port);
      await listening(port);
      const watch = examples.run("watch.ts", runtime, port);
      await watch.seen(/within [\d.]+ ms/);
      server.child.kill("SIGSTOP");
      assertEquals(await watch.exit, 0, watch.output);
      server.child.kill("SIGKILL");
      await server.exit;
      assertStringIncludes(watch.output, "ERR_HEARTWIRE_DEAD true");
      const bound = Number(/within ([\d.]+) ms/.exec(watch.output)![1]);
      assert(bound > 0 && bound <= 1_201, watch.output);
    });

    it(`the core runs without sockets on ${runtime}`, async () => {
      const core = examples.run("core.ts", runtime, 0);
      assertEquals(await core.exit, 0, core.output);
      assertEquals(core.output, "open open\n");
    });
  }

  it("the command lines run as they stand, but for the port", async () => {
    const block = [...README.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1]!)
      .find((text) => text.includes("heartwire serve"))!;
    const lines = [...block.matchAll(/^npx heartwire (.*?)\s*(?:#.*)?$/gm)].map((match) =>
      match[1]!.split(/\s+/)
    );
    assertEquals(lines.map((words) => words[0]), [
      "demo",
      "serve",
      "ping",
      "connect",
      "send",
      "bench",
      "bench",
    ]);
    const port = await freePort();
    const start = (words: readonly string[]): Run => {
      const args = words.map((word) => word.replace("7433", String(port)));
      const child = spawn(process.execPath, [join(ROOT, "cli/heartwire.js"), ...args], { cwd: ROOT });
      child.stdin.end();
      return examples.follow(child, words.join(" "));
    };
    const server = start(["serve", `127.0.0.1:${port}`]);
    await listening(port);
    await Promise.all(
      lines.filter(([name]) => name !== "serve").map(async (words) => {
        const command = start(words);
        assertEquals(await command.exit, 0, `${words.join(" ")}\n${command.output}`);
      }),
    );
    server.child.kill("SIGINT");
    assertEquals(await server.exit, 130, server.output);
  });

  it("the two first lines are the set-up", () => {
    assertStringIncludes(README, "npm ci && npm start");
    assertStringIncludes(README, "npm ci && npm test");
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    assert(typeof scripts.start === "string" && typeof scripts.test === "string");
  });
});

/**
 * The examples of README.md, run as they stand: each on every runtime, with only the import and the port exchanged.
 *
 * Rules: a TypeScript block whose first line names a file is an example; one that no test below runs is a failure. Waits are for
 * output, never for time.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT, type Runtime, runtimeCommand, RUNTIMES } from "../support/runtimes.ts";

const README = readFileSync(join(ROOT, "README.md"), "utf8");
const EXAMPLES = new Map(
  [...README.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map((match) => [match[1]!, match[2]!]),
);
const folder = mkdtempSync(join(tmpdir(), "heartwire-readme-"));
writeFileSync(join(folder, "package.json"), '{ "type": "module" }');

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

interface Run {
  readonly child: ChildProcess;
  output: string;
  readonly exit: Promise<number | null>;
  /** Resolves when the output matches. */
  seen(pattern: RegExp): Promise<void>;
}

/** Runs an example on a runtime; the specifiers of the package resolve as they do in a clone. */
function run(name: string, runtime: Runtime, port: number): Run {
  const source = EXAMPLES.get(name)!.replaceAll("7433", String(port)).replaceAll(
    "heartwire/node",
    `heartwire/${runtime}`,
  );
  // The package's names resolve inside a clone only: the files lie in a folder of their own, so name the sources.
  const modules = { heartwire: "core/mod.ts", [`heartwire/${runtime}`]: `adapters/${runtime}/mod.ts` };
  let resolved = source;
  for (const [specifier, path] of Object.entries(modules)) {
    resolved = resolved.replaceAll(`from "${specifier}"`, `from ${JSON.stringify(join(ROOT, path))}`);
  }
  const file = join(folder, `${runtime}-${port}-${name}`);
  writeFileSync(file, resolved);
  const [command, ...args] = runtimeCommand(runtime, file);
  return follow(
    spawn(command!, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] }),
    `${name} on ${runtime}`,
  );
}

/** Collects what a process says, and knows when it has ended. */
function follow(child: ChildProcess, what: string): Run {
  running.add(child);
  const listeners = new Set<() => void>();
  const self: Run = {
    child,
    output: "",
    exit: new Promise((resolve) => {
      child.on("close", (code) => {
        running.delete(child);
        for (const listener of listeners) listener();
        resolve(code);
      });
    }),
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(self.output)) resolve();
          else if (child.exitCode !== null) reject(new Error(`${what} ended:\n${self.output}`));
          else return;
          listeners.delete(look);
        };
        listeners.add(look);
        look();
      }),
  };
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      self.output += text;
      for (const listener of listeners) listener();
    });
  }
  return self;
}

/** Waits until something listens. */
async function listening(port: number): Promise<void> {
  const { connect } = await import("node:net");
  for (let attempt = 0; attempt < 500; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nothing listens on ${port}`);
}

describe("README.md", () => {
  it("has just the examples that are run here", () => {
    assertEquals([...EXAMPLES.keys()].sort(), ["client.ts", "core.ts", "server.ts", "watch.ts"]);
    assertEquals(README.match(/^```ts/gm)!.length, EXAMPLES.size);
  });

  for (const runtime of RUNTIMES) {
    it(`the echo pair runs on ${runtime}`, async () => {
      const port = await freePort();
      const server = run("server.ts", runtime, port);
      await listening(port);
      const client = run("client.ts", runtime, port);
      assertEquals(await client.exit, 0, client.output);
      assertEquals(client.output, "HELLO\n");
      server.child.kill("SIGKILL");
      await server.exit;
    });

    it(`a death is told with its code on ${runtime}`, async () => {
      const port = await freePort();
      const server = run("server.ts", runtime, port);
      await listening(port);
      const watch = run("watch.ts", runtime, port);
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
      const core = run("core.ts", runtime, 0);
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
    assertEquals(lines.map((words) => words[0]), ["serve", "ping", "connect", "send", "bench"]);
    const port = await freePort();
    const start = (words: readonly string[]): Run => {
      const args = words.map((word) => word.replace("7433", String(port)));
      const child = spawn(process.execPath, [join(ROOT, "cli/heartwire.js"), ...args], { cwd: ROOT });
      child.stdin.end();
      return follow(child, words.join(" "));
    };
    const server = start([...lines[0]!, `127.0.0.1:${port}`]);
    await listening(port);
    for (const words of lines.slice(1)) {
      const command = start(words);
      assertEquals(await command.exit, 0, `${words.join(" ")}\n${command.output}`);
    }
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

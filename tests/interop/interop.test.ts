/**
 * Every runtime as a server to every runtime as a client, over TCP and over Unix sockets, with verified data.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { socketPath, testFile } from "../support/contract.ts";
import { ROOT, type Runtime, runtimeCommand, RUNTIMES } from "../support/runtimes.ts";

const LIMIT = 60_000;

/** A peer on a runtime, and the lines that it wrote. */
class Peer {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  errors = "";
  #wake: () => void = () => {};

  constructor(runtime: Runtime, role: "serve" | "connect", address: string) {
    const [command, ...args] = runtimeCommand(runtime, testFile("interop/peer.ts"), [role, address]);
    const env: NodeJS.ProcessEnv = { ...process.env };
    delete env["NODE_TEST_CONTEXT"];
    this.child = spawn(command!, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
    let partial = "";
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop()!;
      this.lines.push(...lines);
      this.#wake();
    });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => this.errors += text);
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code) => {
        this.#wake();
        resolve(code);
      });
    });
  }

  /** The line with this number, when it is there. */
  async line(number: number): Promise<string> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), LIMIT);
    while (this.lines.length <= number && this.child.exitCode === null && this.child.signalCode === null) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    clearTimeout(timer);
    const line = this.lines[number];
    if (line === undefined) throw new Error(`the peer ended: ${this.errors}`);
    return line;
  }
}

for (const kind of ["tcp", "unix"] as const) {
  for (const serving of RUNTIMES) {
    describe(`${kind}: ${serving} serves`, { skip: kind === "unix" && process.platform === "win32" }, () => {
      let server: Peer;
      let url: string;
      let sessions = 0;
      before(async () => {
        server = new Peer(serving, "serve", kind === "tcp" ? "127.0.0.1:0" : socketPath());
        url = await server.line(0);
      });
      after(async () => {
        server.child.kill("SIGTERM");
        assertEquals([await server.ended, server.errors], [0, ""], "the server closes in order");
      });

      for (const dialling of RUNTIMES) {
        test(`${dialling} connects`, async () => {
          const client = new Peer(dialling, "connect", url);
          const theirs = JSON.parse(await client.line(0));
          const ours = JSON.parse(await server.line(++sessions));
          assertEquals([await client.ended, client.errors], [0, ""]);
          assertMatch(theirs.received, /^117 messages [0-9a-f]{64}$/);
          assertMatch(ours.received, /^117 messages [0-9a-f]{64}$/);
          assertEquals([theirs.kind, ours.kind, ours.rest], ["closed", "closed", 0]);
        });
      }
    });
  }
}

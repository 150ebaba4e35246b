/**
 * A process that is done with its sessions ends: no socket, timer or listener keeps it.
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import process from "node:process";
import { describe, test } from "node:test";
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { parseAddress } from "../../adapters/api.ts";
import { rawConnect, runtime, testFile } from "../support/contract.ts";
import { ROOT, runtimeCommand, runtimePath } from "../support/runtimes.ts";

/** What still comes from a peer after the end is read for at most 1 s (docs/PROTOCOL.md, section 7). */
const LINGER = 1_000;

interface Ended {
  code: number | null;
  output: string;
  /** From "done" to the end, ms. */
  lingered: number;
}

function run(...scenario: string[]): Promise<Ended> {
  const [command, ...args] = runtimeCommand(runtime, testFile("contract/programs/leaves.ts"), scenario);
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env["NODE_TEST_CONTEXT"];
  const child = spawn(command!, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let done = NaN;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (text.includes("done")) done = performance.now();
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  return new Promise((resolve) => {
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output, lingered: performance.now() - done });
    });
  });
}

/** Listens and accepts nothing: it blocks before its first turn, so that the system holds two connections for it and drops the rest. */
const DEAF = `
const server = require("node:net").createServer();
server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
  require("node:fs").writeSync(1, String(server.address().port));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
});`;

/** Calls back with an address where a dial hangs. */
async function withDeaf<T>(then: (address: string) => Promise<T>): Promise<T> {
  const child = spawn(runtimePath("node"), ["-e", DEAF], { stdio: ["ignore", "pipe", "inherit"] });
  const held: Socket[] = [];
  try {
    const [port] = await once(child.stdout, "data");
    const address = `127.0.0.1:${port}`;
    for (let i = 0; i < 2; i++) held.push(await rawConnect(parseAddress(address)));
    return await then(address);
  } finally {
    for (const socket of held) socket.destroy();
    child.kill("SIGKILL");
  }
}

const scenarios = [
  "closed",
  "left open by the client, server aborted",
  "refused",
  "gave up reconnecting",
  "cancelled in the handshake",
  "given up while it dials",
  "found dead",
  "closed with a ping's timeout pending",
  "a server with a signal, never used",
  "closed, with a store behind the server",
  "sends and pings that nobody awaits, and the end",
];

describe(`a ${runtime} process ends by itself`, () => {
  for (const scenario of scenarios) {
    test(scenario, async () => {
      const { code, output, lingered } = await withDeaf((address) => run(scenario, address));
      assertEquals([code, output.trim()], [0, "done"]);
      assertLess(lingered, LINGER + 1_500);
    });
  }

  const mistakes = [
    ["DATA", "takes a string"],
    ["MESSAGE_TOO_LARGE", "the peer accepts"],
    ["SEND_QUEUE_FULL", "wait to be sent"],
  ] as const;
  for (const [code, message] of mistakes) {
    test(`${code} that nobody awaits is noticed`, async () => {
      const died = await run("--mistake", code);
      assertEquals(died.code, 1);
      assertStringIncludes(died.output, message);
    });
  }

  test("every scenario is run", async () => {
    assertEquals(JSON.parse((await run("--list")).output), scenarios);
  });
});

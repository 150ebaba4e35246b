/**
 * The figures of docs/origins.md: what heartbeats cost, when a zombie is found, how fast a client is back, what is refused.
 *
 *   npx tsx bench/origins.ts [--dry] [--quick]
 *
 * Replaces the text between the markers in docs/origins.md; `--dry` prints it instead, `--quick` measures less, for tests.
 *
 * Rules: no figure is typed by hand. Every table says what it covers: the pure core in virtual time, or real sockets on this machine.
 * Virtual time costs no waiting and changes no byte; CPU time is that of this process.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { loadavg } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { connect, type HeartwireError, listen } from "../adapters/node/mod.ts";
import type { Profile } from "../core/mod.ts";
import { ROOT, runtimeCommand, runtimePath, RUNTIMES } from "../tests/support/runtimes.ts";
import { LoopPair, SECOND } from "./loop_pair.ts";
import { machineName, runtimeName } from "./report.ts";

const { values } = parseArgs({
  options: { dry: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
});
const DOCUMENT = join(ROOT, "docs", "origins.md");
const BEGIN = "<!-- figures:begin -->";
const END = "<!-- figures:end -->";

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => "-")), ...rows.map(row)].join("\n");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function thousands(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

const HEARD: readonly Profile[] = ["heartwire", "classic", "plain"];

/** Resource use: bytes and CPU time of nothing but heartbeats. */
function heartbeatCost(): string {
  const counts = values.quick ? [100] : [1_000, 10_000];
  const rows: string[][] = [];
  for (const profile of HEARD) {
    // The engine compiles what it is about to measure.
    for (let at = 0; at < 50; at++) {
      new LoopPair(profile, SECOND, at).run((values.quick ? 10 : 1_000) * SECOND);
    }
    for (const interval of [10, 30, 60]) {
      const cells: string[] = [];
      let bytes = 0;
      for (const count of counts) {
        const pairs = Array.from({ length: count }, (_, at) => new LoopPair(profile, interval * SECOND, at));
        const beats = Math.max(4, Math.ceil((values.quick ? 1_000 : 100_000) / count));
        // The handshake is no heartbeat: it is over before the measurement.
        let now = 2 * interval * SECOND;
        for (const pair of pairs) pair.run(now);
        const before = pairs.reduce((sum, pair) => sum + pair.bytes, 0);
        const cpu = cpuMs();
        for (let step = 0; step < beats; step++) {
          now += interval * SECOND;
          for (const pair of pairs) pair.run(now);
        }
        const hours = beats * interval / 3_600;
        bytes = (pairs.reduce((sum, pair) => sum + pair.bytes, 0) - before) / count / hours;
        cells.push(`${thousands((cpuMs() - cpu) / 1_000 / hours)} s`);
      }
      rows.push([profile, `${interval} s`, thousands(bytes), ...cells]);
    }
  }
  return table(
    [
      ...["profile", "interval", "bytes an hour, one connection, both directions"],
      ...counts.map((count) => `CPU time an hour, ${thousands(count)} connections`),
    ],
    rows,
  );
}

/** Stability: after the link fell silent, when does each side know? */
function zombies(): string {
  const cuts = values.quick ? 10 : 200;
  const day = 86_400 * SECOND;
  const rows: string[][] = [];
  for (const profile of [...HEARD, "raw"] as const) {
    for (const interval of [10, 1]) {
      if (profile === "raw" && interval === 1) continue;
      const found = { client: [] as number[], server: [] as number[] };
      let bound = 0;
      for (let cut = 0; cut < cuts; cut++) {
        const pair = new LoopPair(profile, interval * SECOND, cut);
        // Anywhere in the fourth interval.
        const at = (3 + cut / cuts) * interval * SECOND;
        pair.run(at);
        bound = pair.client.agreement!.idleDetectionBound;
        pair.cut = true;
        pair.run(at + day);
        for (const side of ["client", "server"] as const) {
          const when = pair.deadAt[side];
          if (when !== null) found[side].push(when - at);
        }
      }
      const tell = (times: readonly number[]): string => {
        if (times.length === 0) return "never, in a day";
        if (times.length < cuts) return `in ${times.length} of ${cuts}`;
        const [least, most] = [Math.min(...times), Math.max(...times)].map((ms) => (ms / SECOND).toFixed(1));
        return `${least} to ${most} s, median ${(median(times) / SECOND).toFixed(1)} s`;
      };
      rows.push([
        ...[profile, profile === "raw" ? "none" : `${interval} s`, tell(found.client), tell(found.server)],
        bound === Infinity ? "none" : `${(bound / SECOND).toFixed(1)} s`,
      ]);
    }
  }
  return table(["profile", "interval", "client knows after", "server knows after", "promised bound"], rows);
}

const MAIN = join(ROOT, "cli", "main.ts");

/** Starts `serve --json`; resolves with its port. */
async function serve(port: number): Promise<{ child: ChildProcess; port: number }> {
  const [file, ...args] = runtimeCommand("node", MAIN, ["serve", `127.0.0.1:${port}`, "--json"]);
  const child = spawn(file!, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout!.setEncoding("utf8").once("data", resolve);
    child.once("exit", (code) => reject(new Error(`serve ended with ${code}`)));
  });
  return { child, port: (JSON.parse(line.split("\n")[0]!) as { port: number }).port };
}

/** Error handling: a server is killed and started again. */
async function recovery(): Promise<string> {
  const restarts = values.quick ? 1 : 8;
  let server = await serve(0);
  const { port } = server;
  const noticed: number[] = [];
  const outage: number[] = [];
  const back: number[] = [];
  for (let restart = 0; restart < restarts; restart++) {
    const session = await connect(`127.0.0.1:${port}`, { reconnect: true });
    const statuses = session.status();
    await statuses.next(); // the state of now
    const killed = performance.now();
    server.child.kill("SIGKILL");
    const until = async (state: string): Promise<number> => {
      for (;;) {
        const { value } = await statuses.next();
        if (value.state === state) return value.at as number;
      }
    };
    noticed.push(await until("resuming") - killed);
    server = await serve(port);
    const listening = performance.now();
    const live = await until("live");
    back.push(Math.max(0, live - listening));
    outage.push(live - killed);
    await session.close();
  }
  server.child.kill("SIGKILL");
  const tell = (times: readonly number[]): string =>
    `${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)} ms, median ${
      median(times).toFixed(0)
    } ms`;
  return table(["killed and started again", "took"], [
    ["times", String(restarts)],
    ["kill to `resuming`, told to the client's application", tell(noticed)],
    ["server listens again to `live` (a back-off is running then)", tell(back)],
    ["kill to `live`, the start of the server's process included", tell(outage)],
  ]);
}

/** Security: what is more than the limit, and what is no heartbeat. */
async function limits(): Promise<string> {
  const rows: string[][] = [];
  const refusals = (all: Readonly<Partial<Record<string, number>>>): string =>
    Object.entries(all).map(([code, times]) => `${times} ${code}`).join(", ") || "none";

  const few = await listen(
    "127.0.0.1:0",
    (session) => session.onMessage(() => {}),
    { maxConnections: 10, handshakeTimeout: 300 },
  );
  const results = await Promise.allSettled(Array.from({ length: 15 }, () => connect(few.address)));
  const codes = results.map((one) =>
    one.status === "fulfilled" ? "welcomed" : (one.reason as HeartwireError).code
  );
  const count = (code: string): number => codes.filter((one) => one === code).length;
  rows.push([
    "15 clients, `maxConnections: 10`",
    `${count("welcomed")} welcomed; clients are told ${
      [...new Set(codes)].filter((code) => code !== "welcomed")
    }`,
    refusals(few.stats().refused),
  ]);
  await few.abort();

  const slow = await listen("127.0.0.1:0", () => {}, { handshakeTimeout: 300 });
  const { address } = slow;
  if (address.kind !== "tcp") throw new Error("not TCP");
  const silent = Array.from({ length: 20 }, () => dial(address.port, "127.0.0.1").on("error", () => {}));
  await Promise.all(silent.map((socket) => new Promise((done) => socket.resume().once("close", done))));
  rows.push([
    "20 connections that say nothing, `handshakeTimeout: 300`",
    `${slow.stats().transports} of them left`,
    refusals(slow.stats().ended),
  ]);
  await slow.abort();

  const corrupt = LoopPair.corrupt(10);
  rows.push([
    "10 heartbeats with one bit wrong in the checksum, profile classic, `tolerance: 3`",
    `ended at number ${corrupt.took}: ${corrupt.reason}`,
    refusals(corrupt.faults),
  ]);
  const noise = LoopPair.noise();
  rows.push([
    "a stream that is no heartbeats, profile classic",
    `ended after ${thousands(noise.took)} bytes: ${noise.reason}`,
    refusals(noise.faults),
  ]);
  return table(["what comes", "what happens", "counted"], rows);
}

/** Short connections against long ones. */
function shortAgainstLong(): string {
  const rows: string[][] = [];
  for (const runtime of RUNTIMES) {
    for (const profile of ["raw", "heartwire"]) {
      const args = ["bench", "--profile", profile, "--count", values.quick ? "20" : "2000", "--json"];
      const [file, ...rest] = runtimeCommand(runtime, MAIN, args);
      const { stdout } = spawnSync(file!, rest, { cwd: ROOT, encoding: "utf8" });
      for (const line of stdout.trim().split("\n").map((text) => JSON.parse(text))) {
        if (line.type !== "measured") continue;
        rows.push([
          ...[
            runtime,
            profile,
            line.mode,
            thousands(line.messagesPerSecond),
            thousands(line.connectionsPerSecond),
          ],
          ...[thousands(line.bytesPerMessage), thousands(line.roundTripsPerMessage)],
          ...[`${line.latency.p50.toFixed(3)} ms`, `${line.cpuPerMessage.toFixed(3)} ms`],
        ]);
      }
    }
  }
  const head = ["runtime", "profile", "connections", "messages/s", "connections/s", "bytes a message"];
  return table([...head, "round trips a message", "latency, median", "CPU a message"], rows);
}

function git(...args: string[]): string {
  return (spawnSync("git", args, { cwd: ROOT, encoding: "utf8" }).stdout ?? "").trim();
}

const changed = git("status", "--porcelain", "--", "core", "adapters", "cli", "bench/*.ts") !== "";
const commit = (git("rev-parse", "--short", "HEAD") || "unknown") + (changed ? "+" : "");
const parts = [
  `Written by \`npx tsx bench/origins.ts\`; not to be edited. Commit ${commit}, ` +
  `${new Date().toISOString().slice(0, 10)}, ${runtimeName()} unless said otherwise, ${machineName()}, ` +
  `load ${
    loadavg()[0]!.toFixed(1)
  } before the run: rates and CPU times of a busy machine are to be compared with each other only.`,
  "### Short connections against long ones",
  "`heartwire bench`, 64-byte messages over loopback, one at a time, client and server in one process: CPU time is that of both. " +
  "A message counts with its echo. Bytes are with framing, without TCP/IP headers; round trips are computed.",
  shortAgainstLong(),
  "### Resource use: heartbeats",
  "The core alone, in virtual time: both ends of every connection in this process, no sockets, no kernel, no messages. Bytes are " +
  "those of the protocol; TCP/IP adds 40 and more to each packet. A real server has one end, and its system calls besides.",
  heartbeatCost(),
  "### Stability: zombies",
  `The core alone, in virtual time: the link falls silent in both directions at ${
    values.quick ? 10 : 200
  } moments spread over an ` +
  "interval; multiplier 3. Nobody is told, as when a cable is cut or a host loses its power.",
  zombies(),
  "### Error handling: a server's restart",
  "Real sockets on loopback: `serve` is killed with SIGKILL and started again, a new client with `reconnect: true` and the default " +
  "back-off watches each time. A server that is lost again within a minute of its return is dialled ever more slowly, by design.",
  await recovery(),
  "### Security: limits and rejections",
  "The first two over real sockets, the others in the core.",
  await limits(),
];
const text = parts.join("\n\n");

if (values.dry) console.log(text);
else {
  const document = readFileSync(DOCUMENT, "utf8");
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${DOCUMENT} has no markers`);
  writeFileSync(DOCUMENT, `${document.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${document.slice(end)}`);
  spawnSync(runtimePath("deno"), ["fmt", "--quiet", DOCUMENT], { cwd: ROOT, stdio: "inherit" });
}

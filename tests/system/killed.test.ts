/**
 * A server that is killed while its clients have messages under way, and started again on its port: each client is told exactly which of its
 * messages are not confirmed, no send is left without an answer, and the session that follows works.
 *
 * What the server's handlers had processed is in a file, written before the library was told. So of each message it is known afterwards
 * whether what the client was told is true: confirmed, then it is in the file of one server, once; unsent, then in none; maybeDelivered, at
 * most once.
 *
 * Rule: the test waits for what processes tell, not for time, but for the moment in which a stopped server is sent what it never reads.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { pause } from "../support/contract.ts";
import { Program } from "../support/program.ts";
import { ROOT, type Runtime, runtimeCommand, RUNTIMES } from "../support/runtimes.ts";

const CLIENTS = 24;
const KILLS = 4;

interface Told {
  readonly number: number;
  readonly acknowledged: readonly (readonly [number, string])[];
  readonly plain: readonly (readonly [number, string])[];
  readonly lists: readonly (readonly (readonly [number, string])[])[];
  readonly states: readonly string[];
  readonly kind: string;
}

/** What one server's handlers have processed, by client. */
function processed(log: string): Map<number, number[]> {
  const clients = new Map<number, number[]>();
  for (const line of readFileSync(log, "utf8").split("\n").slice(0, -1)) {
    const [client, number] = line.split(" ").map(Number) as [number, number];
    if (!clients.has(client)) clients.set(client, []);
    clients.get(client)!.push(number);
  }
  return clients;
}

const CODES: Readonly<Record<string, string>> = { unsent: "UNSENT", maybeDelivered: "MAYBE_DELIVERED" };

/** Holds what a client was told against what was processed. Returns what it found, counted. */
function check({ number, acknowledged, plain, lists, kind, states }: Told, logs: Map<number, number[]>[]) {
  const name = `client ${number}`;
  assertEquals(kind, "closed", name);
  assertEquals(states.filter((state) => state === "live").length, KILLS + 1, `${name}: ${states}`);
  assert(!states.some((state) => state.startsWith("missed")), `${name}: ${states}`);
  const times = new Map<number, number>();
  for (const log of logs) {
    const own = log.get(number) ?? [];
    assertEquals(own, [...own].sort((a, b) => a - b), `${name}: processed in order`);
    for (const message of own) times.set(message, (times.get(message) ?? 0) + 1);
  }
  const found = { confirmed: 0, unsent: 0, maybeDelivered: 0, processedThough: 0, rejected: 0 };
  const listed = new Map<number, string>();
  for (const list of lists) {
    for (const [message, state] of list) {
      assert(!listed.has(message), `${name}: message ${message} is listed twice`);
      listed.set(message, state);
      const count = times.get(message) ?? 0;
      if (state === "unsent") assertEquals(count, 0, `${name}: message ${message} was unsent, and processed`);
      else assert(count <= 1, `${name}: message ${message} was processed ${count} times`);
      if (state === "unsent") found.unsent++;
      else found.maybeDelivered++;
      found.processedThough += count;
    }
    const order = list.map(([message]) => message);
    assertEquals(order, [...order].sort((a, b) => a - b), `${name}: listed in order`);
  }
  for (const [message, code] of acknowledged) {
    const state = listed.get(message);
    assertEquals(code, state === undefined ? "fulfilled" : CODES[state], `${name}: message ${message}`);
    if (state !== undefined) found.rejected++;
  }
  for (const [message, code] of plain) assertEquals(code, "fulfilled", `${name}: message ${message}`);
  const all = [...acknowledged, ...plain].map(([message]) => message).sort((a, b) => a - b);
  assertEquals(all, all.map((_, i) => i), `${name}: every send has an answer`);
  for (const message of all) {
    if (listed.has(message)) continue;
    assertEquals(times.get(message), 1, `${name}: message ${message} was confirmed; processed so often`);
    found.confirmed++;
  }
  for (const message of [...listed.keys(), ...times.keys()]) assert(message in all, `${name}: ${message}`);
  return found;
}

/** Starts a server on a port; 0 takes a free one. */
async function serve(
  runtime: Runtime,
  port: number,
  log: string,
): Promise<{ server: Program; port: number }> {
  const script = join(ROOT, "tests", "system", "killed.ts");
  const server = new Program(runtimeCommand(runtime, script, ["serve", String(port), log]), "the server");
  const told = await server.told({ type: "listening" });
  return { server, port: told["port"] as number };
}

describe("clients of a server that is killed", { concurrency: RUNTIMES.length }, () => {
  for (const runtime of RUNTIMES) {
    it(`are told exactly what is not confirmed, and go on, on ${runtime}`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "heartwire-killed-"));
      const programs: Program[] = [];
      t.after(() => {
        for (const program of programs) program.kill();
        rmSync(folder, { recursive: true, force: true });
      });
      const logs = Array.from({ length: KILLS + 1 }, (_, life) => join(folder, String(life)));
      let { server, port } = await serve(runtime, 0, logs[0]!);
      programs.push(server);
      const args = ["send", String(port), String(CLIENTS)];
      const script = join(ROOT, "tests", "system", "killed.ts");
      const clients = new Program(runtimeCommand(runtime, script, args), "the clients");
      programs.push(clients);
      for (let kill = 1; kill <= KILLS; kill++) {
        await clients.told({ type: "round", round: kill });
        if (kill % 2 === 0) { // what is sent now waits in the kernel and is never read
          server.kill("SIGSTOP");
          await pause(200);
        }
        server.kill("SIGKILL");
        await clients.told({ type: "away", round: kill });
        ({ server } = await serve(runtime, port, logs[kill]!));
        programs.push(server);
      }
      await clients.told({ type: "round", round: KILLS + 1 });
      clients.write("end\n");
      await clients.told({ type: "done" });

      const processedBy = logs.map(processed);
      const told = clients.lines.filter(({ type }) => type === "client") as unknown as Told[];
      assertEquals(told.length, CLIENTS);
      const sum: Record<string, number> = {};
      for (const one of told) {
        for (const [what, count] of Object.entries(check(one, processedBy))) {
          sum[what] = (sum[what] ?? 0) + count;
        }
      }
      console.log(
        `report: killed: ${runtime}: ${KILLS} kills, ${CLIENTS} clients: ${
          Object.entries(sum).map(([what, count]) => `${what} ${count}`).join(", ")
        }`,
      );
      for (const [what, count] of Object.entries(sum)) assertGreater(count, 0, what);
      assert(sum["processedThough"]! < sum["maybeDelivered"]!, "some of those may not have been processed");
    });
  }
});

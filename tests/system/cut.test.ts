/**
 * Links that are cut for real: packets are dropped between two hosts, and no socket is told. Each runtime, both as the side that
 * watches and as the side that vanishes, finds it out within the bound that it stated, and a plain TCP connection does not.
 *
 * Rules: needs root and network namespaces; without them every test is skipped with the reason. Slack is what a busy machine needs to
 * run processes.
 */

import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Cli } from "../support/cli.ts";
import { type Cut, missing, OtherHost } from "../support/netns.ts";
import { ROOT, type Runtime, runtimeCommand, RUNTIMES } from "../support/runtimes.ts";

const why = missing();
const skip = why ?? false;

/** What a busy machine needs on top of a bound, ms. */
const SLACK = 500;
const INTERVAL = 200;

interface Host {
  readonly host: OtherHost;
  readonly server: Cli;
  readonly address: string;
}

let hosts = 0;

async function serveElsewhere(test: { after(cleanup: () => void): void }, runtime: Runtime): Promise<Host> {
  const host = new OtherHost(hosts++);
  const main = join(ROOT, "cli", "main.ts");
  const args = ["serve", `${host.address}:0`, "--json", "--interval", String(INTERVAL)];
  const server = new Cli(host.command(runtimeCommand(runtime, main, args)));
  test.after(() => {
    server.kill();
    host.remove();
  });
  const { port } = await server.record({ type: "listening" });
  return { host, server, address: `${host.address}:${port}` };
}

function ping(test: { after(cleanup: () => void): void }, runtime: Runtime, address: string): Cli {
  const args = ["ping", address, "--json", "--interval", String(INTERVAL)];
  const cli = new Cli(runtimeCommand(runtime, join(ROOT, "cli", "main.ts"), args));
  test.after(() => cli.kill());
  return cli;
}

describe("a link that is cut", { skip }, () => {
  for (const [i, runtime] of RUNTIMES.entries()) {
    const other = RUNTIMES[(i + 1) % RUNTIMES.length]!;

    it(`in both directions: ${runtime} and a server on ${other} find it out, and it heals`, async (t) => {
      const { host, server, address } = await serveElsewhere(t, other);
      const watching = ping(t, runtime, address);
      const { agreement } = await watching.record({ type: "status", state: "live" });
      const { idleDetectionBound: bound } = agreement as { idleDetectionBound: number };
      await watching.record({ type: "pong", seq: 5 });
      // The peer that does not know: TCP alone.
      const plain = connect(Number(address.split(":")[1]), host.address);
      let told = false;
      t.after(() => plain.destroy());
      plain.on("error", () => told = true).on("close", () => told = true);
      await new Promise((resolve) => plain.once("connect", resolve));

      const cutAt = performance.now();
      host.cut("both");
      const dead = await watching.record({ type: "status", state: "dead" });
      const took = performance.now() - cutAt;
      assert(took <= bound + SLACK, `took ${took} ms, bound ${bound} ms`);
      assertEquals(dead["verdict"], "INBOUND_SILENT");
      const closed = await server.record({ type: "closed" });
      assertEquals(closed["reason"], "dead", JSON.stringify(closed));
      assertEquals(told, false, "the plain TCP connection noticed");

      const before = watching.records.length;
      host.heal();
      await watching.record({ type: "status", state: "live" }, before);
      await watching.record({ type: "pong" }, before);
    });

    for (const cut of ["to", "from"] as const satisfies readonly Cut[]) {
      it(`in one direction (${cut} the server on ${other}): ${runtime} finds it out`, async (t) => {
        const { host, address } = await serveElsewhere(t, other);
        const watching = ping(t, runtime, address);
        const { agreement } = await watching.record({ type: "status", state: "live" });
        const { idleDetectionBound: bound } = agreement as { idleDetectionBound: number };
        await watching.record({ type: "pong", seq: 5 });
        const cutAt = performance.now();
        host.cut(cut);
        // The server may find it out first; when only the way to it is cut, the end of its socket still comes through.
        const states = cut === "to" ? ["dead", "lost"] : ["dead"];
        const waits = states.map((state) => watching.record({ type: "status", state }));
        for (const wait of waits) wait.catch(() => {}); // of the two only one comes
        const found = await Promise.race(waits);
        const took = performance.now() - cutAt;
        assert(took <= bound + SLACK, `took ${took} ms, bound ${bound} ms`);
        // TCP falls silent both ways for want of acknowledgements, so either verdict is right when one direction is cut.
        const verdict = String(found["verdict"] ?? "LOST");
        assert(["INBOUND_SILENT", "OUTBOUND_DEAD", "LOST"].includes(verdict), verdict);
      });
    }
  }
});

/**
 * `ping` as a person would run it: what it sends, and what it tells of time, on each runtime.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { listen } from "../../adapters/node/mod.ts";
import type { SessionStats } from "../../adapters/api.ts";
import { type Line, startCli, startServer } from "../support/cli.ts";
import { RUNTIMES } from "../support/runtimes.ts";

/** How often to ask, ms, and how many times. */
const [EVERY, TIMES] = [100, 50];

describe("ping", () => {
  it("sends its questions and hardly anything besides, and is never too fast", async (t) => {
    const seen: SessionStats[] = [];
    const faults: string[] = [];
    const server = await listen("127.0.0.1:0", async (session) => {
      await session.closed;
      seen.push(session.stats());
    }, {
      heartbeat: { minimumInterval: EVERY },
      observe: (_session, event) => {
        if (event.type === "fault") faults.push(`${event.code} ${event.text}`);
      },
    });
    t.after(() => server.close());
    const { address } = server;
    const all = RUNTIMES.map((runtime) =>
      startCli(t, runtime, ["ping", address.url, "-c", String(TIMES), "--interval", String(EVERY), "--json"])
    );
    for (const ping of all) assertEquals((await ping.end()).code, 0, ping.stderr);
    await server.close();
    assertEquals([seen.length, faults], [RUNTIMES.length, []]);
    for (const { pingsReceived, heartbeatFaults } of seen) {
      assertEquals(heartbeatFaults, 0);
      // One opens the connection. A beat comes before its question when that is late: on a busy machine now and then.
      assertGreater(pingsReceived, TIMES - TIMES / 10);
      assertLess(pingsReceived, TIMES + TIMES / 5 + 1);
    }
  });

  for (const runtime of RUNTIMES) {
    it(`measures each direction and the clocks, on ${runtime}`, async (t) => {
      const { address } = await startServer(t, "bun", "--detector", "accrual", "--preset", "lan");
      const args = ["ping", address, "-c", "4", "--preset", "lan", "--detector", "accrual"];
      const ping = startCli(t, runtime, args);
      assertEquals((await ping.end()).code, 0, ping.stderr);
      assertMatch(ping.stdout, /^PING [\d.:]+: every 135 ms; a dead peer is found within \d+ ms$/m);
      assertMatch(
        ping.stdout,
        /^out above least p50\/p99\/max = [\d.]+\/[\d.]+\/[\d.]+ ms, jitter [\d.]+ ms$/m,
      );
      assertMatch(
        ping.stdout,
        /^in {2}above least p50\/p99\/max = [\d.]+\/[\d.]+\/[\d.]+ ms, jitter [\d.]+ ms$/m,
      );
      assertMatch(ping.stdout, /^clock offset [+-][\d.]+ ms within [\d.]+ ms, both counted from WELCOME$/m);
      const json = startCli(t, runtime, [...args, "--json"]);
      const { summary } = await json.end();
      const last = json.records.filter(({ type }) => type === "pong").at(-1)!;
      assertEquals(last["clock"], summary["clock"]);
      const { inbound, outbound } = summary["oneWay"] as Record<string, { excess: Line; jitter: number }>;
      for (const way of [inbound!, outbound!]) assert(Number(way.excess["min"]) >= 0 && way.jitter >= 0);
      // What one direction was late, the round trip was late at least.
      const rtt = summary["rtt"] as Record<string, number>;
      assertLess(Number(inbound!.excess["min"]), rtt["max"]! + 0.2);
    });

    it(`tells stalls, whose they are, and no death, on ${runtime}`, async (t) => {
      // Both have a beat that is due in every second and third: it is by that that they notice.
      const { server, address } = await startServer(t, runtime, "--interval", "1000", "--multiplier", "5");
      const ping = startCli(t, runtime, ["ping", address, "--json"]);
      await ping.record({ type: "pong", seq: 2 });
      ping.kill("SIGSTOP");
      await pause(1_700);
      ping.kill("SIGCONT");
      const mine = await ping.record({ state: "stalled", verdict: "LOCAL_STALLED" });
      const confessed = await server.record({ state: "stalled", verdict: "PEER_STALLED" });
      assertEquals([mine["during"], confessed["session"]], ["live", "user1"]);
      assertGreater(Number(mine["span"]), 250);
      const before = ping.records.length;
      server.kill("SIGSTOP");
      await pause(1_700);
      server.kill("SIGCONT");
      await ping.record({ state: "stalled", verdict: "PEER_STALLED" }, before);
      await server.record({ state: "stalled", verdict: "LOCAL_STALLED" });
      ping.kill("SIGINT");
      const { summary } = await ping.end();
      assertEquals([summary["outages"], summary["verdict"], summary["lost"]], [0, "alive", 0]);
      assertGreater(Number(summary["stalledFor"]), 250);
      assertGreater(Number(summary["peerStalledFor"]), 250);
    });
  }
});

/** For so long a process does not run: real, since it is the system that stops it. */
function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}

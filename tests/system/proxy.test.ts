/**
 * A hundred sessions exchange a hundred thousand messages over real sockets while a proxy ends their connections for a minute, in all the
 * ways that it knows: every message arrives exactly once and in order at both ends. The three runtimes do it side by side.
 *
 * Rules: proxies live in this process, servers and clients of a runtime in one of their own. Nothing is measured but counts, so a busy machine
 * only means fewer messages in flight.
 */

import { join } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { HostileProxy } from "../support/hostile_proxy.ts";
import { type Line, Program } from "../support/program.ts";
import { ROOT, runtimeCommand, RUNTIMES } from "../support/runtimes.ts";

const SESSIONS = 100;
/** Over each session in each direction. */
const MESSAGES = 500;
const SECONDS = 60;
const SEED = 20_260;
/** When nothing is done to connections any more, the rest comes within so many seconds. */
const PATIENCE = 20;

describe("sessions over a proxy that ends their connections", { concurrency: RUNTIMES.length }, () => {
  for (const [index, runtime] of RUNTIMES.entries()) {
    it(`lose nothing, double nothing and keep the order on ${runtime}`, async (t) => {
      const seed = SEED + index;
      const args = [SESSIONS, MESSAGES, SECONDS, seed].map(String);
      const script = join(ROOT, "tests", "system", "exchange.ts");
      const program = new Program(runtimeCommand(runtime, script, args), `exchange on ${runtime}`);
      t.after(() => program.kill());
      const { port } = await program.told({ type: "listening" });
      const proxy = await HostileProxy.before(port as number, seed);
      t.after(() => proxy.close());
      program.write(`${proxy.port}\n`);
      // Each wait is bounded, and a process that stands still says no second.
      for (let second = 1;; second++) {
        const { complete, received, examples } = await program.told({ type: "progress", seconds: second });
        if (second >= SECONDS) proxy.calm();
        if (second >= SECONDS && complete === true) break;
        assert(second < SECONDS + PATIENCE, `${received} messages have come, then none: ${examples}`);
      }
      program.write("close\n");
      const done = await program.told({ type: "done" });
      assertEquals(await program.ended(), 0, program.stderr);

      const { resumed, expired } = done["kept"] as Record<string, number>;
      const ends = Object.entries(proxy.ends).map(([end, count]) => `${end} ${count}`).join(", ");
      console.log(
        `report: proxy: ${runtime}: ${
          done["received"]
        } messages, ${proxy.kills} connections ended (${ends}), ` +
          `${resumed} resumes, CPU ${Number(done["cpu"]) / 1_000} s`,
      );
      const none = Object.fromEntries(Object.keys(done["wrong"] as Line).map((what) => [what, 0]));
      assertEquals(done["wrong"], none, JSON.stringify(done["examples"], null, 2));
      assertEquals([done["received"], done["sessions"]], [2 * SESSIONS * MESSAGES, SESSIONS]);
      assertEquals([done["closed"], expired], [2 * SESSIONS, 0], "every session ends in good order");
      for (const [end, count] of Object.entries(proxy.ends)) assertGreater(count, 10, end);
      // The proxy changes no byte.
      assertEquals((done["ended"] as Line)["CHECKSUM"] ?? 0, 0, JSON.stringify(done["ended"]));
      assertGreater(resumed!, 500);
    });
  }
});

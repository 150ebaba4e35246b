/**
 * `heartwire demo` and `heartwire bench --kill-every`: sessions that go on over cuts, shown by the command itself, on every runtime.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Line, startCli, startServer } from "../support/cli.ts";
import { listen } from "../support/contract.ts";
import { RUNTIMES } from "../support/runtimes.ts";

// Ten seconds of waiting each, and hardly any work: all at once.
describe("demo", { concurrency: true }, () => {
  for (const runtime of RUNTIMES) {
    it(`holds on ${runtime}, and says it in JSON`, async (t) => {
      const demo = startCli(t, runtime, ["demo", "--json"]);
      const { code, summary } = await demo.end();
      assertEquals([code, summary["held"], summary["missing"], demo.stderr], [0, true, 0, ""], demo.stdout);
      const what = demo.records.filter(({ type }) => type === "event").map((record) => record["what"]);
      assertEquals(what.filter((one) => one !== "suspect"), [
        "connected",
        "cut",
        "ended",
        "mended",
        "resumed",
      ]);
      const dead = demo.records.find((record) => record["what"] === "ended")!;
      assertEquals([dead["reason"], dead["verdict"]], ["dead", "INBOUND_SILENT"]);
      assertEquals(summary["detected"], dead["after"]);
      const { open, sent, back, intoNothing } = summary["plain"] as Record<string, number>;
      // What had passed the cut when it came was answered, and its answers are what did not come back.
      assert(open && intoNothing! > 0 && intoNothing! <= (sent! - back!) * 32, JSON.stringify(summary));
      assert(back! > 0 && sent! > back!);
    });
  }

  it("says it in lines where nothing can be drawn, and ends at Ctrl-C", async (t) => {
    const demo = startCli(t, "bun", ["demo"]);
    await demo.says("stdout", /x the links are cut/);
    demo.kill("SIGINT");
    assertEquals((await demo.end()).code, 130);
    assertMatch(demo.stdout, /^ +0\.0 s {2}\+ both are connected/);
    assert(!demo.stdout.includes("\x1b"));
  });
});

for (const runtime of RUNTIMES) {
  describe(`bench --kill-every on ${runtime}`, () => {
    it("finds every message, once and in order", async (t) => {
      const { address } = await startServer(t, runtime);
      const args = ["bench", address, "--kill-every", "200", "--conns", "3", "--duration", "1500", "--json"];
      const bench = startCli(t, runtime, args);
      const { code, summary } = await bench.end();
      const cuts = summary["cuts"] as Record<string, number> & { latency: Record<string, number> };
      assertEquals([code, cuts["lost"], cuts["doubled"], cuts["disordered"]], [0, 0, 0, 0], bench.stderr);
      assertEquals([cuts["exchanges"], cuts["sent"]], [1_500, 1_500]);
      assert(cuts["reconnects"]! > 2 && cuts["resumes"] === cuts["reconnects"], JSON.stringify(cuts));
      const { min, p50, p99, max } = cuts.latency;
      assert(0 <= min! && min! <= p50! && p50! <= p99! && p99! <= max!);
    });

    it("exits 1 for a server that loses messages, and says how many", async (t) => {
      let count = 0;
      const server = await listen("127.0.0.1:0", (session) =>
        session.onMessage(async ({ bytes }) => {
          if (++count % 50 !== 0) await session.send(bytes);
          if (count % 100 === 1) await session.send(bytes);
        }));
      t.after(() => server.abort());
      const { port } = server.address as { port: number };
      const args = ["--kill-every", "300", "--count", "400", "--rate", "800", "--timeout", "1000"];
      const bench = startCli(t, runtime, ["bench", `:${port}`, ...args]);
      assertEquals((await bench.end()).code, 1, bench.stderr);
      assertStringIncludes(bench.stdout, "392 echoes came back: 8 lost, 4 doubled, 0 out of order");
      assertMatch(
        bench.stdout,
        /^1 session, 400 messages of 64 B, 800 a second, in .*; all connections cut every/,
      );
    });
  });
}

describe("bench", () => {
  it("paces exchanges, and ends after a time", async (t) => {
    const bench = startCli(t, "bun", ["bench", "--long", "--rate", "100", "--duration", "1000", "--json"]);
    const { code, summary } = await bench.end();
    const { exchanges } = summary["long"] as Line as { exchanges: number };
    assertEquals(code, 0, bench.stderr);
    assert(exchanges >= 50 && exchanges <= 100, `${exchanges}`);
  });

  it("refuses to cut what cannot go on", async (t) => {
    const wrong = [["--short"], ["--profile", "raw"], ["--size", "4"]];
    for (const more of wrong) {
      const bench = startCli(t, "bun", ["bench", "--kill-every", "100", ...more]);
      assertEquals((await bench.end()).code, 2);
      assertMatch(bench.stderr, /^heartwire: --kill-every: /);
    }
  });
});

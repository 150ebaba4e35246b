/**
 * `heartwire bench` as a process, on every runtime: both kinds of connection, every profile that echoes, and what goes wrong.
 */

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Line, startCli, startServer } from "../support/cli.ts";
import { type Runtime, RUNTIMES } from "../support/runtimes.ts";

/** The runtime after this one. */
function other(runtime: Runtime): Runtime {
  return RUNTIMES[(RUNTIMES.indexOf(runtime) + 1) % RUNTIMES.length]!;
}

/** Checks what holds for the figures of any run; returns connections and round trips per message. */
function checkFigures(figures: Line, exchanges: number, size: number): [number, number] {
  const number = (name: string): number => {
    const value = figures[name];
    assert(typeof value === "number" && Number.isFinite(value) && value >= 0, `${name}: ${String(value)}`);
    return value;
  };
  assertEquals(number("exchanges"), exchanges);
  assert(number("bytesPerMessage") >= 2 * size && number("cpuPerMessage") >= 0);
  const rate = number("messagesPerSecond");
  assert(Math.abs(rate - 1_000 * exchanges / number("elapsed")) <= rate * 0.01 + 0.01);
  const { min, p50, p90, p99, max } = figures["latency"] as Record<string, number>;
  assert(0 < min! && min! <= p50! && p50! <= p90! && p90! <= p99! && p99! <= max!);
  return [number("connections"), number("roundTripsPerMessage")];
}

for (const runtime of RUNTIMES) {
  describe(`bench on ${runtime}`, () => {
    it("measures both against a server of its own", async (t) => {
      const bench = startCli(t, runtime, ["bench", "--count", "20", "--size", "100", "--json"]);
      const { code, summary } = await bench.end();
      assertEquals([code, bench.stderr, summary["own"], summary["exit"]], [0, "", true, 0]);
      assertEquals(bench.records.map(({ type, mode }) => mode ?? type), ["short", "long", "summary"]);
      assertEquals(checkFigures(summary["short"] as Line, 20, 100), [20, 4]);
      assertEquals(checkFigures(summary["long"] as Line, 20, 100), [1, 1.15]);
    });

    it("measures a server of another runtime, and the bytes that a stream has", async (t) => {
      for (const profile of ["raw", "plain"]) {
        const { server, address } = await startServer(t, other(runtime), "--profile", profile);
        const bench = startCli(t, runtime, [
          ...["bench", address, "--short", "--profile", profile, "--count", "12", "--conns", "3", "--json"],
        ]);
        const { code, summary } = await bench.end();
        assertEquals([code, summary["own"], summary["long"]], [0, false, null], bench.stderr);
        const short = summary["short"] as Line;
        assertEquals(checkFigures(short, 12, 64), [12, 3]);
        if (profile === "raw") assertEquals(short["bytesPerMessage"], 128);
        server.kill("SIGINT");
        assert(Number((await server.end()).summary["sessions"]) > 12); // the warm-up's are there too
      }
    });

    it("shares the exchanges among long connections, and tells it to a person", async (t) => {
      const bench = startCli(t, runtime, [
        ...["bench", "--long", "--count", "30", "--conns", "3", "--profile", "raw", "--size", "70000"],
      ]);
      assertEquals((await bench.end()).code, 0, bench.stderr);
      assertMatch(bench.stderr, /^heartwire \S+ on \w+ \S+, against an echo server in this process$/m);
      assertMatch(
        bench.stdout,
        /^long connections, raw: 30 exchanges of 70000 B over 3 connections, 3 at a time/,
      );
      assertMatch(
        bench.stdout,
        /140000 B with framing, without TCP\/IP headers; 1\.20 round trips \(computed\)/,
      );
      assert(!bench.stdout.includes("long against short"));
    });

    it("measures nothing that is no echo", async (t) => {
      const upper = await startServer(t, "bun", "--handler", "upper");
      const bench = startCli(t, runtime, ["bench", upper.address, "--count", "5", "--json"]);
      assertEquals((await bench.end()).code, 2);
      assertStringIncludes(bench.stderr, "answers something else than the message");
      const silent = await startServer(t, "bun", "--handler", "discard");
      const waiting = startCli(t, runtime, ["bench", silent.address, "--timeout", "300", "--json"]);
      const { code, summary } = await waiting.end();
      assertEquals([code, (summary["error"] as Line)["code"]], [5, "ERR_HEARTWIRE_TIMEOUT"]);
    });

    it("tells why it could not, and what it has when it is interrupted", async (t) => {
      const nobody = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => nobody.once("listening", resolve));
      const { port } = nobody.address() as AddressInfo;
      await new Promise((resolve) => nobody.close(resolve));
      const refused = startCli(t, runtime, ["bench", `127.0.0.1:${port}`]);
      assertEquals((await refused.end()).code, 3, refused.stderr);

      const { server, address } = await startServer(t, "bun");
      const bench = startCli(t, runtime, ["bench", address, "--short", "--count", "1000000", "--json"]);
      await server.record({ type: "closed", session: "user250" }); // the warm-up is over
      bench.kill("SIGINT");
      const { code, summary } = await bench.end();
      const { exchanges } = summary["short"] as { exchanges: number };
      assertEquals([code, summary["exit"], bench.stderr], [130, 130, ""]);
      assert(exchanges > 0 && exchanges < 1_000_000, `${exchanges}`);
    });
  });
}

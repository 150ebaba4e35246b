/**
 * What `heartwire bench` tells of what it measured.
 */

import { describe, it } from "node:test";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readArguments } from "../../cli/args.ts";
import {
  comparison,
  cutLines,
  figureLines,
  figuresOf,
  roundTripsOfConnection,
  type Setting,
} from "../../cli/bench/figures.ts";
import { type CutFigures, Ledger } from "../../cli/bench/cuts.ts";
import type { Measured } from "../../cli/bench/work.ts";

const SHORT: Setting = { mode: "short", profile: "raw", size: 64, conns: 2, tcp: true, own: true };
const LONG: Setting = { ...SHORT, mode: "long", own: false };

const MEASURED: Measured = {
  ...{ exchanges: 100, connections: 100, elapsed: 500, cpu: 50, bytesSent: 6_400, bytesReceived: 6_600 },
  latency: { min: 1, p50: 2, p90: 3, p99: 4, max: 5.5 },
};
const NOTHING: Measured = {
  ...{ exchanges: 0, connections: 0, elapsed: 0, cpu: 1, bytesSent: 0, bytesReceived: 0, latency: null },
};

describe("bench under cuts", () => {
  it("knows what came once, again, late or never", () => {
    const ledger = new Ledger();
    for (let number = 0; number < 6; number++) assertEquals(ledger.send(10 * number), number);
    assertEquals([ledger.receive(0), ledger.receive(2), ledger.receive(1), ledger.receive(2)], [
      0,
      20,
      10,
      null,
    ]);
    assertEquals([ledger.receive(4), ledger.receive(9)], [40, null]);
    assertEquals([ledger.sent, ledger.missing, ledger.doubled, ledger.disordered], [6, 2, 2, 1]);
  });

  it("tells what became of messages", () => {
    const figures: CutFigures = {
      ...{ sent: 1_000, exchanges: 998, lost: 2, doubled: 0, disordered: 1, cuts: 1, connectionsCut: 2 },
      ...{ reconnects: 2, resumes: 1, latency: null, elapsed: 1_000, cpu: 499 },
    };
    const lines = cutLines(figures, { size: 64, conns: 2, rate: 1_000, killEvery: 500, own: true });
    assertEquals(lines, [
      "2 sessions, 1000 messages of 64 B, 1000 a second, in 1.0 s; all connections cut every 500 ms",
      "  998 echoes came back: 2 lost, 0 doubled, 1 out of order",
      "  1 cut of 2 connections, 2 reconnects, of which 1 resumed the session",
      "  0.500 ms CPU a message and its echo (client, server and the proxy)",
    ]);
  });
});

describe("bench", () => {
  it("computes the round trips of a connection", () => {
    assertEquals(roundTripsOfConnection("raw", true), 2); // TCP's handshake, the ends of the stream
    assertEquals(roundTripsOfConnection("plain", true), 2);
    assertEquals(roundTripsOfConnection("heartwire", true), 3); // and HELLO, WELCOME
    assertEquals(roundTripsOfConnection("raw", false), 1);
  });

  it("divides by what was completed", () => {
    const short = figuresOf(MEASURED, SHORT);
    assertEquals([short.messagesPerSecond, short.connectionsPerSecond], [200, 200]);
    assertEquals([short.bytesPerMessage, short.roundTripsPerMessage, short.cpuPerMessage], [130, 3, 0.5]);
    assertEquals(short.cpuOf, "client and server");
    const long = figuresOf({ ...MEASURED, connections: 2 }, LONG);
    assertEquals([long.connectionsPerSecond, long.roundTripsPerMessage, long.cpuOf], [4, 1.04, "client"]);
  });

  it("has an answer when nothing was completed", () => {
    const figures = figuresOf(NOTHING, SHORT);
    assertEquals([figures.messagesPerSecond, figures.bytesPerMessage, figures.roundTripsPerMessage], [
      0,
      0,
      0,
    ]);
    const lines = figureLines(figures, SHORT).join("\n");
    assertEquals(/NaN|Infinity|latency/.test(lines + comparison(figures, figures)), false, lines);
  });

  it("says what the figures cover", () => {
    const lines = figureLines(figuresOf(MEASURED, SHORT), SHORT);
    assertEquals(
      lines[0],
      "short connections, raw: 100 exchanges of 64 B over 100 connections, 2 at a time, in 500 ms",
    );
    assertEquals(lines[1], "  200 messages/s, 200 connections/s");
    assertEquals(lines[2], "  latency min/p50/p90/p99/max = 1.000/2.000/3.000/4.000/5.500 ms");
    assertStringIncludes(
      lines[3]!,
      "130 B with framing, without TCP/IP headers; 3.00 round trips (computed)",
    );
    assertStringIncludes(lines[3]!, "0.500 ms CPU (client and server)");
    const [long, short] = [
      figuresOf({ ...MEASURED, elapsed: 250, connections: 2 }, LONG),
      figuresOf(MEASURED, SHORT),
    ];
    assertMatch(
      comparison(short, long),
      /2\.00 x the messages\/s, 1\.00 x the bytes, 0\.35 x the round trips/,
    );
  });

  it("knows whether a server was named", () => {
    const named = (...args: string[]): boolean => {
      const invocation = readArguments(args);
      return invocation.kind === "run" && invocation.named;
    };
    assertEquals([named("bench"), named("bench", "7433"), named("ping")], [false, true, false]);
  });
});

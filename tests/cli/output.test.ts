/**
 * What is written where, in which colours; texts and records; percentiles.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertNotMatch, assertStringIncludes } from "@std/assert";
import type { Agreement, Passing } from "../../adapters/api.ts";
import { Output, paint, type Stream, wantsColour } from "../../cli/output.ts";
import { RoundTrips } from "../../cli/round_trips.ts";
import * as text from "../../cli/text.ts";
import { Ways } from "../../cli/ways.ts";

/** A stream that remembers, and does as it is told. */
class Sink implements Stream {
  written = "";
  readonly isTTY: boolean;
  readonly columns = 100;
  readonly rows = 40;
  /** Callbacks of writes, when they are to wait. */
  readonly held: (() => void)[] = [];
  hold = false;
  #onError: ((error: Error & { code?: unknown }) => void) | null = null;

  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }

  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean {
    this.written += typeof chunk === "string" ? chunk : new TextDecoder("latin1").decode(chunk);
    const done = (): void => callback?.();
    if (this.hold) this.held.push(done);
    else done();
    return true;
  }

  on(_event: "error", listener: (error: Error & { code?: unknown }) => void): unknown {
    this.#onError = listener;
    return this;
  }

  fail(code: string): void {
    this.#onError?.(Object.assign(new Error(code), { code }));
  }
}

function make(
  options: { json?: boolean; quiet?: boolean; tty?: boolean; env?: Record<string, string> } = {},
): {
  output: Output;
  stdout: Sink;
  stderr: Sink;
  closed: boolean[];
} {
  const stdout = new Sink(options.tty);
  const stderr = new Sink(options.tty);
  const closed: boolean[] = [];
  const output = new Output({
    ...{ stdout, stderr, env: options.env ?? {}, json: options.json ?? false, quiet: options.quiet ?? false },
    onClosed: (quietly) => closed.push(quietly),
  });
  return { output, stdout, stderr, closed };
}

/** Says one of everything. */
function sayAll(output: Output): void {
  output.line("line");
  output.message(new TextEncoder().encode("message"));
  output.record("record", { value: 1.23456789 });
  output.note("note");
  output.error("error", "hint");
}

describe("output", () => {
  it("puts data on stdout and all else on stderr", () => {
    const { output, stdout, stderr } = make();
    sayAll(output);
    assertEquals(stdout.written, "line\nmessage\n");
    assertEquals(stderr.written, "note\nheartwire: error\nhint\n");
  });

  it("draws in place on a terminal that is large enough, and nowhere else", () => {
    const { output, stdout } = make({ tty: true });
    assertEquals([output.drawable(100, 40), output.drawable(101, 40), output.drawable(100, 41)], [
      true,
      false,
      false,
    ]);
    output.redraw(["one", "two"]);
    output.redraw(["three"]);
    assertEquals(stdout.written, "one\ntwo\n\x1b[2A\r\x1b[Jthree\n");
    for (const other of [{}, { tty: true, json: true }, { tty: true, env: { TERM: "dumb" } }]) {
      assert(!make(other).output.drawable(10, 10), JSON.stringify(other));
    }
  });

  it("is NDJSON and errors with json", () => {
    const { output, stdout, stderr } = make({ json: true });
    sayAll(output);
    assertEquals(stdout.written, '{"type":"record","value":1.235}\n');
    assertEquals(stderr.written, "heartwire: error\nhint\n");
  });

  it("is data and errors when quiet", () => {
    const { output, stdout, stderr } = make({ quiet: true });
    sayAll(output);
    assertEquals(stdout.written, "line\nmessage\n");
    assertEquals(stderr.written, "heartwire: error\nhint\n");
  });

  it("gives each message one end of line, and its bytes as they are", () => {
    const { output, stdout } = make();
    output.message(new TextEncoder().encode("a\n"));
    output.message(Uint8Array.of(0xff, 0x1b));
    assertEquals(stdout.written, "a\n\xff\x1b\n");
  });

  it("lets no message steer a terminal", () => {
    const { output, stdout } = make({ tty: true });
    output.message(new TextEncoder().encode("\x1b]0;title\x07\r\u009b2J\u202eabc\ttab\n"));
    assertEquals(stdout.written, "\\x1b]0;title\\x07\\x0d\\x9b2J\\u202eabc\ttab\n");
  });

  it("has colours only where they are wanted", () => {
    const plain = { env: {}, tty: false };
    assertEquals(wantsColour(plain.env, plain.tty), false);
    assertEquals(wantsColour({}, true), true);
    assertEquals(wantsColour({ NO_COLOR: "1" }, true), false);
    assertEquals(wantsColour({ NO_COLOR: "" }, true), true);
    assertEquals(wantsColour({ TERM: "dumb" }, true), false);
    assertEquals(wantsColour({ FORCE_COLOR: "1" }, false), true);
    assertEquals(wantsColour({ FORCE_COLOR: "" }, false), true);
    assertEquals(wantsColour({ FORCE_COLOR: "0" }, true), false);
    assertEquals(wantsColour({ FORCE_COLOR: "1", NO_COLOR: "1" }, false), true);
    for (const tty of [true, false]) {
      const { output, stdout } = make({ tty });
      output.line(paint("x", "bad"));
      assertEquals(stdout.written, tty ? "\x1b[31mx\x1b[0m\n" : "x\n");
    }
  });

  it("flushes: waits for every write", async () => {
    const { output, stdout } = make();
    stdout.hold = true;
    output.line("a");
    output.line("b");
    let flushed = false;
    const done = output.flush().then(() => flushed = true);
    stdout.held[0]!();
    await Promise.resolve();
    assert(!flushed);
    stdout.held[1]!();
    await done;
    await output.flush();
  });

  it("ends quietly when nobody reads, and once", async () => {
    const { output, stdout, stderr, closed } = make();
    stdout.hold = true;
    output.line("a");
    const flushed = output.flush();
    stdout.fail("EPIPE");
    stdout.fail("EPIPE");
    await flushed;
    output.line("b");
    assertEquals(closed, [true]);
    assertEquals([stdout.written, stderr.written], ["a\n", ""]);
  });

  it("says so when the disk is full", () => {
    const { stdout, stderr, closed } = make();
    stdout.fail("ENOSPC");
    assertEquals(closed, [false]);
    assertStringIncludes(stderr.written, "cannot write to stdout: ENOSPC");
  });
});

describe("texts", () => {
  it("tell times", () => {
    const cases: [number, string][] = [
      ...[[0, "0 ms"], [999.4, "999 ms"], [999.5, "1.0 s"], [3_010, "3.0 s"]] as [number, string][],
      ...[[99_940, "99.9 s"], [99_960, "1 min 40 s"], [3_599_600, "1 h 0 min"]] as [number, string][],
      [90_061_000, "25 h 1 min"],
    ];
    for (const [ms, told] of cases) assertEquals(text.duration(ms), told);
    assertEquals(text.roundTrip(0.41234), "0.412 ms");
  });

  it("tell a verdict with its evidence", () => {
    const evidence = {
      verdict: "INBOUND_SILENT",
      direction: "inbound",
      silentFor: 3_001,
      limit: 3_000,
      deferred: 0,
    } as const;
    assertEquals(
      text.reasonText({ kind: "dead", code: "DEAD", evidence }),
      "dead: INBOUND_SILENT, nothing heard for 3.0 s",
    );
    assertEquals(text.reasonRecord({ kind: "dead", code: "DEAD", evidence }), {
      ...{ reason: "dead", code: "DEAD" },
      ...evidence,
    });
  });

  it("escape what a peer says", () => {
    const said = text.reasonText({
      ...{ kind: "closed", code: "NONE", by: "peer", closeCode: 0 },
      text: "bye\n\x1b[2Jroot#",
    });
    assertEquals(said, "closed by the peer (bye\\x0a\\x1b[2Jroot#)");
    const unprintable = /\p{Cc}/u;
    const refused = { kind: "refused", code: "BUSY", by: "peer", retryAfter: 0, text: "\x9b\x00" } as const;
    assertNotMatch(text.reasonText(refused), unprintable);
  });

  it("record messages as text or base64", () => {
    assertEquals(text.messageRecord(new TextEncoder().encode("\ufeffé")), { text: "\ufeffé" });
    assertEquals(text.messageRecord(Uint8Array.of(0xff, 0)), { base64: "/wA=" });
    const long = text.messageRecord(new Uint8Array(100_000).fill(0xff));
    assertEquals(String(long["base64"]).length, Math.ceil(100_000 / 3) * 4);
  });

  it("give addresses as they are typed", () => {
    const tcp = (host: string) => ({ kind: "tcp", host, port: 1, url: "" }) as const;
    assertEquals(text.addressText(tcp("0.0.0.0")), "0.0.0.0:1");
    assertEquals(text.addressText(tcp("0.0.0.0"), true), "127.0.0.1:1");
    assertEquals(text.addressText(tcp("::"), true), "[::1]:1");
    assertEquals(text.addressText(tcp("fe80::1")), "[fe80::1]:1");
    assertEquals(
      text.addressText({ kind: "unix", path: "/tmp/s", url: "heartwire+unix:///tmp/s" }),
      "/tmp/s",
    );
  });
});

describe("what passes", () => {
  const agreement = { txInterval: 500, rxInterval: 2_000, detectionBound: 4_001 } as Agreement;
  const during = "live" as const;
  const all: [Passing, string][] = [
    [
      { state: "stalled", during, verdict: "LOCAL_STALLED", span: 1_234.5 },
      "stalled: LOCAL_STALLED, this process did not run for 1.2 s",
    ],
    [
      { state: "stalled", during, verdict: "SUSPENDED", span: 3_600_000 },
      "stalled: SUSPENDED, this machine or process stood still for 1 h 0 min",
    ],
    [
      { state: "stalled", during, verdict: "PEER_STALLED", span: 80 },
      "stalled: PEER_STALLED, the peer did not run for 80 ms",
    ],
    [{ state: "clockStepped", during, step: -7_000 }, "clock: set back by 7.0 s"],
    [{ state: "clockStepped", during, step: 200 }, "clock: set forward by 200 ms"],
    [
      { state: "retuned", during, by: "peer", accepted: true, agreement },
      "terms: the peer's changed: we beat every 500 ms, the peer every 2.0 s; a dead peer is found within 4.0 s",
    ],
    [{ state: "retuned", during, by: "local", accepted: false, agreement }, "terms: declined by the peer"],
  ];

  it("is told with whose it is, and recorded whole", () => {
    for (const [passing, line] of all) {
      assertEquals(text.passingText(passing).join(" "), line);
      assertEquals(text.passingRecord(passing), { ...passing });
    }
    assertEquals(all.map(([passing]) => text.notable(passing)), [true, true, false, true, true, true, true]);
  });

  it("is added up by ping, and each direction told above its least", () => {
    const ways = new Ways();
    assertEquals(ways.report(), []);
    assertEquals([ways.summary()["clock"], ways.summary()["oneWay"]], [null, null]);
    ways.answered({ clock: null, oneWay: null });
    assertEquals(ways.report(), [], "a format without timestamps of both sides has no directions");
    for (const excess of [0, 3, 1]) {
      const known = {
        clock: { offset: -excess, delay: 2 },
        oneWay: { inbound: { excess, jitter: excess / 4 }, outbound: { excess: 2 * excess, jitter: 0.5 } },
      };
      assertEquals(ways.answered(known), known);
    }
    for (const [passing] of all) ways.passed(passing);
    assertEquals(ways.report(), [
      "out above least p50/p99/max = 2.000/6.000/6.000 ms, jitter 0.500 ms",
      "in  above least p50/p99/max = 1.000/3.000/3.000 ms, jitter 0.250 ms",
      "clock offset -1.000 ms within 1.000 ms, both counted from WELCOME",
      "2 stalls here, 1 h 0 min in all; 1 stall of the peer, 80 ms in all; the clock was set 2 times",
    ]);
    const { oneWay, stalledFor, clockSteps } = ways.summary() as Record<string, Record<string, unknown>>;
    assertEquals([stalledFor, clockSteps] as unknown[], [3_601_234.5, 2]);
    assertEquals(oneWay!["inbound"], { excess: { min: 0, p50: 1, p90: 3, p99: 3, max: 3 }, jitter: 0.25 });
  });
});

describe("round trips", () => {
  it("have percentiles that were measured", () => {
    const trips = new RoundTrips();
    assertEquals(trips.summary(), null);
    trips.add(3);
    assertEquals(trips.summary(), { min: 3, p50: 3, p90: 3, p99: 3, max: 3 });
    for (const value of [10, 9, 8, 7, 6, 5, 4, 2, 1]) trips.add(value);
    assertEquals(trips.summary(), { min: 1, p50: 5, p90: 9, p99: 10, max: 10 });
  });

  it("are bounded: percentiles of the last, least and greatest of all", () => {
    const trips = new RoundTrips(100);
    for (let value = 1; value <= 1_000; value++) trips.add(value);
    assertEquals(trips.summary(), { min: 1, p50: 950, p90: 990, p99: 999, max: 1_000 });
  });
});

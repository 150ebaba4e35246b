/**
 * `serve --http` as a process, on every runtime: persistent connections, and metrics that a monitor can read and that move.
 */

import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startCli, startServer } from "../support/cli.ts";
import { HttpConnection } from "../support/http_client.ts";
import { RUNTIMES } from "../support/runtimes.ts";

/** The command's idle limit, ms, and what a runtime may add. */
const IDLE = 5_000;
const SLACK = 6_000;

/** Metrics by name and labels. */
type Samples = ReadonlyMap<string, number>;

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABELS = String
  .raw`\{[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"(?:,[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*")*\}`;
const SAMPLE = new RegExp(`^(${NAME})(${LABELS})? (-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|[+-]Inf|NaN)$`);

/** Reads the text format 0.0.4, and is strict: every family has help and type, samples of a family stand together, none comes twice. */
function readMetrics(text: string): Samples {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  let helped = "";
  let family = "";
  assert(text.endsWith("\n"), "the last line has no end");
  for (const line of text.slice(0, -1).split("\n")) {
    const help = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line);
    const type = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line);
    if (help !== null) helped = help[1]!;
    else if (type !== null) {
      family = type[1]!;
      assertEquals([helped, types.has(family)], [family, false], line);
      types.set(family, type[2]!);
    } else {
      const sample = SAMPLE.exec(line);
      assert(sample !== null, `no line of the format: ${line}`);
      const [, name, labels = "", value] = sample;
      const base = types.get(family) === "histogram" ? name!.replace(/_(bucket|sum|count)$/, "") : name;
      assertEquals(base, family, line);
      if (types.get(family) === "counter") assertMatch(name!, /_total$/);
      assert(!samples.has(name! + labels), `twice: ${line}`);
      samples.set(name! + labels, Number(value!.replace("Inf", "Infinity")));
    }
  }
  for (const [name, type] of types) if (type === "histogram") checkHistogram(name, samples);
  return samples;
}

function checkHistogram(name: string, samples: Samples): void {
  let least = 0;
  let bound = -Infinity;
  for (const [key, count] of samples) {
    const le = new RegExp(`^${name}_bucket\\{le="(.*)"\\}$`).exec(key)?.[1];
    if (le === undefined) continue;
    const next = Number(le.replace("Inf", "Infinity"));
    assert(next > bound && count >= least, `buckets out of order: ${key}`);
    [bound, least] = [next, count];
  }
  assertEquals([bound, least], [Infinity, samples.get(`${name}_count`)]);
}

/** A request of profile classic; `damage` is added to its checksum's last byte. */
function packet(sequence: number, damage = 0): Uint8Array {
  const timestamp = Math.floor(Date.now() / 1_000);
  const bytes = new Uint8Array(21);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, timestamp);
  bytes.set(createHash("sha1").update(`${sequence}${timestamp}`).digest().subarray(0, 4), 4);
  bytes[7]! += damage;
  view.setUint32(8, sequence);
  bytes.set(new TextEncoder().encode("heartbeat"), 12);
  return bytes;
}

/** Waits for so many bytes. */
function bytesOf(socket: Socket, count: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let all = new Uint8Array(0);
    socket.on("data", (chunk: Uint8Array) => {
      all = new Uint8Array([...all, ...chunk]);
      if (all.length >= count) resolve(all);
    });
    socket.on("close", () => reject(new Error(`ended after ${all.length} bytes`)));
  });
}

for (const runtime of RUNTIMES) {
  describe(`serve --http on ${runtime}`, () => {
    it("answers over one connection, refuses in words, and closes it when idle", async (t) => {
      const { server } = await startServer(t, runtime, "--http", "0");
      const { host, port } = await server.record({ type: "http" });
      const connection = new HttpConnection(String(host), Number(port));
      t.after(() => connection.close());
      for (let i = 0; i < 50; i++) {
        const { status, headers, body } = await connection.ask(i % 2 === 0 ? "/health" : "/metrics");
        assertEquals([status, headers["keep-alive"]], [200, `timeout=${IDLE / 1_000}`]);
        if (i % 2 === 0) {
          assertMatch(headers["content-type"]!, /^application\/json/);
          const { status: state, sessions } = JSON.parse(body);
          assertEquals([state, sessions], ["ok", 0]);
        } else {
          assertMatch(headers["content-type"]!, /^text\/plain; ?version=0\.0\.4/);
          readMetrics(body);
        }
      }
      assertEquals((await connection.ask("/nothing")).status, 404);
      assertEquals((await connection.ask("/toString")).status, 404);
      const refused = await connection.ask("/metrics", "POST", { "content-length": "0" });
      assertEquals([refused.status, refused.headers["allow"]], [405, "GET, HEAD"]);
      const head = await connection.ask("/health", "HEAD");
      assertEquals(head.status, 200);
      assertEquals((await connection.ask("/health?verbose=1")).status, 200); // behind HEAD the stream is in step
      const idle = performance.now();

      const bad = new HttpConnection(String(host), Number(port));
      bad.write("\0\x01\x02 nonsense\r\n\r\n");
      await bad.ended;
      const last = new HttpConnection(String(host), Number(port));
      const { headers } = await last.ask("/health", "GET", { connection: "close" });
      assertEquals(headers["connection"]?.toLowerCase(), "close");
      await last.ended;
      const took = performance.now() - idle;
      assert(took < IDLE - 500 && !connection.over, `closing took ${took} ms`);

      const silence = await connection.ended - idle;
      assert(silence > IDLE - 500 && silence < IDLE + SLACK, `idle for ${silence} ms`);
      server.kill("SIGINT");
      assertEquals((await server.end()).code, 130);
    });

    it("counts what happens: heartbeats, messages, bytes, ends", async (t) => {
      const { server, address } = await startServer(t, runtime, "--http", "0");
      const { host, port } = await server.record({ type: "http" });
      const connection = new HttpConnection(String(host), Number(port));
      t.after(() => connection.close());
      const scrape = async (): Promise<Samples> => readMetrics((await connection.ask("/metrics")).body);
      const before = await scrape();
      assertEquals(before.get("heartwire_heartbeats_received_total"), 0);
      const ping = startCli(t, "bun", ["ping", address, "--count", "3", "--interval", "50"]);
      assertEquals((await ping.end()).code, 0, ping.stderr);
      assertEquals((await startCli(t, "bun", ["send", address, "hello"]).end()).code, 0);
      await server.record({ type: "closed", session: "user2" });
      const after = await scrape();
      const grew = (name: string): number =>
        after.get(`heartwire_${name}`)! - (before.get(`heartwire_${name}`) ?? 0);
      assert(grew("heartbeats_received_total") >= 3);
      assertEquals(grew("heartbeats_replied_total"), grew("heartbeats_received_total"));
      assertEquals([grew("messages_received_total"), grew("messages_sent_total")], [1, 1]);
      assertEquals([grew("sessions_opened_total"), grew('connections{state="open"}')], [2, 0]);
      assert(grew("bytes_received_total") > 100 && grew("bytes_sent_total") > 100);
    });

    it("counts by reason the heartbeats that it does not believe", async (t) => {
      const { server, address } = await startServer(t, runtime, "--http", "0", "--profile", "classic");
      const { host, port } = await server.record({ type: "http" });
      const http = new HttpConnection(String(host), Number(port));
      const client = connect({ host: "127.0.0.1", port: Number(address.split(":")[1]) });
      t.after(() => (http.close(), client.destroy()));
      const answers = bytesOf(client, 63); // three, the last of them behind both refusals
      client.write(packet(0));
      client.write(packet(1, 1));
      client.write(packet(1));
      client.write(packet(1));
      client.write(packet(2));
      assertEquals((await answers).length, 63);
      const samples = readMetrics((await http.ask("/metrics")).body);
      const rejected = (reason: string): number | undefined =>
        samples.get(`heartwire_heartbeats_rejected_total{reason="${reason}"}`);
      assertEquals([rejected("CHECKSUM"), rejected("PING_REPEATED"), rejected("PING_STALE")], [
        1,
        1,
        undefined,
      ]);
      assertEquals(samples.get("heartwire_heartbeats_received_total"), 5);
      assertEquals(samples.get("heartwire_heartbeats_replied_total"), 3);
      assertEquals(samples.get('heartwire_connections{state="open"}'), 1);
    });
  });
}

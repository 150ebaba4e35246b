/** The preface, and the strangers who send something else. */

import { describe, test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Decoder } from "../../core/wire/decoder.ts";
import { foreignReply, recogniseForeign } from "../../core/wire/preface.ts";
import { Collector, decode, hex, join, PLAIN, PREFACE, unhex } from "../support/wire.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("is refused at the first byte that differs, wherever it is", () => {
  const preface = unhex(PREFACE);
  for (let at = 0; at < 6; at++) {
    for (const flip of [1, 0x80, 0xff]) {
      const bad = preface.slice();
      bad[at]! ^= flip;
      const decoder = new Decoder(PLAIN);
      const sink = new Collector();
      for (let next = 0; next < 8; next++) {
        const fault = decoder.push(bad.subarray(next, next + 1), sink);
        assertEquals(fault?.code, next === at ? "NOT_HEARTWIRE" : undefined);
      }
      assertEquals(decoder.foreign, "unknown");
      assertEquals(sink.seen, []);
    }
  }
});

test("gives any range of versions to the sink", () => {
  for (const [lowest, highest] of [[1, 1], [0, 255], [2, 1], [7, 9]] as const) {
    const preface = join(unhex(PREFACE).subarray(0, 6), Uint8Array.of(lowest, highest));
    assertEquals(decode([preface]).seen, [{ frame: "preface", lowest, highest }]);
    assertEquals(decode([preface.subarray(0, 7), preface.subarray(7)]).seen, [{
      frame: "preface",
      lowest,
      highest,
    }]);
  }
});

describe("strangers", () => {
  const strangers: readonly (readonly [string, Uint8Array, string, string])[] = [
    ["HTTP/1.1", text("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "http", "an HTTP request"],
    ["a POST", text("POST /a HTTP/1.0\r\n"), "http", "an HTTP request"],
    ["HTTP/2", text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "http", "an HTTP request"],
    ["an HTTP server", text("HTTP/1.1 400 Bad Request\r\n"), "unknown", "an HTTP response"],
    ["TLS", unhex("16 03 01 02 00 01 00 01 fc 03 03"), "tls", "a TLS ClientHello"],
    ["a TLS alert", unhex("15 03 03 00 02 02 46"), "unknown", "a TLS alert"],
    ["SSH", text("SSH-2.0-x\r\n"), "unknown", "53 53 48"],
    ["a telnet user", text("hello\r\n"), "unknown", "68 65"],
    ["half a method", text("GE"), "unknown", "47 45"],
    ["a method without an end", text("GETTING"), "unknown", "47 45"],
    ["zeros", new Uint8Array(100), "unknown", "00 00"],
  ];
  for (const [name, bytes, kind, shown] of strangers) {
    test(name, () => {
      const { fault, foreign, seen } = decode([bytes]);
      assertEquals([fault?.code, foreign, seen], ["NOT_HEARTWIRE", kind, []]);
      assertEquals(recogniseForeign(bytes), kind);
      assertStringIncludes(fault!.detail, shown);
      assert(fault!.detail.length <= 120);
      assertEquals(foreignReply(foreign!) === null, kind === "unknown");
    });
  }

  test("HTTP after a part of the magic is not HTTP", () => {
    const { foreign, fault } = decode([unhex("e299"), text("GET / HTTP/1.1\r\n")]);
    assertEquals([foreign, fault?.detail], ["unknown", "the stream began with e2 99 47 45 54 20 2f 20"]);
  });
});

test("the answer to HTTP is complete and says so", () => {
  const reply = new TextDecoder().decode(foreignReply("http")!);
  const [head, body] = reply.split("\r\n\r\n") as [string, string];
  const [status, ...headers] = head.split("\r\n");
  assertEquals(status, "HTTP/1.1 400 Bad Request");
  assert(headers.includes("Connection: close"));
  assert(headers.includes(`Content-Length: ${body.length}`));
  assert(/^[^\n]*heartwire[^\n]*\n$/.test(body));
});

test("the answer to TLS is a fatal alert, protocol_version", () => {
  assertEquals(hex(foreignReply("tls")!), "15030100020246");
});

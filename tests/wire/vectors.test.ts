/**
 * The vectors of `tests/vectors`: up to date, decoded as they say however they are cut, encoded as they say.
 *
 * Some frames stand here once more, taken apart by hand along the tables of docs/PROTOCOL.md: the anchor of all the others.
 */

import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import { assert, assertEquals, assertLess } from "@std/assert";
import { CODES } from "../../core/codes.ts";
import { ByteQueue } from "../../core/wire/bytes.ts";
import { Decoder } from "../../core/wire/decoder.ts";
import {
  writeAck,
  writeCredit,
  writeData,
  writePing,
  writePong,
  writePreface,
} from "../../core/wire/encoder.ts";
import { FRAME_LIMIT, HANDSHAKE_FRAME_LIMIT } from "../../core/wire/registry.ts";
import { type AnyFrame, writeAny } from "../support/carriers.ts";
import { Collector, cut, drain, hex, NATIVE, PLAIN, PREFACE, type Seen, unhex } from "../support/wire.ts";
import { Random } from "../support/random.ts";
import { FILES, render, type Vector, type VectorFile } from "../vectors/generate.ts";

function read(name: string): string {
  return readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8");
}

const LITERAL: Readonly<Record<string, string>> = {
  // length 23, PING, flags ANSWER, sequence 1, timestamp 2, promise 255, heard 3, received 4
  "PING that asks for an answer": "17 08 01 00000001 00000002 ff 00000003 00000004 78dcbe96",
  // length 23, PONG, flags 0, answer 2, timestamp 16, hold 1000 us, promise 255, received 5
  "PONG": "17 09 00 00000002 00000010 000003e8 ff 00000005 6725fed2",
  // length 12, DATA FIRST LAST, sequence 0x1234, "hello"
  "DATA, a whole message": "0c 43 1234 68656c6c6f 38b7bb73",
  // length 32, HELLO, nonce, desiredTx 1000 ms, requiredRx 500 ms, multiplier 3
  "HELLO with what is required":
    "20 01 000102030405060708090a0b0c0d0e0f 01 02 43e8 02 02 41f4 03 01 03 0a25d304",
};

/** Sends a stream in pieces and then its end. */
function outcome(
  vector: Vector,
  sizes: readonly number[],
  environment = NATIVE,
): { frames: unknown; fault: unknown } {
  const decoder = new Decoder(environment);
  decoder.frameLimit = vector.phase === "open" ? FRAME_LIMIT : HANDSHAKE_FRAME_LIMIT;
  const sink = new Collector();
  let fault: string | null = null;
  for (const piece of cut(unhex(vector.bytes), sizes)) fault ??= decoder.push(piece, sink)?.code ?? null;
  fault ??= decoder.end()?.code ?? null;
  return { frames: sink.seen, fault };
}

/** The bytes that the fields hold, by their names; everything else is text or a number. */
const BYTE_FIELDS = new Set(["nonce", "payload", "session", "instance", "proof", "secret", "mac", "token"]);

function restore(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (BYTE_FIELDS.has(name)) return [name, unhex(value as string)];
      return [name, typeof value === "object" && value !== null ? restore(value) : value];
    }),
  );
}

function encode(out: ByteQueue, { frame, ...fields }: Seen): void {
  const f = restore(fields) as Record<string, number>;
  if (frame === "preface") return writePreface(out);
  if (frame === "ack") return writeAck(out, f.received!, f.processed!);
  if (frame === "credit") return writeCredit(out, f.limit!);
  if (frame === "ping") {
    return writePing(out, f.flags!, f.sequence!, f.timestamp!, f.promise!, f.heard!, f.received!, f.stalled!);
  }
  if (frame === "pong") {
    return writePong(out, f.flags!, f.answer!, f.timestamp!, f.hold!, f.promise!, f.received!, f.stalled!);
  }
  if (frame === "data") {
    const payload = unhex(fields.payload as string);
    return writeData(out, PLAIN, f.flags!, f.sequence!, payload, 0, payload.length);
  }
  writeAny(out, { kind: frame, ...f } as unknown as AnyFrame);
}

for (const [name, generated] of Object.entries(FILES)) {
  describe(name, () => {
    const { vectors } = JSON.parse(read(name)) as VectorFile;

    test("is up to date", () => {
      // Line by line, for a difference of one vector is easier to read than that of two files.
      assertEquals(read(name).split("\n"), render(generated).split("\n"));
      assertEquals(new Set(vectors.map((vector) => vector.name)).size, vectors.length);
    });

    for (const vector of vectors) {
      test(vector.name, () => {
        const expected = { frames: vector.frames, fault: vector.fault };
        assert(vector.fault === null || CODES[vector.fault].number > 0);
        const random = new Random(7);
        const sizes = Array.from({ length: 50 }, () => random.between(1, 20));
        for (const cuts of [[1 << 20], [1], [2], [3], [7], [8], [24], sizes]) {
          assertEquals(outcome(vector, cuts), expected);
          assertEquals(outcome(vector, cuts, PLAIN), expected);
        }
        if (!vector.canonical) return;
        const out = new ByteQueue();
        for (const frame of vector.frames) encode(out, frame);
        assertEquals(hex(drain(out)), vector.bytes.replaceAll(" ", ""));
      });
    }
  });
}

test("frames taken apart by hand", { skip: zlibCrc32 === undefined }, () => {
  const { vectors } = JSON.parse(read("good.json")) as VectorFile;
  for (const [name, literal] of Object.entries(LITERAL)) {
    const bytes = unhex(literal);
    assertEquals(bytes.length, bytes[0]! + 1, name);
    assertEquals(
      zlibCrc32(bytes.subarray(0, -4)).toString(16).padStart(8, "0"),
      hex(bytes.subarray(-4)),
      name,
    );
    assertEquals(vectors.find((vector) => vector.name === name)?.bytes, `${PREFACE} ${hex(bytes)}`);
  }
  // PING and PONG are 24 bytes; DATA adds 8 bytes to a payload of at most 56.
  assertEquals(unhex(LITERAL["PING that asks for an answer"]!).length, 24);
  assertEquals(unhex(LITERAL["PONG"]!).length, 24);
  assertEquals(unhex(LITERAL["DATA, a whole message"]!).length, 8 + 5);
});

test("every fault that the codec can find has a vector", () => {
  const { vectors } = JSON.parse(read("bad.json")) as VectorFile;
  const found = new Set(vectors.map(({ fault }) => fault));
  const all = Object.entries(CODES).filter(([, { number }]) =>
    number > 0 && number <= CODES.TRUNCATED.number
  );
  const others = ["VERSION_MISMATCH", "UNEXPECTED_FRAME"]; // the connection's to find
  for (const [code] of all) if (!others.includes(code)) assert(found.has(code as Vector["fault"]), code);
  assertLess(0, all.length);
});

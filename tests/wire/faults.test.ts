/** What a peer can do wrong: each fault of the codec with its code, and nothing processed after it. */

import { describe, test } from "node:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import type { Code } from "../../core/codes.ts";
import { Decoder } from "../../core/wire/decoder.ts";
import { FRAME_LIMIT, FrameType, HANDSHAKE_FRAME_LIMIT } from "../../core/wire/registry.ts";
import { accepted, refused, verdict } from "../support/verdict.ts";
import { writeVarint } from "../../core/wire/varint.ts";
import {
  Collector,
  controlFrames,
  controlSample,
  cut,
  hex,
  join,
  NATIVE,
  PLAIN,
  plainSamples,
  PREFACE,
  rawFrame,
  type Sample,
  samples,
  unhex,
} from "../support/wire.ts";

const preface = unhex(PREFACE);

/** One frame of each kind, the same ones in every run. */
function oneOfEach(): Sample[] {
  const kinds = [
    ...Object.values(plainSamples),
    ...Object.values(controlFrames).map((each) => each.map(controlSample)),
  ];
  const list = kinds.flatMap((kind) => fc.sample(kind, { seed: 5, numRuns: 3 }));
  return list.filter(({ bytes }) => bytes.length <= 300);
}

describe("lengths", () => {
  const varint = (value: number): Uint8Array => {
    const into = new Uint8Array(8);
    return into.subarray(0, writeVarint(into, 0, value));
  };
  const cases: readonly (readonly [string, Uint8Array, Code])[] = [
    ["0", varint(0), "LENGTH_INVALID"],
    ["4, below type and trailer", varint(4), "LENGTH_INVALID"],
    ["max + 1", varint(FRAME_LIMIT + 1), "FRAME_TOO_LARGE"],
    ["2^31 - 1", varint(2 ** 31 - 1), "FRAME_TOO_LARGE"],
    ["2^31", varint(2 ** 31), "FRAME_TOO_LARGE"],
    ["2^31 + 1", varint(2 ** 31 + 1), "FRAME_TOO_LARGE"],
    ["2^32 - 1", varint(2 ** 32 - 1), "FRAME_TOO_LARGE"],
    ["2^53 - 1", varint(2 ** 53 - 1), "FRAME_TOO_LARGE"],
    ["2^53", unhex("c020000000000000"), "FRAME_TOO_LARGE"],
    ["2^62 - 1, every bit set", unhex("ffffffffffffffff"), "FRAME_TOO_LARGE"],
    ["7 in two bytes", unhex("4007"), "LENGTH_INVALID"],
    ["63 in two bytes", unhex("403f"), "LENGTH_INVALID"],
    ["7 in four bytes", unhex("80000007"), "LENGTH_INVALID"],
    ["16383 in four bytes", unhex("80003fff"), "LENGTH_INVALID"],
    ["7 in eight bytes", unhex("c000000000000007"), "LENGTH_INVALID"],
    ["0 in eight bytes", unhex("c000000000000000"), "LENGTH_INVALID"],
  ];
  for (const [name, bytes, code] of cases) {
    test(`${name}: ${code}, before anything else came`, () => {
      assertEquals(verdict(bytes).code, code);
      assertEquals(verdict(join(bytes, new Uint8Array(100))).code, code);
    });
  }

  test("the greatest passes, in either phase", () => {
    for (const limit of [HANDSHAKE_FRAME_LIMIT, FRAME_LIMIT]) {
      // An unknown type that may be ignored, for no known one is so long.
      const frame = rawFrame(0x80, new Uint8Array(limit - 5));
      assertEquals(verdict(frame, limit).code, undefined);
      const { code, detail } = verdict(rawFrame(0x80, new Uint8Array(limit - 4)), limit);
      assertEquals([code, detail], ["FRAME_TOO_LARGE", `length ${limit + 1}, limit ${limit}`]);
    }
  });

  test("the least passes", () => {
    assertEquals(verdict(rawFrame(0x80, new Uint8Array(0))).code, undefined);
  });

  test("the limit is the one in force when the frame is finished", () => {
    const decoder = new Decoder(PLAIN);
    const sink = new (class extends Collector {
      override ack(): void {
        decoder.frameLimit = FRAME_LIMIT;
      }
    })();
    const stream = join(preface, rawFrame(0x10, unhex("0101")), rawFrame(0x80, new Uint8Array(2_000)));
    assertEquals(decoder.push(stream, sink), null);
  });
});

describe("trailers", () => {
  test("a wrong trailer is CHECKSUM, whatever the type and the body", () => {
    for (const type of [FrameType.PING, FrameType.DATA, FrameType.HELLO, 0x7f, 0xff]) {
      const frame = rawFrame(type, new Uint8Array(30));
      frame[frame.length - 1]! ^= 1;
      assertEquals(verdict(frame).code, "CHECKSUM");
    }
  });

  test("the trailer covers the length", () => {
    const frame = rawFrame(0x80, new Uint8Array(30));
    assertEquals(verdict(frame.subarray(1)).code, "LENGTH_INVALID");
    frame[0]! -= 1;
    assertEquals(verdict(frame).code, "CHECKSUM");
  });

  test("every change of any one byte of any frame is caught", () => {
    for (const { bytes } of oneOfEach()) {
      for (let at = 0; at < bytes.length; at++) {
        for (const flip of [1, 2, 4, 8, 16, 32, 64, 128, 255, 0x5a]) {
          const bad = bytes.slice();
          bad[at]! ^= flip;
          const decoder = new Decoder(NATIVE);
          decoder.frameLimit = FRAME_LIMIT;
          const sink = new Collector();
          decoder.push(preface, sink);
          const fault = decoder.push(bad, sink) ?? decoder.end();
          assertEquals(sink.seen.length, 1, `byte ${at} of ${hex(bytes)} xor ${flip}`);
          assertNotEquals(fault, null);
        }
      }
    }
  });
});

test("every change of any one byte among many messages in one push is caught where it is", () => {
  for (const size of [50, 100, 300]) {
    const frames = Array.from(
      { length: 6 },
      (_, count) => rawFrame(0x43, new Uint8Array(2 + size).fill(count)),
    );
    const length = frames[0]!.length;
    for (let at = 0; at < length; at++) {
      const stream = join(...frames);
      stream[3 * length + at]! ^= 0x41;
      const { code, seen } = verdict(stream);
      // A length that grew may swallow what follows and wait for more; it never delivers anything.
      assert(code !== undefined || at === 0 || (at === 1 && size > 56), `byte ${at}`);
      assertEquals(seen, 3, `byte ${at}`);
    }
  }
});

describe("types", () => {
  const known = new Set<number>([
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x08,
    0x09,
    0x0a,
    0x0b,
    0x10,
    0x11,
    0x18,
    0x19,
    0x1a,
  ]);
  for (let type = 0x40; type <= 0x44; type++) known.add(type);
  for (let type = 0x48; type <= 0x50; type++) known.add(type);

  test("each is known, unknown, or skipped", () => {
    for (let type = 0; type < 256; type++) {
      const { code, seen } = verdict(rawFrame(type, new Uint8Array(0)));
      if (type >= 0x80) assertEquals([code, seen], [undefined, 0]);
      else if (known.has(type)) assert(code !== "UNKNOWN_FRAME");
      else assertEquals(code, "UNKNOWN_FRAME");
    }
  });

  test("what is skipped does not end the stream", () => {
    const stream = join(rawFrame(0xff, new Uint8Array(500)), rawFrame(0x10, unhex("0101")));
    assertEquals(verdict(stream), { code: undefined, detail: "", seen: 1 });
  });
});

describe("layouts", () => {
  test("property: a frame that is a byte shorter or longer than its layout is refused", () => {
    // Those that end in a payload have no layout to fit, and of parameters any number is right.
    const open = ["data", "volatile", "request", "reply"];
    for (const { bytes, seen } of oneOfEach()) {
      if (open.includes(seen.frame) || "parameters" in seen) continue;
      const at = bytes[0]! < 0x40 ? 1 : 2;
      const [type, body] = [bytes[at]!, bytes.subarray(at + 1, -4)];
      assertEquals(verdict(rawFrame(type, body.subarray(0, -1))).code, "FRAME_MALFORMED", seen.frame);
      assertEquals(verdict(rawFrame(type, join(body, Uint8Array.of(0)))).code, "FRAME_MALFORMED", seen.frame);
    }
  });

  test("property: a frame whose body is cut anywhere never passes for more than it is, and never throws", () => {
    for (const { bytes } of oneOfEach()) {
      const at = bytes[0]! < 0x40 ? 1 : 2;
      const body = bytes.subarray(at + 1, -4);
      for (let size = 0; size < body.length; size++) verdict(rawFrame(bytes[at]!, body.subarray(0, size)));
    }
  });

  test("heartbeats", () => {
    refused("FRAME_MALFORMED", 0x08, "");
    refused("FRAME_MALFORMED", 0x08, "00".repeat(17));
    refused("FRAME_MALFORMED", 0x08, "02" + "00".repeat(17));
    refused("FRAME_MALFORMED", 0x08, "00".repeat(22));
    refused("FRAME_MALFORMED", 0x09, "02" + "00".repeat(22));
    accepted(0x08, "fd" + "00".repeat(17)); // other bits are ignored
    accepted(0x09, "ff" + "00".repeat(21));
  });

  test("ACK and CREDIT", () => {
    for (const body of ["", "01", "0101 01", "40", "01 40", "ffffffffffffffff 01", "01 ffffffffffffffff"]) {
      refused("FRAME_MALFORMED", 0x10, body);
    }
    for (const body of ["", "40", "0101", "c020000000000000"]) refused("FRAME_MALFORMED", 0x11, body);
    accepted(0x10, "4001 80000001"); // a longer form is accepted in a body
    accepted(0x11, "c01fffffffffffff");
  });

  test("chunks", () => {
    for (let flags = 0; flags < 4; flags++) {
      for (const body of ["", "00"]) refused("FRAME_MALFORMED", 0x40 + flags, body);
      accepted(0x40 + flags, "0000");
      refused("FRAME_MALFORMED", 0x40 + flags, "0000" + "00".repeat(16_385));
      accepted(0x40 + flags, "0000" + "00".repeat(16_384));
      for (const base of [0x48, 0x4c]) {
        for (const body of ["", "00"]) refused("FRAME_MALFORMED", base + flags, body);
        const head = flags >= 2 ? "0000 05 06" : "0000";
        accepted(base + flags, head);
        accepted(base + flags, head + "00".repeat(16_384));
        refused("FRAME_MALFORMED", base + flags, head + "00".repeat(16_385));
        if (flags >= 2) {
          for (const body of ["0000", "0000 05", "0000 40", "0000 05 40"]) {
            refused("FRAME_MALFORMED", base + flags, body);
          }
        }
      }
    }
    accepted(0x44, "");
    refused("FRAME_MALFORMED", 0x44, "00".repeat(16_385));
    for (const body of ["", "0000", "0000 40", "0000 05 00"]) refused("FRAME_MALFORMED", 0x50, body);
  });

  test("texts, claimed longer than they are, too long, or not UTF-8", () => {
    accepted(0x1a, "05 02 6869");
    for (
      const body of ["", "05", "05 02", "05 02 68", "05 02 686900", "05 01 ff", "05 02 c080", "05 03 eda080"]
    ) {
      refused("FRAME_MALFORMED", 0x1a, body);
    }
    accepted(0x1a, "05 40ff" + "61".repeat(255));
    refused("FRAME_MALFORMED", 0x1a, "05 4100" + "61".repeat(256));
    refused("FRAME_MALFORMED", 0x1a, "05 c01fffffffffffff 61");
    refused("FRAME_MALFORMED", 0x1a, "05 ffffffffffffffff 61");
  });

  test("GOAWAY knows two scopes", () => {
    accepted(0x18, "00 00 00 00 00 00");
    accepted(0x18, "01 00 00 00 00 00");
    refused("FRAME_MALFORMED", 0x18, "02 00 00 00 00 00");
  });

  test("nonces", () => {
    for (const type of [0x01, 0x02, 0x04]) {
      for (let size = 0; size < 16; size++) refused("FRAME_MALFORMED", type, "00".repeat(size));
    }
  });
});

describe("the end of the stream", () => {
  test("is TRUNCATED inside a frame or the preface, at every byte, and nothing between frames", () => {
    const list = oneOfEach();
    const ends = new Set<number>([0, 8]);
    let at = 8;
    for (const { bytes } of list) ends.add(at += bytes.length);
    const stream = join(preface, ...list.map(({ bytes }) => bytes));
    const counts = [...ends].sort((a, b) => a - b);
    for (let cutAt = 0; cutAt <= stream.length; cutAt++) {
      const decoder = new Decoder(NATIVE);
      decoder.frameLimit = FRAME_LIMIT;
      const sink = new Collector();
      assertEquals(decoder.push(stream.subarray(0, cutAt), sink), null);
      assertEquals(decoder.end()?.code, ends.has(cutAt) ? undefined : "TRUNCATED");
      assertEquals(sink.seen.length, counts.filter((end) => end <= cutAt).length - 1);
      assertEquals(decoder.end(), null);
    }
  });
});

describe("after a fault or stop()", () => {
  const frames = oneOfEach().map(({ bytes }) => bytes);

  test("nothing is processed, held or returned", () => {
    const bad = rawFrame(0x7f, new Uint8Array(3));
    for (const first of [join(bad, ...frames), join(...frames.slice(0, 3), bad, ...frames)]) {
      const decoder = new Decoder(NATIVE);
      decoder.frameLimit = FRAME_LIMIT;
      const sink = new Collector();
      decoder.push(preface, sink);
      assertEquals(decoder.push(first, sink)?.code, "UNKNOWN_FRAME");
      const seen = sink.seen.length;
      for (const each of [...frames, bad, first.subarray(0, 5)]) assertEquals(decoder.push(each, sink), null);
      assertEquals([sink.seen.length, decoder.heldBytes, decoder.heldMemory, decoder.inFrame], [
        seen,
        0,
        0,
        false,
      ]);
      assertEquals([decoder.end(), decoder.key()], [null, "stopped"]);
    }
  });

  test("stop() from within any call of the sink", () => {
    const stream = join(preface, ...frames);
    const all = frames.length + 1;
    for (let stopAt = 1; stopAt <= all; stopAt++) {
      for (const sizes of [[stream.length], [1], [50]]) {
        const decoder = new Decoder(NATIVE);
        decoder.frameLimit = FRAME_LIMIT;
        let calls = 0;
        const sink = new Proxy(new Collector(), {
          get: () => () => {
            if (++calls === stopAt) decoder.stop();
          },
        });
        for (const piece of cut(stream, sizes)) assertEquals(decoder.push(piece, sink), null);
        assertEquals([calls, decoder.heldBytes, decoder.end()], [stopAt, 0, null]);
      }
    }
  });
});

test("property: no bytes of a peer throw, and faults are known and bounded", () => {
  const body = fc.uint8Array({ maxLength: 200 });
  const codes = new Set<Code>();
  fc.assert(
    fc.property(fc.nat(255), body, samples, (type, bytes, { bytes: good }) => {
      const { code } = verdict(join(good, rawFrame(type, bytes)));
      if (code !== undefined) codes.add(code);
    }),
    { numRuns: 500 },
  );
  for (const code of codes) {
    assert(["FRAME_MALFORMED", "UNKNOWN_FRAME"].includes(code) || code.startsWith("PARAMETER_"));
  }
});

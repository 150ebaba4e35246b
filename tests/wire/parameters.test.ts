/** Parameters: each form and range, the required ones, and what a peer can do wrong with them. */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Decoder } from "../../core/wire/decoder.ts";
import { HANDSHAKE_FRAME_LIMIT } from "../../core/wire/registry.ts";
import { accepted, refused, verdict } from "../support/verdict.ts";
import { Collector, decode, hex, join, PLAIN, PREFACE, rawFrame, unhex } from "../support/wire.ts";

const preface = unhex(PREFACE);
const nonce = "00".repeat(16);
const BEAT = "01 02 43e8 02 02 43e8 03 01 03";

test("required ones", () => {
  for (const type of [0x01, 0x04]) {
    accepted(type, `${nonce} ${BEAT}`);
    refused("PARAMETER_MISSING", type, nonce);
    refused("PARAMETER_MISSING", type, `${nonce} 01 02 43e8 02 02 43e8`);
    refused("PARAMETER_MISSING", type, `${nonce} 02 02 43e8 03 01 03`);
    refused("PARAMETER_MISSING", type, `${nonce} 01 02 43e8 03 01 03`);
  }
  for (const [type, head] of [[0x02, nonce], [0x03, ""], [0x05, "00 00 00"], [0x0a, "00"]] as const) {
    accepted(type, head);
  }
});

test("ranges", () => {
  const hello = (parameter: string): void => accepted(0x01, `${nonce} 02 02 43e8 03 01 03 ${parameter}`);
  const notHello = (parameter: string): void =>
    refused("PARAMETER_INVALID", 0x01, `${nonce} 02 02 43e8 03 01 03 ${parameter}`);
  hello("01 01 0a");
  hello("01 04 8036ee80"); // 3,600,000
  for (
    const bad of [
      "01 01 09",
      "01 01 00",
      "01 04 8036ee81",
      "01 00",
      "01 01 40",
      "01 02 0a0a",
      "01 03 400a00",
    ]
  ) {
    notHello(bad);
  }
  notHello("01 08 ffffffffffffffff");
  const more = (parameter: string): void => accepted(0x01, `${nonce} ${BEAT} ${parameter}`);
  const notMore = (parameter: string): void =>
    refused("PARAMETER_INVALID", 0x01, `${nonce} ${BEAT} ${parameter}`);
  more("04 01 00");
  more("04 08 c01fffffffffffff");
  notMore("04 08 c020000000000000");
  for (const bits of ["01", "02", "03", "04", "05", "06", "07"]) more(`06 01 ${bits}`);
  for (const bits of ["00", "08", "09"]) notMore(`06 01 ${bits}`);
  for (const id of ["10", "12"]) {
    more(`${id} 10 ${"ab".repeat(16)}`);
    notMore(`${id} 0f ${"ab".repeat(15)}`);
    notMore(`${id} 11 ${"ab".repeat(17)}`);
    notMore(`${id} 00`);
  }
  more(`17 20 ${"ab".repeat(32)}`);
  notMore(`17 1f ${"ab".repeat(31)}`);
  more("1b 01 00");
  more("1b 01 01");
  for (const bad of ["1b 01 02", "1b 00", "1b 02 0001", "1b 01 ff"]) notMore(bad);
  more("20 01 6b");
  more(`20 4040 ${"6b".repeat(64)}`);
  for (const bad of ["20 00", `20 4041 ${"6b".repeat(65)}`, "20 01 ff", "20 02 c080"]) notMore(bad);
  more("22 01 00");
  more(`22 4200 ${"ff".repeat(512)}`);
  notMore("22 00");
  notMore(`22 4201 ${"ff".repeat(513)}`);
  for (const bits of ["01", "02", "04"]) accepted(0x04, `${nonce} ${BEAT} 06 01 ${bits}`);
  for (const bits of ["00", "03", "05", "06", "07", "08"]) {
    refused("PARAMETER_INVALID", 0x04, `${nonce} ${BEAT} 06 01 ${bits}`);
  }
  refused("PARAMETER_INVALID", 0x0a, "00 03 02 4100");
  accepted(0x0a, "00 03 02 40ff");
});

test("mac is the last", () => {
  accepted(0x02, `${nonce} 7fff 00 21 20 ${"ab".repeat(32)}`);
  refused("PARAMETER_INVALID", 0x02, `${nonce} 21 20 ${"ab".repeat(32)} 7fff 00`);
});

test("one that stands twice", () => {
  refused("PARAMETER_DUPLICATE", 0x01, `${nonce} ${BEAT} 01 02 43e8`);
  refused("PARAMETER_DUPLICATE", 0x01, `${nonce} ${BEAT} 7fff 00 7fff 00`);
  // The same id in a longer form is the same id.
  refused("PARAMETER_DUPLICATE", 0x01, `${nonce} ${BEAT} 4001 02 43e8`);
});

test("claimed longer than they are, or cut", () => {
  for (
    const bad of [
      "01",
      "01 02",
      "01 02 43",
      "01 7fff 00",
      "40",
      "7f",
      "01 c01fffffffffffff",
      "01 ffffffffffffffff",
    ]
  ) {
    refused("FRAME_MALFORMED", 0x01, nonce + bad);
  }
  refused("FRAME_MALFORMED", 0x01, `${nonce} ffffffffffffffff 00`);
});

test("at most 32", () => {
  const unknown = (count: number): string =>
    Array.from({ length: count }, (_, at) => (0x4100 + at).toString(16) + "00").join("");
  accepted(0x01, `${nonce} ${BEAT} ${unknown(29)}`);
  refused("FRAME_MALFORMED", 0x01, `${nonce} ${BEAT} ${unknown(30)}`);
  // A flood as large as the frame may be, all different and all the same.
  assertEquals(
    verdict(rawFrame(0x01, unhex(nonce + unknown(333))), HANDSHAKE_FRAME_LIMIT).code,
    "FRAME_MALFORMED",
  );
  assertEquals(verdict(rawFrame(0x01, unhex(nonce + "3f00".repeat(500)))).code, "PARAMETER_DUPLICATE");
});

test("unknown ids are skipped, and become nothing", () => {
  const names = ["__proto__", "constructor", "toString", "mac", "token"];
  // As far as a number can hold the letters of a name; and the numbers round the known ones.
  const ids = names.map((name) =>
    "c0" + hex(new TextEncoder().encode(name.padEnd(9, "_").slice(0, 6))).padStart(14, "0")
  );
  ids.push("00", "07", "0f", "1d", "1f", "23", "3f", "4040", "7fff", "c01fffffffffffff");
  const list = ids.map((id) => `${id} 03 010203`).join("");
  const { seen, fault } = decode([preface, rawFrame(0x01, unhex(`${nonce} ${BEAT} ${list}`))]);
  assertEquals(fault, null);
  assertEquals(seen[1]!.parameters, { desiredTx: 1_000, requiredRx: 1_000, multiplier: 3 });
  assertEquals(({} as Record<string, unknown>)["desiredTx"], undefined);
});

test("known ids in a frame that they are not meant for are skipped unread", () => {
  const { seen, fault } = decode([preface, rawFrame(0x01, unhex(`${nonce} ${BEAT} 18 00 21 01 ff 1c 00`))]);
  assertEquals(fault, null);
  assertEquals(Object.keys(seen[1]!.parameters as object).length, 3);
});

test("bytes are the holder's own", () => {
  const frame = rawFrame(0x01, unhex(`${nonce} ${BEAT} 10 10 ${"ab".repeat(16)} 22 02 0102`));
  let kept: unknown;
  const decoder = new Decoder(PLAIN);
  decoder.push(
    join(preface, frame),
    new Proxy(new Collector(), {
      get: () => (...given: unknown[]) => {
        kept = given[0];
      },
    }),
  );
  frame.fill(0xee);
  const { nonce: own, parameters } = kept as { nonce: Uint8Array; parameters: Record<string, Uint8Array> };
  assertEquals([hex(own), hex(parameters.session!), hex(parameters.token!)], [
    nonce,
    "ab".repeat(16),
    "0102",
  ]);
  assertEquals([own.buffer.byteLength, parameters.session!.buffer.byteLength], [16, 16]);
});

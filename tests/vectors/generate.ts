/**
 * Writes `good.json` and `bad.json`: streams in bytes, and what a peer must make of them.
 *
 *   tsx tests/vectors/generate.ts
 *
 * Rules: bodies are written here by hand from the tables of docs/PROTOCOL.md, without the encoder; the CRC is zlib's. So the
 * vectors test the encoder as well as the decoder. A vector is never changed, only added: others may have copied it.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import type { Code } from "../../core/codes.ts";
import { hex, type Seen, unhex } from "../support/wire.ts";

/** One stream. */
export interface Vector {
  readonly name: string;
  /** Which limit holds for the length of a frame: 1,024 or 16,448. */
  readonly phase: "handshake" | "open";
  /** The whole stream, after which it ends; spaces mean nothing. */
  readonly bytes: string;
  /** What is decoded, in order; byte strings as hexadecimal digits. */
  readonly frames: readonly Seen[];
  /** The fault that ends the stream, or null. */
  readonly fault: Code | null;
  /** Whether an encoder that is given `frames` writes exactly these bytes. */
  readonly canonical: boolean;
}

/** A file of vectors. */
export interface VectorFile {
  readonly about: string;
  readonly vectors: readonly Vector[];
}

const PREFACE = "e299a5770d0a0101";
const PREFACE_SEEN: Seen = { frame: "preface", lowest: 1, highest: 1 };
const N = "000102030405060708090a0b0c0d0e0f";
const BEAT = "01 02 43e8 02 02 41f4 03 01 03";
const BEAT_SEEN = { desiredTx: 1000, requiredRx: 500, multiplier: 3 };
const B16 = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
const B32 = B16 + "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf";

function tight(text: string): string {
  return hex(unhex(text));
}

/** The shortest form of a length, for frames up to 2^30. */
function lengthOf(bytes: number): string {
  if (bytes < 0x40) return bytes.toString(16).padStart(2, "0");
  return bytes < 0x4000 ? (0x4000 + bytes).toString(16) : (0x8000_0000 + bytes).toString(16);
}

/** A frame: length, type and body, and zlib's CRC of these. */
function framed(type: string, body: string): string {
  const inner = tight(type + body);
  const head = lengthOf(inner.length / 2 + 4) + inner;
  return head + (crc32(unhex(head)) >>> 0).toString(16).padStart(8, "0");
}

function make(
  name: string,
  bytes: string,
  frames: readonly Seen[],
  fault: Code | null,
  canonical: boolean,
  phase: Vector["phase"] = "open",
): Vector {
  return { name, phase, bytes, frames, fault, canonical };
}

/** A frame as an encoder writes it. */
function good(name: string, type: string, body: string, seen: Seen): Vector {
  return make(name, `${PREFACE} ${framed(type, body)}`, [PREFACE_SEEN, seen], null, true);
}

/** A frame that a decoder must accept, though an encoder would not write it so. */
function accepted(name: string, type: string, body: string, ...seen: Seen[]): Vector {
  return make(name, `${PREFACE} ${framed(type, body)}`, [PREFACE_SEEN, ...seen], null, false);
}

/** A frame in order but for its body or type. */
function refused(fault: Code, name: string, type: string, body: string): Vector {
  return make(name, `${PREFACE} ${framed(type, body)}`, [PREFACE_SEEN], fault, false);
}

/** Any bytes after a good preface. */
function broken(fault: Code, name: string, bytes: string, frames: Seen[] = [], phase: Vector["phase"] = "open"): Vector {
  return make(name, `${PREFACE} ${bytes}`, [PREFACE_SEEN, ...frames], fault, false, phase);
}

const CREDIT = framed("11", "05");
const CREDIT_SEEN: Seen = { frame: "credit", limit: 5 };

const GOOD: readonly Vector[] = [
  make("nothing", "", [], null, false),
  make("preface alone", PREFACE, [PREFACE_SEEN], null, true),
  make("preface of a later version", "e299a5770d0a0307", [{ frame: "preface", lowest: 3, highest: 7 }], null, false),
  good("HELLO with what is required", "01", `${N} ${BEAT}`, { frame: "hello", nonce: N, parameters: BEAT_SEEN }),
  good(
    "HELLO with every parameter it may have",
    "01",
    `${N} ${BEAT} 04 04 80100000 05 04 80020000 06 01 07 10 10 ${B16} 11 01 02 12 10 ${B16} 13 01 09 14 01 05 15 01 0a 16 01 08
     17 20 ${B32} 1b 01 01 20 05 6b65792d31 22 03 010203`,
    {
      frame: "hello",
      nonce: N,
      parameters: {
        ...BEAT_SEEN,
        ...{ maxMessage: 1048576, credit: 131072, integrity: 7, session: B16, generation: 2, instance: B16 },
        ...{ received: 9, firstRetained: 5, sent: 10, processed: 8, proof: B32, freshOnLoss: true },
        ...{ keyId: "key-1", token: "010203" },
      },
    },
  ),
  good("CHALLENGE", "02", `${N} 21 20 ${B32}`, { frame: "challenge", nonce: N, parameters: { mac: B32 } }),
  good("AUTH", "03", `21 20 ${B32}`, { frame: "auth", parameters: { mac: B32 } }),
  good(
    "WELCOME with every parameter it may have",
    "04",
    `${N} ${BEAT} 04 08 c01fffffffffffff 05 01 00 06 01 01 10 10 ${B16} 13 01 01 14 01 02 15 01 03 16 01 04 18 01 05 19 01 00
     1a 01 01 1c 20 ${B32} 21 20 ${B32}`,
    {
      frame: "welcome",
      nonce: N,
      parameters: {
        ...BEAT_SEEN,
        ...{ maxMessage: 9007199254740991, credit: 0, integrity: 1, session: B16, received: 1, firstRetained: 2 },
        ...{ sent: 3, processed: 4, epoch: 5, resumed: false, resumable: true, secret: B32, mac: B32 },
      },
    },
  ),
  good("REJECT(BUSY), come back in 5,000 ms", "05", "20 5388 04 62757379", {
    frame: "reject",
    ...{ code: 32, retryAfter: 5000, text: "busy", parameters: {} },
  }),
  good("REJECT(SUPERSEDED) by another instance", "05", `27 00 00 12 10 ${B16}`, {
    frame: "reject",
    ...{ code: 39, retryAfter: 0, text: "", parameters: { instance: B16 } },
  }),
  good("PING that asks for an answer", "08", "01 00000001 00000002 ff 00000003 00000004", {
    frame: "ping",
    ...{ flags: 1, sequence: 1, timestamp: 2, promise: 255, heard: 3, received: 4, stalled: 0 },
  }),
  good("PING that confesses a stall of 1,500 ms", "08", "03 fffffffe ffffffff 80 80000000 7fffffff 000005dc", {
    frame: "ping",
    ...{ flags: 3, sequence: 4294967294, timestamp: 4294967295, promise: 128 },
    ...{ heard: 2147483648, received: 2147483647, stalled: 1500 },
  }),
  good("PONG", "09", "00 00000002 00000010 000003e8 ff 00000005", {
    frame: "pong",
    ...{ flags: 0, answer: 2, timestamp: 16, hold: 1000, promise: 255, received: 5, stalled: 0 },
  }),
  good("PONG to the last PING of a round, after a stall", "09", "02 00000000 ffffffff ffffffff 00 ffffffff ffffffff", {
    frame: "pong",
    ...{ flags: 2, answer: 0, timestamp: 4294967295, hold: 4294967295, promise: 0 },
    ...{ received: 4294967295, stalled: 4294967295 },
  }),
  good("PARAMS", "0a", "07 01 04 8036ee80 02 01 0a 03 02 40ff", {
    frame: "params",
    ...{ serial: 7, parameters: { desiredTx: 3600000, requiredRx: 10, multiplier: 255 } },
  }),
  good("PARAMS_OK", "0b", "07", { frame: "paramsOk", serial: 7 }),
  good("ACK", "10", "4100 3f", { frame: "ack", received: 256, processed: 63 }),
  good("ACK of great positions", "10", "c000000100000000 bfffffff", {
    frame: "ack",
    ...{ received: 4294967296, processed: 1073741823 },
  }),
  good("CREDIT", "11", "80010000", { frame: "credit", limit: 65536 }),
  good("CREDIT of 2^53 - 1", "11", "c01fffffffffffff", { frame: "credit", limit: 9007199254740991 }),
  good("GOAWAY, connection", "18", "00 24 43e8 5388 08 7265737461727473 09 686f73743a37343333", {
    frame: "goaway",
    ...{ scope: 0, code: 36, retryAfter: 1000, jitter: 5000, text: "restarts", endpoint: "host:7433" },
  }),
  good("GOAWAY, session", "18", "01 24 00 00 00 00", {
    frame: "goaway",
    ...{ scope: 1, code: 36, retryAfter: 0, jitter: 0, text: "", endpoint: "" },
  }),
  good("CLOSE", "19", "00 2a 03 627965", { frame: "close", code: 0, position: 42, text: "bye" }),
  good("ERROR with text beyond ASCII", "1a", "31 0c 67c3bc74e282acf09f929a21", {
    frame: "error",
    ...{ code: 49, text: "g\u00fct\u20ac\u{1f49a}!" },
  }),
  good("DATA, a whole empty message", "43", "0000", { frame: "data", flags: 3, sequence: 0, payload: "" }),
  good("DATA, a whole message", "43", "1234 68656c6c6f", {
    frame: "data",
    ...{ flags: 3, sequence: 4660, payload: "68656c6c6f" },
  }),
  good("DATA, the first chunk of several", "42", "fffe 00", { frame: "data", flags: 2, sequence: 65534, payload: "00" }),
  good("DATA, a middle chunk", "40", "ffff 01", { frame: "data", flags: 0, sequence: 65535, payload: "01" }),
  good("DATA, the last chunk", "41", "0000 02", { frame: "data", flags: 1, sequence: 0, payload: "02" }),
  good("DATA of 56 bytes, the longest with a length of one byte", "43", `0001 ${"5a".repeat(56)}`, {
    frame: "data",
    ...{ flags: 3, sequence: 1, payload: "5a".repeat(56) },
  }),
  good("DATA of 57 bytes", "43", `0001 ${"5a".repeat(57)}`, {
    frame: "data",
    ...{ flags: 3, sequence: 1, payload: "5a".repeat(57) },
  }),
  good("DATA of 16,384 bytes, the longest chunk", "43", `0001 ${"c3".repeat(16384)}`, {
    frame: "data",
    ...{ flags: 3, sequence: 1, payload: "c3".repeat(16384) },
  }),
  good("VOLATILE", "44", "0102", { frame: "volatile", payload: "0102" }),
  good("REQUEST, whole", "4b", "0005 07 43e8 3f", {
    frame: "request",
    ...{ flags: 3, sequence: 5, id: 7, remaining: 1000, payload: "3f" },
  }),
  good("REQUEST, the last chunk", "49", "0006 3f", {
    frame: "request",
    ...{ flags: 1, sequence: 6, id: 0, remaining: 0, payload: "3f" },
  }),
  good("REPLY, whole", "4f", "0005 07 00 21", {
    frame: "reply",
    ...{ flags: 3, sequence: 5, id: 7, status: 0, payload: "21" },
  }),
  good("REPLY, a middle chunk", "4c", "0006", {
    frame: "reply",
    ...{ flags: 0, sequence: 6, id: 0, status: 0, payload: "" },
  }),
  good("CANCEL", "50", "0007 07", { frame: "cancel", sequence: 7, id: 7 }),
  accepted("an unknown type with bit 7 is skipped", "ff", "0102"),
  accepted("an unknown type with bit 7 and nothing else", "80", ""),
  accepted("ACK in longer forms than needed", "10", "4001 c000000000000001", { frame: "ack", received: 1, processed: 1 }),
  accepted("PING with unknown flags", "08", "fd 00000001 00000002 ff 00000003 00000004", {
    frame: "ping",
    ...{ flags: 253, sequence: 1, timestamp: 2, promise: 255, heard: 3, received: 4, stalled: 0 },
  }),
  accepted("HELLO with unknown parameters, in any order", "01", `${N} 03 01 03 3f 00 02 02 41f4 7fff 02 ffff 01 02 43e8`, {
    frame: "hello",
    ...{ nonce: N, parameters: BEAT_SEEN },
  }),
  accepted("HELLO with a parameter of WELCOME, which is skipped unread", "01", `${N} ${BEAT} 19 01 09`, {
    frame: "hello",
    ...{ nonce: N, parameters: BEAT_SEEN },
  }),
  accepted("HELLO with 32 parameters", "01", `${N} ${BEAT} ${unknown(29)}`, {
    frame: "hello",
    ...{ nonce: N, parameters: BEAT_SEEN },
  }),
  make("two frames", `${PREFACE} ${CREDIT} ${framed("10", "0101")}`, [
    PREFACE_SEEN,
    CREDIT_SEEN,
    { frame: "ack", received: 1, processed: 1 },
  ], null, true),
  make("a frame of 1,024 bytes before WELCOME", `${PREFACE} ${framed("80", "00".repeat(1019))}`, [PREFACE_SEEN], null, false, "handshake"),
];

/** So many parameters with ids that nobody knows. */
function unknown(count: number): string {
  return Array.from({ length: count }, (_, at) => `${(0x4100 + at).toString(16)} 00`).join(" ");
}

function wrongTrailer(type: string, body: string): string {
  const whole = unhex(framed(type, body));
  whole[whole.length - 1]! ^= 0x01;
  return hex(whole);
}

const BAD: readonly Vector[] = [
  make("HTTP", hex(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")), [], "NOT_HEARTWIRE", false),
  make("TLS", "16030100c8010000c40303", [], "NOT_HEARTWIRE", false),
  make("CR LF became LF", "e299a5770a0101", [], "NOT_HEARTWIRE", false),
  make("the stream ends in the preface", "e299a577", [], "TRUNCATED", false),
  broken("TRUNCATED", "the stream ends after a length", "17"),
  broken("TRUNCATED", "the stream ends in a length", "40"),
  broken("TRUNCATED", "the stream ends in a trailer", `${CREDIT}${CREDIT.slice(0, -2)}`, [CREDIT_SEEN]),
  broken("LENGTH_INVALID", "length 0", "00"),
  broken("LENGTH_INVALID", "length 4", "04"),
  broken("LENGTH_INVALID", "length 7 in two bytes", "4007"),
  broken("LENGTH_INVALID", "length 7 in four bytes", "80000007"),
  broken("LENGTH_INVALID", "length 7 in eight bytes", "c000000000000007"),
  broken("FRAME_TOO_LARGE", "length 16,449", "80004041"),
  broken("FRAME_TOO_LARGE", "length 1,025 before WELCOME", "4401", [], "handshake"),
  broken("FRAME_TOO_LARGE", "length 2^31", "c000000080000000"),
  broken("FRAME_TOO_LARGE", "length 2^32 - 1", "c0000000ffffffff"),
  broken("FRAME_TOO_LARGE", "length 2^53", "c020000000000000"),
  broken("FRAME_TOO_LARGE", "length with every bit set", "ffffffffffffffff"),
  broken("CHECKSUM", "a trailer with one bit wrong", wrongTrailer("11", "05")),
  broken("CHECKSUM", "the trailer is judged before the type", wrongTrailer("7f", "")),
  broken("CHECKSUM", "the trailer is judged before the body", wrongTrailer("08", "00")),
  broken("CHECKSUM", "nothing is processed after a fault", `${CREDIT} ${wrongTrailer("11", "06")} ${CREDIT}`, [CREDIT_SEEN]),
  refused("UNKNOWN_FRAME", "type 00", "00", ""),
  refused("UNKNOWN_FRAME", "type 60, kept for streams", "60", "00"),
  refused("UNKNOWN_FRAME", "type 7F", "7f", ""),
  refused("FRAME_MALFORMED", "PING a byte too short", "08", "00".repeat(17)),
  refused("FRAME_MALFORMED", "PING a byte too long", "08", "00".repeat(19)),
  refused("FRAME_MALFORMED", "PING that is STALLED without the field", "08", "02" + "00".repeat(17)),
  refused("FRAME_MALFORMED", "PONG with a field `stalled` that it does not flag", "09", "00".repeat(22)),
  refused("FRAME_MALFORMED", "ACK with one position", "10", "01"),
  refused("FRAME_MALFORMED", "ACK with bytes left over", "10", "010100"),
  refused("FRAME_MALFORMED", "CREDIT above 2^53 - 1", "11", "c020000000000000"),
  refused("FRAME_MALFORMED", "CREDIT whose varint ends early", "11", "40"),
  refused("FRAME_MALFORMED", "DATA with half a sequence", "43", "00"),
  refused("FRAME_MALFORMED", "DATA of 16,385 bytes", "43", `0000 ${"00".repeat(16385)}`),
  refused("FRAME_MALFORMED", "GOAWAY with scope 2", "18", "02 00 00 00 00 00"),
  refused("FRAME_MALFORMED", "ERROR with a text that is claimed longer than it is", "1a", "05 0a 6869"),
  refused("FRAME_MALFORMED", "ERROR with a text of 256 bytes", "1a", `05 4100 ${"61".repeat(256)}`),
  refused("FRAME_MALFORMED", "ERROR with an overlong form in its text", "1a", "05 02 c080"),
  refused("FRAME_MALFORMED", "ERROR with a surrogate in its text", "1a", "05 03 eda080"),
  refused("FRAME_MALFORMED", "CLOSE without a text", "19", "00 00"),
  refused("FRAME_MALFORMED", "CANCEL with bytes left over", "50", "0000 01 00"),
  refused("FRAME_MALFORMED", "REQUEST, FIRST, without an id", "4b", "0000"),
  refused("FRAME_MALFORMED", "HELLO with half a nonce", "01", "0001020304050607"),
  refused("FRAME_MALFORMED", "HELLO with a parameter claimed longer than it is", "01", `${N} 01 02 43`),
  refused("FRAME_MALFORMED", "HELLO with 33 parameters", "01", `${N} ${BEAT} ${unknown(30)}`),
  refused("PARAMETER_MISSING", "HELLO without parameters", "01", N),
  refused("PARAMETER_MISSING", "WELCOME without a multiplier", "04", `${N} 01 02 43e8 02 02 41f4`),
  refused("PARAMETER_DUPLICATE", "HELLO with a multiplier twice", "01", `${N} ${BEAT} 03 01 03`),
  refused("PARAMETER_DUPLICATE", "HELLO with an unknown parameter twice", "01", `${N} ${BEAT} 3f 00 3f 00`),
  refused("PARAMETER_INVALID", "HELLO with an interval of 9 ms", "01", `${N} 01 01 09 02 02 41f4 03 01 03`),
  refused("PARAMETER_INVALID", "HELLO with an interval of 3,600,001 ms", "01", `${N} 01 04 8036ee81 02 02 41f4 03 01 03`),
  refused("PARAMETER_INVALID", "HELLO with multiplier 0", "01", `${N} 01 02 43e8 02 02 41f4 03 01 00`),
  refused("PARAMETER_INVALID", "HELLO with multiplier 256", "01", `${N} 01 02 43e8 02 02 41f4 03 02 4100`),
  refused("PARAMETER_INVALID", "HELLO with a varint that is shorter than its parameter", "01", `${N} 01 02 0a00`),
  refused("PARAMETER_INVALID", "HELLO with a session of 15 bytes", "01", `${N} ${BEAT} 10 0f ${B16.slice(2)}`),
  refused("PARAMETER_INVALID", "HELLO that offers no integrity", "01", `${N} ${BEAT} 06 01 00`),
  refused("PARAMETER_INVALID", "HELLO with a key name that is not UTF-8", "01", `${N} ${BEAT} 20 01 ff`),
  refused("PARAMETER_INVALID", "WELCOME that chooses two integrities", "04", `${N} ${BEAT} 06 01 03`),
  refused("PARAMETER_INVALID", "WELCOME with resumed 2", "04", `${N} ${BEAT} 19 01 02`),
  refused("PARAMETER_INVALID", "CHALLENGE with a parameter behind its mac", "02", `${N} 21 20 ${B32} 3f 00`),
];

const ABOUT = "Streams of heartwire/1 and what a peer must make of them (docs/PROTOCOL.md). `bytes`: the whole stream, after " +
  "which it ends. `phase`: the limit for a frame's length, 1,024 (handshake) or 16,448 (open). `frames`: what is decoded, in " +
  "order, however the stream is cut; byte strings in hexadecimal digits. `fault`: the code that ends the stream, or null. " +
  "`canonical`: an encoder that is given `frames` writes exactly these bytes.";

/** The files, by name. */
export const FILES: Readonly<Record<string, VectorFile>> = {
  "good.json": { about: ABOUT, vectors: GOOD },
  "bad.json": { about: ABOUT, vectors: BAD },
};

/** A file's text: one vector a line. */
export function render({ about, vectors }: VectorFile): string {
  const lines = vectors.map((vector) => `    ${JSON.stringify(vector)}`);
  return `{\n  "about": ${JSON.stringify(about)},\n  "vectors": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, file] of Object.entries(FILES)) {
    writeFileSync(new URL(name, import.meta.url), render(file));
    console.log(`${name}: ${file.vectors.length} vectors`);
  }
}

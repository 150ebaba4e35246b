/**
 * The parameters of HELLO, CHALLENGE, AUTH, WELCOME, REJECT and PARAMS (docs/PROTOCOL.md, section 3.2).
 *
 * Rules: one row of the table for each parameter; nothing else knows a parameter's form, range or frames. Ids of the peer are
 * compared as numbers and never become keys. An id that is unknown, or known but not meant for the frame, is skipped
 * unread. Values are the holder's own: bytes are copied.
 *
 * @module
 */

import { HeartwireError } from "../errors.ts";
import { type Fault, fault } from "./fault.ts";
import { INTERVAL_MAX, INTERVAL_MIN, MAX_PARAMETERS, MULTIPLIER_MAX, ParameterId } from "./registry.ts";
import { decodeText, encodeText } from "./text.ts";
import { readVarint, VARINT_EXCESS, VARINT_MAX, varintForm, varintSize, writeVarint } from "./varint.ts";

/** The parameters of one frame, by name; what is absent was not sent. */
export interface Parameters {
  /** How often the sender wants to send, ms. */
  desiredTx?: number;
  /** The shortest interval at which the sender is willing to receive, ms. */
  requiredRx?: number;
  /** How many of the sender's intervals may pass in silence. */
  multiplier?: number;
  /** The longest message that the sender takes, bytes. */
  maxMessage?: number;
  /** The first limit of credit. */
  credit?: number;
  /** Bits of `Integrity`: offered by HELLO, one chosen by WELCOME. */
  integrity?: number;
  /** Session id, 16 bytes. */
  session?: Uint8Array;
  /** The client's count of dials. */
  generation?: number;
  /** The client's instance, 16 bytes. */
  instance?: Uint8Array;
  /** Position: arrived in order. */
  received?: number;
  /** Position: the first chunk that is still kept for a replay. */
  firstRetained?: number;
  /** Position: sent. */
  sent?: number;
  /** Position: the application has finished with it. */
  processed?: number;
  /** Proof of a resume, 32 bytes. */
  proof?: Uint8Array;
  /** Changes whenever state was lost. */
  epoch?: number;
  /** Whether the session goes on where it was. */
  resumed?: boolean;
  /** Whether the session can be resumed later. */
  resumable?: boolean;
  /** Whether the client takes a fresh session when the old one is lost. */
  freshOnLoss?: boolean;
  /** The session's secret, 32 bytes. */
  secret?: Uint8Array;
  /** Names a pre-shared key, 1 to 64 bytes of UTF-8. */
  keyId?: string;
  /** Authentication code, 32 bytes; the last parameter of its frame. */
  mac?: Uint8Array;
  /** For the application's `authenticate`, 1 to 512 bytes. */
  token?: Uint8Array;
}

/** Frames that carry parameters, as bits. */
export const ParameterFrame = {
  HELLO: 1,
  CHALLENGE: 2,
  AUTH: 4,
  WELCOME: 8,
  REJECT: 16,
  PARAMS: 32,
} as const;

type Name = keyof Parameters;
type Form = "varint" | "flag" | "bytes" | "text";

/** One parameter. `min` and `max`: of the value (varint), of the count of bytes (bytes, text). */
interface Row {
  readonly id: number;
  readonly name: Name;
  readonly form: Form;
  readonly min: number;
  readonly max: number;
  /** The frames it is meant for, bits of {@link ParameterFrame}. */
  readonly frames: number;
  /** The frames that cannot do without it. */
  readonly required: number;
}

const { HELLO, CHALLENGE, AUTH, WELCOME, REJECT, PARAMS } = ParameterFrame;
const BOTH = HELLO | WELCOME;
const BEAT = BOTH | PARAMS;
const PLACE = BOTH | REJECT;
const P = ParameterId;

function row(
  id: number,
  name: Name,
  form: Form,
  min: number,
  max: number,
  frames: number,
  required: number = 0,
): Row {
  return { id, name, form, min, max, frames, required };
}

/** In the order in which they are written: by id, so that `mac` is the last of any frame that has one. */
const ROWS: readonly Row[] = [
  row(P.DESIRED_TX, "desiredTx", "varint", INTERVAL_MIN, INTERVAL_MAX, BEAT, BOTH),
  row(P.REQUIRED_RX, "requiredRx", "varint", INTERVAL_MIN, INTERVAL_MAX, BEAT, BOTH),
  row(P.MULTIPLIER, "multiplier", "varint", 1, MULTIPLIER_MAX, BEAT, BOTH),
  row(P.MAX_MESSAGE, "maxMessage", "varint", 0, VARINT_MAX, BOTH),
  row(P.CREDIT, "credit", "varint", 0, VARINT_MAX, BOTH),
  row(P.INTEGRITY, "integrity", "varint", 1, 7, BOTH),
  row(P.SESSION, "session", "bytes", 16, 16, BOTH),
  row(P.GENERATION, "generation", "varint", 0, VARINT_MAX, HELLO),
  row(P.INSTANCE, "instance", "bytes", 16, 16, HELLO | REJECT),
  row(P.RECEIVED, "received", "varint", 0, VARINT_MAX, PLACE),
  row(P.FIRST_RETAINED, "firstRetained", "varint", 0, VARINT_MAX, PLACE),
  row(P.SENT, "sent", "varint", 0, VARINT_MAX, PLACE),
  row(P.PROCESSED, "processed", "varint", 0, VARINT_MAX, PLACE),
  row(P.PROOF, "proof", "bytes", 32, 32, HELLO),
  row(P.EPOCH, "epoch", "varint", 0, VARINT_MAX, WELCOME),
  row(P.RESUMED, "resumed", "flag", 0, 1, WELCOME),
  row(P.RESUMABLE, "resumable", "flag", 0, 1, WELCOME),
  row(P.FRESH_ON_LOSS, "freshOnLoss", "flag", 0, 1, HELLO),
  row(P.SECRET, "secret", "bytes", 32, 32, WELCOME),
  row(P.KEY_ID, "keyId", "text", 1, 64, HELLO),
  row(P.MAC, "mac", "bytes", 32, 32, CHALLENGE | AUTH | WELCOME),
  row(P.TOKEN, "token", "bytes", 1, 512, HELLO),
];

const REQUIRED: readonly Row[] = ROWS.filter(({ required }) => required !== 0);

/** Ids are below this, so that they can index {@link BY_ID}. */
const ID_END = 0x40;
const BY_ID: readonly (Row | null)[] = Array.from(
  { length: ID_END },
  (_, id) => ROWS.find((each) => each.id === id) ?? null,
);

/** One value in its form, or what is wrong with it. */
type Value = number | boolean | string | Uint8Array;

function checkNumber(each: Row, value: number, frame: number): string | null {
  if (!(value >= each.min && value <= each.max) || !Number.isInteger(value)) {
    return `${each.name} ${value}, range ${each.min} to ${each.max}`;
  }
  // WELCOME chooses: one bit of those offered.
  if (each.id === P.INTEGRITY && frame === WELCOME && (value & (value - 1)) !== 0) {
    return `${each.name} ${value}, one bit expected`;
  }
  return null;
}

function checkSize(each: Row, size: number): string | null {
  if (size >= each.min && size <= each.max) return null;
  return `${each.name} of ${size} bytes, ${
    each.min === each.max ? each.min : `${each.min} to ${each.max}`
  } expected`;
}

/** Reads one value; a string in the array is what is wrong with it. */
function readValue(each: Row, bytes: Uint8Array, at: number, end: number, frame: number): Value | [string] {
  const size = end - at;
  if (each.form === "varint") {
    const value = readVarint(bytes, at, end);
    if (value === VARINT_EXCESS) return [`${each.name} above 2^53 - 1`];
    if (value < 0 || varintForm(bytes[at]!) !== size) return [`${each.name} is not one varint`];
    const wrong = checkNumber(each, value, frame);
    return wrong === null ? value : [wrong];
  }
  if (each.form === "flag") {
    if (size !== 1 || bytes[at]! > 1) return [`${each.name} is not one byte, 0 or 1`];
    return bytes[at] === 1;
  }
  const wrong = checkSize(each, size);
  if (wrong !== null) return [wrong];
  if (each.form === "bytes") return bytes.slice(at, end);
  return decodeText(bytes, at, end) ?? [`${each.name} is not UTF-8`];
}

/**
 * Reads the parameters that fill `bytes[start..end)`, which end a frame of the kind `frame`. Adds them to `into`; returns
 * what is wrong with the first that is wrong.
 */
export function decodeParameters(
  bytes: Uint8Array,
  start: number,
  end: number,
  frame: number,
  into: Parameters,
): Fault | null {
  const values = into as Record<Name, Value>;
  // What stood before: a bit each of the ids that we may know, and the others.
  let low = 0;
  let high = 0;
  const others: number[] = [];
  let at = start;
  for (let count = 0; at < end; count++) {
    if (count === MAX_PARAMETERS) {
      return fault("FRAME_MALFORMED", `more than ${MAX_PARAMETERS} parameters`);
    }
    const id = readVarint(bytes, at, end);
    if (id < 0) return fault("FRAME_MALFORMED", "a parameter's id ends early");
    at += varintForm(bytes[at]!);
    const size = readVarint(bytes, at, end);
    if (size < 0) return fault("FRAME_MALFORMED", `the length of parameter ${id} ends early`);
    at += varintForm(bytes[at]!);
    if (size > end - at) {
      return fault("FRAME_MALFORMED", `parameter ${id} of ${size} bytes, ${end - at} left`);
    }
    const bit = 1 << (id % 32);
    const twice = id < 32 ? low & bit : id < ID_END ? high & bit : others.includes(id);
    if (twice) return fault("PARAMETER_DUPLICATE", `parameter ${id} stands twice`);
    if (values.mac !== undefined) return fault("PARAMETER_INVALID", "mac is not the last parameter");
    if (id < 32) low |= bit;
    else if (id < ID_END) high |= bit;
    else others.push(id);
    const each = id < ID_END ? BY_ID[id]! : null;
    if (each !== null && (each.frames & frame) !== 0) {
      const value = readValue(each, bytes, at, at + size, frame);
      if (Array.isArray(value)) return fault("PARAMETER_INVALID", value[0]);
      values[each.name] = value;
    }
    at += size;
  }
  for (const each of REQUIRED) {
    if ((each.required & frame) !== 0 && values[each.name] === undefined) {
      return fault("PARAMETER_MISSING", `${each.name} lacks`);
    }
  }
  return null;
}

function misuse(what: string): HeartwireError {
  return new HeartwireError("PARAMETER", what, {
    hint: "A value that the protocol cannot carry was to be sent.",
  });
}

/** Room that the parameters of one frame never pass, bytes. */
export const PARAMETERS_MAX = 1_024;

/**
 * Writes the parameters of a frame of the kind `frame` from `into[at]` on, where {@link PARAMETERS_MAX} bytes are free. Returns where they end.
 * Throws for what the frame cannot carry.
 */
export function encodeParameters(
  parameters: Parameters,
  frame: number,
  into: Uint8Array,
  at: number,
): number {
  for (const each of ROWS) {
    const value: Value | undefined = parameters[each.name];
    if (value === undefined) {
      if ((each.required & frame) !== 0) throw misuse(`parameter ${each.name} lacks`);
      continue;
    }
    if ((each.frames & frame) === 0) throw misuse(`parameter ${each.name} does not belong to this frame`);
    into[at] = each.id; // below 0x40: a varint of one byte
    at = writeValue(each, value, frame, into, at + 1);
  }
  return at;
}

/** Writes a value behind its length. Returns where the next parameter goes. */
function writeValue(each: Row, value: Value, frame: number, into: Uint8Array, at: number): number {
  if (typeof value === "number") {
    must(each.form === "varint" ? checkNumber(each, value, frame) : `${each.name} is a number`);
    return writeVarint(into, writeVarint(into, at, varintSize(value)), value);
  }
  if (typeof value === "boolean") {
    must(each.form === "flag" ? null : `${each.name} is a boolean`);
    into[at] = 1;
    into[at + 1] = value ? 1 : 0;
    return at + 2;
  }
  // With room for one code point too many, so that too long a text is seen and not cut.
  const bytes = typeof value === "string" ? encodeText(value, each.max + 4) : value;
  must(checkSize(each, bytes.length));
  const from = writeVarint(into, at, bytes.length);
  into.set(bytes, from);
  return from + bytes.length;
}

function must(wrong: string | null): void {
  if (wrong !== null) throw misuse(`parameter ${wrong}`);
}

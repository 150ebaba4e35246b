/**
 * Reads the bodies of rarely sent frames (docs/PROTOCOL.md, section 3.1).
 *
 * Rules: a body is read to its last byte, neither more nor less. The reader keeps the first fault and gives zeros from then
 * on, so that a layout below reads like the table in the protocol. Each count is checked against the bytes that are there
 * before anything is made from it.
 *
 * @module
 */

import { type Fault, fault } from "./fault.ts";
import type { ControlFrame } from "./frames.ts";
import { decodeParameters, ParameterFrame, type Parameters } from "./parameters.ts";
import { FrameType, MAX_TEXT, SCOPE_SESSION } from "./registry.ts";
import { decodeText } from "./text.ts";
import { readVarint, VARINT_EXCESS, varintForm } from "./varint.ts";

/** Bytes of a nonce. */
const NONCE_BYTES = 16;

class BodyReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  fault: Fault | null = null;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  #wrong(detail: string): void {
    this.fault ??= fault("FRAME_MALFORMED", detail);
    this.#at = this.#end;
  }

  /** Where `count` bytes begin, or -1. */
  #take(count: number, name: string): number {
    const at = this.#at;
    if (count > this.#end - at) {
      this.#wrong(`${name} of ${count} bytes, ${this.#end - at} left`);
      return -1;
    }
    this.#at = at + count;
    return at;
  }

  byte(name: string): number {
    const at = this.#take(1, name);
    return at < 0 ? 0 : this.#bytes[at]!;
  }

  sequence(): number {
    const at = this.#take(2, "sequence");
    return at < 0 ? 0 : (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  varint(name: string): number {
    const value = readVarint(this.#bytes, this.#at, this.#end);
    if (value < 0) {
      this.#wrong(value === VARINT_EXCESS ? `${name} above 2^53 - 1` : `${name} ends early`);
      return 0;
    }
    this.#at += varintForm(this.#bytes[this.#at]!);
    return value;
  }

  nonce(): Uint8Array {
    const at = this.#take(NONCE_BYTES, "nonce");
    return this.#bytes.slice(Math.max(at, 0), at + NONCE_BYTES);
  }

  text(name: string): string {
    const size = this.varint(`length of ${name}`);
    if (size > MAX_TEXT) this.#wrong(`${name} of ${size} bytes, limit ${MAX_TEXT}`);
    const at = this.fault === null ? this.#take(size, name) : -1;
    if (at < 0) return "";
    const text = decodeText(this.#bytes, at, at + size);
    if (text === null) this.#wrong(`${name} is not UTF-8`);
    return text ?? "";
  }

  /** The rest, as parameters of a frame of this kind. */
  parameters(frame: number): Parameters {
    const parameters: Parameters = {};
    if (this.fault === null) {
      this.fault = decodeParameters(this.#bytes, this.#at, this.#end, frame, parameters);
      this.#at = this.#end;
    }
    return parameters;
  }

  /** What was wrong; bytes that are left over are. */
  finish(): Fault | null {
    if (this.#at < this.#end) this.#wrong(`${this.#end - this.#at} bytes too many`);
    return this.fault;
  }

  reject(detail: string): void {
    this.#wrong(detail);
  }
}

/** Reads the layout of a type; null: no such type. Fields are read in the order in which they are written here. */
function readLayout(type: number, body: BodyReader): ControlFrame | null {
  switch (type) {
    case FrameType.HELLO:
      return { kind: "hello", nonce: body.nonce(), parameters: body.parameters(ParameterFrame.HELLO) };
    case FrameType.CHALLENGE:
      return {
        kind: "challenge",
        nonce: body.nonce(),
        parameters: body.parameters(ParameterFrame.CHALLENGE),
      };
    case FrameType.AUTH:
      return { kind: "auth", parameters: body.parameters(ParameterFrame.AUTH) };
    case FrameType.WELCOME:
      return { kind: "welcome", nonce: body.nonce(), parameters: body.parameters(ParameterFrame.WELCOME) };
    case FrameType.REJECT:
      return {
        kind: "reject",
        code: body.varint("code"),
        retryAfter: body.varint("retry-after"),
        text: body.text("text"),
        parameters: body.parameters(ParameterFrame.REJECT),
      };
    case FrameType.PARAMS:
      return {
        kind: "params",
        serial: body.varint("serial"),
        parameters: body.parameters(ParameterFrame.PARAMS),
      };
    case FrameType.PARAMS_OK:
      return { kind: "paramsOk", serial: body.varint("serial") };
    case FrameType.GOAWAY: {
      const scope = body.byte("scope");
      if (scope > SCOPE_SESSION) body.reject(`scope ${scope}`);
      return {
        kind: "goaway",
        scope,
        code: body.varint("code"),
        retryAfter: body.varint("retry-after"),
        jitter: body.varint("jitter"),
        text: body.text("text"),
        endpoint: body.text("endpoint"),
      };
    }
    case FrameType.CLOSE:
      return {
        kind: "close",
        code: body.varint("code"),
        position: body.varint("position"),
        text: body.text("text"),
      };
    case FrameType.ERROR:
      return { kind: "error", code: body.varint("code"), text: body.text("text") };
    case FrameType.CANCEL:
      return { kind: "cancel", sequence: body.sequence(), id: body.varint("id") };
    default:
      return null;
  }
}

/** Reads the body `bytes[start..end)` of a rarely sent frame; null: no such type. */
export function decodeBody(
  type: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly frame: ControlFrame; readonly fault: Fault | null } | null {
  const body = new BodyReader(bytes, start, end);
  const frame = readLayout(type, body);
  return frame === null ? null : { frame, fault: body.finish() };
}

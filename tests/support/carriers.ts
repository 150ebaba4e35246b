/**
 * Frames that carry payloads as plain values, beside those of the codec, and their bytes: what a peer might send.
 *
 * @module
 */

import type { Environment } from "../../core/environment.ts";
import type { ByteQueue } from "../../core/wire/bytes.ts";
import { seal, writeChunk, writeFrame, writeVolatile } from "../../core/wire/encoder.ts";
import type { ControlFrame } from "../../core/wire/frames.ts";
import { CRC_BYTES, FIRST, FrameType } from "../../core/wire/registry.ts";
import { varintSize } from "../../core/wire/varint.ts";

/** VOLATILE, REQUEST or REPLY. */
export type Carrier =
  | { readonly kind: "volatile"; readonly payload: Uint8Array }
  | {
    readonly kind: "request";
    readonly flags: number;
    readonly sequence: number;
    readonly id: number;
    readonly remaining: number;
    readonly payload: Uint8Array;
  }
  | {
    readonly kind: "reply";
    readonly flags: number;
    readonly sequence: number;
    readonly id: number;
    readonly status: number;
    readonly payload: Uint8Array;
  };

/** Any frame but those that travel often. */
export type AnyFrame = ControlFrame | Carrier;

const PLAIN: Environment = { entropy: () => {} };

/** Writes one. */
export function writeAny(out: ByteQueue, frame: AnyFrame): void {
  if (frame.kind === "volatile") return writeVolatile(out, PLAIN, frame.payload);
  if (frame.kind !== "request" && frame.kind !== "reply") return writeFrame(out, frame);
  const { flags, sequence, id, payload } = frame;
  const first = (flags & FIRST) !== 0;
  const word = frame.kind === "request" ? frame.remaining : frame.status;
  const type = (frame.kind === "request" ? FrameType.REQUEST : FrameType.REPLY) | flags;
  const length = 1 + 2 + (first ? varintSize(id) + varintSize(word) : 0) + payload.length + CRC_BYTES;
  writeChunk(out, type, payload, 0, payload.length, first ? id : -1, word);
  const head = varintSize(length);
  const from = out.at - head - length;
  seal(PLAIN, out.bytes, from, from + head, out.at, sequence);
}

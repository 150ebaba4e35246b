/**
 * What somebody writes by hand who needs messages: four bytes of length, on request a checksum, and for each read one write of all answers.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { checksum } from "../../core/wire/crc32.ts";
import { payloadOf, type Peer } from "./peer.ts";
import { dialBytes } from "./raw.ts";
import { type Answer, listenRaw } from "./sockets.ts";

const environment = { entropy: (): void => {}, crc32 };
const SLAB = 65_536;

function writeFrame(
  out: Uint8Array,
  view: DataView,
  at: number,
  payload: Uint8Array,
  checked: boolean,
): number {
  view.setUint32(at, payload.length);
  out.set(payload, at + 4);
  const end = at + 4 + payload.length;
  if (!checked) return end;
  view.setUint32(end, checksum(environment, out, at, end, 0));
  return end + 4;
}

/** Takes frames from chunks and gives each payload, a view, to `handle`. */
function parser(checked: boolean, handle: (payload: Uint8Array) => void): (chunk: Uint8Array) => void {
  let rest: Uint8Array | null = null;
  const tail = checked ? 4 : 0;
  return (chunk) => {
    const bytes: Uint8Array = rest === null ? chunk : Buffer.concat([rest, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (bytes.length - at >= 4) {
      const end = at + 4 + view.getUint32(at);
      if (end + tail > bytes.length) break;
      if (checked && checksum(environment, bytes, at, end, 0) !== view.getUint32(end)) {
        throw new Error("checksum");
      }
      handle(bytes.subarray(at + 4, end));
      at = end + tail;
    }
    rest = at === bytes.length ? null : bytes.slice(at);
  };
}

function echo(checked: boolean): Answer {
  let slab = new Uint8Array(SLAB);
  let view = new DataView(slab.buffer);
  let begin = 0;
  let used = 0;
  const take = parser(checked, (payload) => {
    const need = payload.length + 8;
    if (used + need > slab.length) {
      const fresh = new Uint8Array(Math.max(SLAB, 2 * (used - begin + need)));
      fresh.set(slab.subarray(begin, used));
      [slab, view, used, begin] = [fresh, new DataView(fresh.buffer), used - begin, 0];
    }
    used = writeFrame(slab, view, used, payload, checked);
  });
  return (chunk) => {
    take(chunk);
    if (used === begin) return null;
    const out = slab.subarray(begin, used);
    begin = used;
    return out;
  };
}

/** The peer. */
export function framed(checked: boolean): Peer {
  return {
    serve: () => listenRaw(() => echo(checked)),
    dial: (options) => {
      const frame = new Uint8Array(options.size + (checked ? 8 : 4));
      writeFrame(frame, new DataView(frame.buffer), 0, payloadOf(options.size), checked);
      return dialBytes(options, frame, frame.length);
    },
  };
}

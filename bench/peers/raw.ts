/**
 * A socket with nothing: bytes go back as they come.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type DialOptions, type Link, payloadOf, type Peer } from "./peer.ts";
import { dialRaw, listenRaw } from "./sockets.ts";

/** A client that writes messages which were made beforehand, `unit` bytes each, and counts bytes. */
export async function dialBytes(
  { port, echoed }: DialOptions,
  message: Uint8Array,
  back: number,
): Promise<Link> {
  let bytes = 0;
  const socket = await dialRaw(port, (chunk) => {
    bytes += chunk.length;
    const whole = Math.floor(bytes / back);
    if (whole === 0) return;
    bytes -= whole * back;
    echoed(whole);
  });
  let many = message;
  return {
    send(count) {
      if (many.length !== count * message.length) many = Buffer.alloc(count * message.length, message);
      socket.write(many);
    },
    beat: () => socket.write(message),
    close: () => socket.close(),
  };
}

/** The peer. Idle connections on Deno get a small buffer. */
export function raw(buffer?: number): Peer {
  return {
    serve: () => listenRaw(() => (bytes) => bytes, buffer),
    dial: (options) => dialBytes(options, payloadOf(options.size), options.size),
  };
}

/**
 * The subjects by name. Each is loaded when it is asked for, so that none weighs on another's memory.
 *
 * @module
 */

import type { Variant } from "./heartwire.ts";
import type { Peer } from "./peer.ts";

/** Messages over heartwire, as they are called in reports. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  "heartwire": {},
  "heartwire, volatile": { volatile: true },
  "heartwire, session": { session: true },
  "heartwire, session, each send awaited": { session: true, awaits: true },
  "heartwire, no checksum": { unchecked: true },
  "heartwire, everything on": { session: true, everything: true },
};

const OTHERS: Readonly<Record<string, () => Promise<Peer>>> = {
  "raw socket": async () => (await import("./raw.ts")).raw(),
  "raw socket, 1 KiB buffer": async () => (await import("./raw.ts")).raw(1_024),
  "framed by hand": async () => (await import("./framed.ts")).framed(false),
  "framed by hand, CRC": async () => (await import("./framed.ts")).framed(true),
  "ws": async () => (await import("./ws.ts")).ws(false),
  "ws, corked by hand": async () => (await import("./ws.ts")).ws(true),
  "socket.io": async () => (await import("./socketio.ts")).socketIo,
  "rsocket-js": async () => (await import("./rsocket.ts")).rsocket,
  "heartwire, requests": async () => (await import("./heartwire_requests.ts")).heartwireRequests,
  "socket.io, requests": async () => (await import("./socketio.ts")).socketIoRequests,
};

/** A subject. */
export async function peerOf(name: string): Promise<Peer> {
  const other = OTHERS[name];
  if (other !== undefined) return await other();
  const variant = VARIANTS[name];
  if (variant === undefined) throw new Error(`no subject is called ${name}`);
  return (await import("./heartwire.ts")).heartwire(variant);
}

/**
 * heartwire's requests and replies, each within a deadline.
 *
 * @module
 */

import { connectAs, listenAs, servedBy } from "./heartwire.ts";
import { type DialOptions, type Link, payloadOf, type Peer, type Served } from "./peer.ts";

/** ms */
const TIMEOUT = 30_000;

async function serve(): Promise<Served> {
  const server = await listenAs({}, (session) => {
    session.onRequest((request) => request.bytes);
    return session.closed;
  });
  return servedBy(server);
}

async function dial({ port, size, echoed }: DialOptions): Promise<Link> {
  const session = await connectAs({}, { port });
  const payload = payloadOf(size);
  const done = (): void => echoed(1);
  return {
    send(count) {
      for (let sent = 0; sent < count; sent++) void session.request(payload, { timeout: TIMEOUT }).then(done);
    },
    close: () => session.abort(),
  };
}

/** The peer. */
export const heartwireRequests: Peer = { serve, dial };

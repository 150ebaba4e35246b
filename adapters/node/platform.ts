/**
 * Node as a platform; its sockets are in ../net.ts.
 *
 * @module
 */

import * as net from "node:net";
import { type Address, localOf, tcpAddress } from "../address.ts";
import { systemClock, systemEnvironment } from "../environment.ts";
import { dial, NetTransport } from "../net.ts";
import type { Listener, ListenerSink, Platform } from "../transport.ts";

/** From so many bytes on zlib's CRC-32 is faster than TypeScript on Node. */
const CRC32_FROM = 200;

/** Node as a platform. */
export const platform: Platform = {
  clock: systemClock,
  environment: systemEnvironment(CRC32_FROM),
  dial,

  listen(address: Address, sink: ListenerSink): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const path = address.kind === "unix" ? address.path : null;
      let local: Address | null = path === null ? null : address;
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        sink.accepted(new NetTransport(socket, path, local));
      });
      server.once("error", reject);
      server.listen(
        address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port },
        () => {
          server.off("error", reject);
          server.on("error", (error) => sink.failed(error));
          const bound = server.address();
          const here = typeof bound === "object" && bound !== null
            ? tcpAddress(bound.address, bound.port)
            : address;
          local = localOf(here);
          resolve({ address: here, close: () => server.close() });
        },
      );
    });
  },
};

/**
 * Node's sockets as transports.
 *
 * What is particular here: `write` takes everything and queues without limit, so a write counts as outstanding until
 * Node has handed it to the kernel; a socket ends itself at the peer's FIN unless `allowHalfOpen`; a reset is `error`, then `close`.
 *
 * @module
 */

import * as net from "node:net";
import { type Address, tcpAddress, unixAddress } from "../address.ts";
import { systemClock, systemEnvironment } from "../environment.ts";
import type { Listener, ListenerSink, Platform, Transport, TransportSink } from "../transport.ts";

/** From so many bytes on zlib's CRC-32 is faster than TypeScript on Node. */
const CRC32_FROM = 200;

class NodeTransport implements Transport {
  readonly remote: Address;
  readonly local: Address;
  readonly #socket: net.Socket;
  #sink: TransportSink | null = null;
  /** Bytes of the outstanding write, and writes whose callback has not come. */
  #outstanding = 0;
  #callbacks = 0;
  #cause: unknown = null;

  constructor(socket: net.Socket, path: string | null) {
    this.#socket = socket;
    // An accepted Unix socket's other end has no name.
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    this.remote = path === null ? tcpAddress(remoteAddress ?? "", remotePort ?? 0) : unixAddress(path);
    this.local = path === null ? tcpAddress(localAddress ?? "", localPort ?? 0) : unixAddress(path);
    socket.setNoDelay(true);
    socket.on("error", (error) => this.#cause = error); // `close` follows
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    // A plain view: Buffer's own `slice` would not copy, and the same code runs on three runtimes.
    this.#socket.on("data", (chunk: Buffer) => {
      this.#sink?.received(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    });
    this.#socket.on("end", () => this.#sink?.eof());
    this.#socket.on("close", () => {
      const told = this.#sink;
      this.#sink = null;
      told?.failed(this.#cause);
    });
  }

  write(bytes: Uint8Array): number {
    this.#callbacks++;
    this.#socket.write(bytes, this.#written);
    // Nothing queued: the kernel took it all within the call.
    if (this.#socket.writableLength === 0) return bytes.length;
    this.#outstanding = bytes.length;
    return 0;
  }

  readonly #written = (error?: Error | null): void => {
    if (--this.#callbacks > 0 || this.#outstanding === 0 || error) return;
    const count = this.#outstanding;
    this.#outstanding = 0;
    this.#sink?.wrote(count);
  };

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#sink = null;
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

/** Node as a platform. */
export const platform: Platform = {
  clock: systemClock,
  environment: systemEnvironment(CRC32_FROM),

  dial(address, dialed, failed) {
    const socket = address.kind === "unix"
      ? net.connect({ path: address.path, allowHalfOpen: true })
      : net.connect({ host: address.host, port: address.port, allowHalfOpen: true, noDelay: true });
    let over = false;
    const onConnect = (): void => {
      over = true;
      socket.off("error", onError);
      dialed(new NodeTransport(socket, address.kind === "unix" ? address.path : null));
    };
    const onError = (error: Error): void => {
      socket.off("connect", onConnect);
      failed(error);
    };
    socket.once("connect", onConnect);
    socket.once("error", onError);
    return () => {
      if (over) return;
      socket.off("connect", onConnect);
      socket.off("error", onError);
      socket.on("error", () => {}); // one that is under way has nobody to tell
      socket.destroy();
    };
  },

  listen(address: Address, sink: ListenerSink): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const path = address.kind === "unix" ? address.path : null;
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        sink.accepted(new NodeTransport(socket, path));
      });
      server.once("error", reject);
      server.listen(
        address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port },
        () => {
          server.off("error", reject);
          server.on("error", (error) => sink.failed(error));
          const bound = server.address();
          resolve({
            address: typeof bound === "object" && bound !== null
              ? tcpAddress(bound.address, bound.port)
              : address,
            close: () => server.close(),
          });
        },
      );
    });
  },
};

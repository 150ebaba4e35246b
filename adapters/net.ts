/**
 * `node:net`'s sockets as transports: all of Node's, and those that Bun dials.
 *
 * What is particular here: `write` takes everything and queues without limit, so a write counts as outstanding until
 * it was handed to the kernel; a socket ends itself at the peer's FIN unless `allowHalfOpen`; a reset is `error`, then `close`.
 *
 * @module
 */

import * as net from "node:net";
import { type Address, tcpAddress, unixAddress } from "./address.ts";
import type { Transport, TransportSink } from "./transport.ts";

/** One socket of `node:net`. */
export class NetTransport implements Transport {
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

/** Dials as a platform has to; see transport.ts. */
export function dial(
  address: Address,
  dialed: (transport: Transport) => void,
  failed: (cause: unknown) => void,
): () => void {
  const socket = address.kind === "unix"
    ? net.connect({ path: address.path, allowHalfOpen: true })
    : net.connect({ host: address.host, port: address.port, allowHalfOpen: true, noDelay: true });
  let over = false;
  const onConnect = (): void => {
    over = true;
    socket.off("error", onError);
    dialed(new NetTransport(socket, address.kind === "unix" ? address.path : null));
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
}

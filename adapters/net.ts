/**
 * `node:net`'s sockets as transports: all of Node's, and those that Bun dials.
 *
 * What is particular here: `write` takes everything and queues without limit, so a write counts as outstanding until
 * it was handed to the kernel; a socket ends itself at the peer's FIN unless `allowHalfOpen`; a reset is `error`, then `close`.
 *
 * Rule: no function of a socket's own, but while it is congested. Listeners are the same for all, and find their transport at the socket.
 *
 * @module
 */

import * as net from "node:net";
import { type Address, tcpAddress, unixAddress } from "./address.ts";
import type { Transport, TransportSink } from "./transport.ts";

/** Behind a write that the kernel did not take at once: its callback comes when that is over. */
const BEHIND = new Uint8Array(0);

/** Where a socket's transport is. */
const TRANSPORT: unique symbol = Symbol("transport");

interface Carrier extends net.Socket {
  [TRANSPORT]?: NetTransport;
}

function onError(this: Carrier, cause: Error): void {
  this[TRANSPORT]!.broke(cause);
}

function onData(this: Carrier, chunk: Uint8Array): void {
  this[TRANSPORT]!.received(chunk);
}

function onEnd(this: Carrier): void {
  this[TRANSPORT]!.ended();
}

function onClose(this: Carrier): void {
  this[TRANSPORT]!.closed();
}

/** One socket of `node:net`. */
export class NetTransport implements Transport {
  readonly remote: Address;
  readonly local: Address;
  readonly #socket: net.Socket;
  #sink: TransportSink | null = null;
  #cause: unknown = null;

  /** @param local its own address, where that is known without asking */
  constructor(socket: Carrier, path: string | null, local: Address | null = null) {
    this.#socket = socket;
    // An accepted Unix socket's other end has no name.
    const { remoteAddress, remotePort } = socket;
    this.remote = path === null ? tcpAddress(remoteAddress ?? "", remotePort ?? 0) : unixAddress(path);
    this.local = local ??
      (path === null ? tcpAddress(socket.localAddress ?? "", socket.localPort ?? 0) : unixAddress(path));
    socket.setNoDelay(true);
    socket[TRANSPORT] = this;
    socket.on("error", onError);
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    this.#socket.on("data", onData).on("end", onEnd).on("close", onClose);
  }

  /** Bytes came. */
  received(chunk: Uint8Array): void {
    // A plain view: Buffer's own `slice` would not copy, and the same code runs on three runtimes.
    this.#sink?.received(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  /** The peer ended its direction. */
  ended(): void {
    this.#sink?.eof();
  }

  /** Something went wrong; {@link NetTransport.closed} follows. */
  broke(cause: unknown): void {
    this.#cause = cause;
  }

  /** The socket is gone. */
  closed(): void {
    const sink = this.#sink;
    this.#sink = null;
    sink?.failed(this.#cause);
  }

  write(bytes: Uint8Array): number {
    const socket = this.#socket;
    socket.write(bytes);
    // Nothing queued: the kernel took it all within the call.
    if (socket.writableLength === 0) return bytes.length;
    // A callback for each write would be a function of each socket's own.
    socket.write(BEHIND, (error) => {
      if (!error) this.#sink?.wrote(bytes.length);
    });
    return 0;
  }

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

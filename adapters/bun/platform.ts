/**
 * Bun's sockets as transports: those that it accepts. It dials by `node:net`, because a dial by `Bun.connect` cannot be cancelled
 * and keeps the process alive until the kernel gives up.
 *
 * What is particular here: `write` takes what fits and keeps nothing, and after a full one a smaller may be taken, so
 * nothing is written before `drain`; `end()` can lose what was taken, so our direction is ended by `shutdown()`, after which the
 * peer's end comes as `close` alone.
 *
 * @module
 */

import { type Address, localOf, tcpAddress, unixAddress } from "../address.ts";
import { systemClock, systemEnvironment } from "../environment.ts";
import { dial } from "../net.ts";
import type { Listener, ListenerSink, Platform, Transport, TransportSink } from "../transport.ts";
import type { BunApi, BunHandlers, BunSocket, BunTarget } from "./types.ts";

const { Bun: bun } = globalThis as unknown as { Bun: BunApi };

/** From so many bytes on zlib's CRC-32 is faster than TypeScript on Bun. */
const CRC32_FROM = 190;

type Socket = BunSocket<BunTransport | null>;

class BunTransport implements Transport {
  readonly remote: Address;
  readonly local: Address;
  readonly #socket: Socket;
  #sink: TransportSink | null = null;
  #full = false;
  #eof = false;

  constructor(socket: Socket, path: string | null, local: Address | null) {
    this.#socket = socket;
    const { remoteAddress, remotePort } = socket;
    this.remote = path === null ? tcpAddress(remoteAddress ?? "", remotePort ?? 0) : unixAddress(path);
    this.local = local ??
      (path === null ? tcpAddress(socket.localAddress ?? "", socket.localPort ?? 0) : unixAddress(path));
    if (path === null) socket.setNoDelay(true);
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
  }

  received(bytes: Uint8Array): void {
    this.#sink?.received(bytes);
  }

  eof(): void {
    if (this.#eof) return;
    this.#eof = true;
    this.#sink?.eof();
  }

  drained(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#sink?.wrote(0);
  }

  closed(cause: unknown): void {
    if (cause === undefined) this.eof();
    const sink = this.#sink;
    this.#sink = null;
    sink?.failed(cause ?? null);
  }

  write(bytes: Uint8Array): number {
    const count = Math.max(0, this.#socket.write(bytes));
    this.#full = count < bytes.length;
    return count;
  }

  end(): void {
    this.#socket.shutdown();
  }

  destroy(): void {
    this.#sink = null;
    this.#socket.terminate();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

function handlers(
  path: string | null,
  local: () => Address | null,
  opened: (transport: BunTransport) => void,
): BunHandlers<BunTransport | null> {
  return {
    binaryType: "uint8array",
    open: (socket) => {
      socket.data = new BunTransport(socket, path, local());
      opened(socket.data);
    },
    data: (socket, bytes) => socket.data?.received(bytes),
    end: (socket) => socket.data?.eof(),
    close: (socket, error) => socket.data?.closed(error),
    error: (socket, error) => socket.data?.closed(error),
    drain: (socket) => socket.data?.drained(),
  };
}

function targetOf(address: Address): BunTarget {
  return address.kind === "unix" ? { unix: address.path } : { hostname: address.host, port: address.port };
}

/** Bun as a platform. */
export const platform: Platform = {
  clock: systemClock,
  environment: systemEnvironment(CRC32_FROM),

  dial,

  // What the runtime's listen throws becomes a rejection.
  listen: (address: Address, sink: ListenerSink): Promise<Listener> =>
    new Promise((resolve) => {
      const path = address.kind === "unix" ? address.path : null;
      let local: Address | null = null;
      const socket = handlers(path, () => local, (transport) => sink.accepted(transport));
      const listener = bun.listen({ ...targetOf(address), allowHalfOpen: true, socket });
      const here = path === null ? tcpAddress(listener.hostname, listener.port) : address;
      local = localOf(here);
      resolve({ address: here, close: () => listener.stop(false) });
    }),
};

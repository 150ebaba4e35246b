/**
 * Deno's sockets as transports.
 *
 * What is particular here: reading is a loop of promises into a buffer of ours, which grows only for connections that fill it
 * (64 KiB for each of 10,000 idle ones is 600 MB); writes may be short; a reset rejects the read.
 *
 * @module
 */

import { type Address, tcpAddress, unixAddress } from "../address.ts";
import { systemClock, systemEnvironment } from "../environment.ts";
import type { Listener, ListenerSink, Platform, Transport, TransportSink } from "../transport.ts";
import type { DenoAddr, DenoApi, DenoConn, DenoListener, DenoTarget } from "./types.ts";

const { Deno: deno } = globalThis as unknown as { Deno: DenoApi };

/** From so many bytes on zlib's CRC-32 is faster than TypeScript on Deno. */
const CRC32_FROM = 112;
/** The same for HMAC-SHA-256: below it the call into node:crypto costs twice what core does. */
const HMAC_FROM = 1_000;
/** Ten heartbeats, or a HELLO: what an idle connection holds. */
const READ_MIN = 256;
const READ_MAX = 65_536;
/** After so many reads in a row that fill less than an eighth, the buffer is halved. */
const READ_SMALL = 16;
/**
 * A dial that is given up is left to itself for so long before it is aborted, ms. Aborted in the moment in which it succeeds, Deno
 * rejects and leaves the socket open with nobody to close it (1 of 100 on loopback).
 */
const ABORT_GRACE = 1_000;
/** Pause before accepting goes on after an error that is not ours to judge (no file descriptor left), ms. */
const ACCEPT_PAUSE = 50;

function addressOf(addr: DenoAddr, path: string | null): Address {
  return path === null ? tcpAddress(addr.hostname ?? "", addr.port ?? 0) : unixAddress(path);
}

function targetOf(address: Address): DenoTarget {
  return address.kind === "unix"
    ? { transport: "unix", path: address.path }
    : { transport: "tcp", hostname: address.host, port: address.port };
}

class DenoTransport implements Transport {
  readonly remote: Address;
  readonly local: Address;
  readonly #conn: DenoConn;
  #sink: TransportSink | null = null;
  #paused = false;
  #wake: (() => void) | null = null;

  constructor(conn: DenoConn, path: string | null) {
    this.#conn = conn;
    this.remote = addressOf(conn.remoteAddr, path);
    this.local = addressOf(conn.localAddr, path);
    try {
      conn.setNoDelay?.(true);
    } catch {
      // It was reset already; the first read says so.
    }
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    this.#read().catch((error) => this.#fail(error));
  }

  async #read(): Promise<void> {
    let buffer = new Uint8Array(READ_MIN);
    let small = 0;
    for (;;) {
      while (this.#paused) await new Promise<void>((resolve) => this.#wake = resolve);
      if (this.#sink === null) return;
      const count = await this.#conn.read(buffer);
      const sink: TransportSink | null = this.#sink;
      if (sink === null) return;
      if (count === null) return sink.eof();
      sink.received(buffer.subarray(0, count));
      if (count === buffer.length && count < READ_MAX) buffer = new Uint8Array(4 * count);
      small = count * 8 < buffer.length ? small + 1 : 0;
      if (small === READ_SMALL && buffer.length > READ_MIN) buffer = new Uint8Array(buffer.length / 2);
      if (small === READ_SMALL) small = 0;
    }
  }

  #fail(cause: unknown): void {
    const sink = this.#sink;
    this.#sink = null;
    sink?.failed(cause);
  }

  write(bytes: Uint8Array): number {
    this.#conn.write(bytes).then((count) => this.#sink?.wrote(count), (error) => this.#fail(error));
    return 0;
  }

  end(): void {
    this.#conn.closeWrite().catch(() => {}); // what is wrong shows in the read
  }

  destroy(): void {
    this.#sink = null;
    this.resume();
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake?.();
    this.#wake = null;
  }
}

async function acceptAll(
  listener: DenoListener,
  path: string | null,
  isOpen: () => boolean,
  sink: ListenerSink,
): Promise<void> {
  while (isOpen()) {
    try {
      const conn = await listener.accept();
      if (isOpen()) sink.accepted(new DenoTransport(conn, path));
      else conn.close();
    } catch {
      if (isOpen()) await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE));
    }
  }
}

/** Deno as a platform. */
export const platform: Platform = {
  clock: systemClock,
  environment: systemEnvironment(CRC32_FROM, HMAC_FROM),

  dial(address, dialed, failed) {
    const controller = new AbortController();
    let state: "dialling" | "unwanted" | "over" = "dialling";
    let grace: ReturnType<typeof setTimeout> | undefined;
    deno.connect({ ...targetOf(address), signal: controller.signal }).then((conn) => {
      clearTimeout(grace);
      if (state === "unwanted") return conn.close();
      state = "over";
      dialed(new DenoTransport(conn, address.kind === "unix" ? address.path : null));
    }, (error) => {
      clearTimeout(grace);
      if (state === "unwanted") return;
      state = "over";
      failed(error);
    });
    return () => {
      if (state !== "dialling") return;
      state = "unwanted";
      grace = setTimeout(() => controller.abort(), ABORT_GRACE);
    };
  },

  // What the runtime's listen throws becomes a rejection.
  listen: (address: Address, sink: ListenerSink): Promise<Listener> =>
    new Promise((resolve) => {
      const path = address.kind === "unix" ? address.path : null;
      const listener = deno.listen(targetOf(address));
      let open = true;
      void acceptAll(listener, path, () => open, sink);
      resolve({
        address: addressOf(listener.addr, path),
        close: () => {
          open = false;
          listener.close();
        },
      });
    }),
};

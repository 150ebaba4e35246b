/**
 * The adapter of the runtime that runs this, and what contract tests need of the operating system.
 *
 * Rule: peers that do not speak heartwire are made with `node:net`, which all three runtimes have, so that an adapter is never
 * tested against itself alone.
 *
 * @module
 */

import { rmSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Address, Session } from "../../adapters/api.ts";
import type { Platform } from "../../adapters/transport.ts";
import { ROOT, type Runtime } from "./runtimes.ts";

/** The runtime that runs this. */
export const runtime: Runtime = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

const adapter = await import(
  `../../adapters/${runtime}/mod.ts`
) as typeof import("../../adapters/node/mod.ts");
/** `connect` of this runtime. */
export const connect: typeof adapter.connect = adapter.connect;
/** `listen` of this runtime. */
export const listen: typeof adapter.listen = adapter.listen;
/** Everything that this runtime's module exports. */
export const everything: Readonly<Record<string, unknown>> = adapter;

/** The sockets of this runtime. */
export const platform: Platform =
  (await import(`../../adapters/${runtime}/platform.ts`) as { platform: Platform }).platform;

let count = 0;

/** A path for a Unix socket that nobody uses. */
export function socketPath(): string {
  const path = join(tmpdir(), `heartwire-${process.pid}-${runtime}-${++count}.sock`);
  rmSync(path, { force: true });
  return path;
}

/** Where to listen: each kind of address, and how to make one. */
export const PLACES: readonly (readonly [string, () => string])[] = [
  ["tcp", () => "heartwire://127.0.0.1:0"],
  ["unix", () => `heartwire+unix://${socketPath()}`],
];

/** How `node:net` dials an address. */
export function netOptions(address: Address): net.NetConnectOpts {
  return address.kind === "unix"
    ? { path: address.path, allowHalfOpen: true }
    : { host: address.host, port: address.port, allowHalfOpen: true };
}

/** A raw socket to an address. */
export function rawConnect(address: Address): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(netOptions(address));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

/** What a raw socket gives until its end, at most `limit` ms. */
export function rawRead(socket: net.Socket, limit = 5_000): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    const timer = setTimeout(() => reject(new Error(`no end after ${limit} ms`)), limit);
    socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    const over = (): void => {
      clearTimeout(timer);
      const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const chunk of chunks) {
        all.set(chunk, at);
        at += chunk.length;
      }
      resolve(all);
    };
    socket.once("end", over);
    socket.once("close", over);
  });
}

/** A server of raw sockets on a free port. */
export class RawServer {
  readonly sockets: net.Socket[] = [];
  readonly #server: net.Server;

  constructor(server: net.Server) {
    this.#server = server;
  }

  /** Where it listens. */
  get url(): string {
    return `heartwire://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  static listen(accepted: (socket: net.Socket) => void = () => {}): Promise<RawServer> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      raw.sockets.push(socket);
      accepted(socket);
    });
    const raw = new RawServer(server);
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(raw)));
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** A forwarder between clients and a server that can fall silent: it goes on reading, and passes nothing on. */
export class Proxy {
  readonly raw: RawServer;
  /** Passes nothing on, either way. */
  silent = false;
  readonly #upstream: net.Socket[] = [];

  private constructor(raw: RawServer) {
    this.raw = raw;
  }

  static async to(target: Address): Promise<Proxy> {
    const raw = await RawServer.listen((client) => {
      const upstream = net.connect(netOptions(target));
      proxy.#upstream.push(upstream);
      upstream.on("error", () => client.destroy());
      for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
        from.on("data", (chunk: Uint8Array) => {
          if (!proxy.silent) to.write(chunk);
        });
        from.on("end", () => {
          if (!proxy.silent) to.end();
        });
        from.on("close", () => {
          if (!proxy.silent) to.destroy();
        });
      }
    });
    const proxy = new Proxy(raw);
    return proxy;
  }

  get url(): string {
    return this.raw.url;
  }

  /** Both ends of every connection are reset. */
  reset(): void {
    for (const socket of [...this.raw.sockets, ...this.#upstream]) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#upstream) socket.destroy();
    await this.raw.close();
  }
}

/** Waits for something that has no promise, at most `limit` ms. */
export async function eventually(what: string, holds: () => boolean, limit = 10_000): Promise<void> {
  const end = performance.now() + limit;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await pause(5);
  }
}

/** Lets real time pass, ms. */
export function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}

/** The code with which a promise was rejected, without its prefix; "fulfilled" if it was not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "fulfilled";
  } catch (error) {
    const { code } = error as { code?: string };
    return code?.startsWith("ERR_HEARTWIRE_") ? code.slice(14) : String(error);
  }
}

/** The next message's text. */
export async function nextText(session: Session): Promise<string> {
  const { done, value } = await session.messages().next();
  if (done) throw new Error("the session ended");
  return value.text();
}

/** Sends back what it gets. */
export async function echo(session: Session): Promise<void> {
  for await (const message of session) await session.send(message.bytes);
}

/** Path of a file of the tests. */
export function testFile(path: string): string {
  return join(ROOT, "tests", path);
}

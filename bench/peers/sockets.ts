/**
 * The sockets of each runtime with nothing around them: the limit that everything else is compared with.
 *
 * Rules: a server gives what came to a function and writes what that returns, once for each read. Only what a runtime takes in part is kept.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import * as net from "node:net";
import { runtimeOf } from "./runtime.ts";

/** What is to be written for what came; null: nothing. What comes is borrowed. */
export type Answer = (bytes: Uint8Array) => Uint8Array | null;

/** A listening server. */
export interface RawServer {
  readonly port: number;
  established(): number;
}

/** A client's socket. */
export interface RawSocket {
  write(bytes: Uint8Array): void;
  close(): void;
}

interface BunSocket {
  data: { answer: Answer; rest: Uint8Array | null };
  write(bytes: Uint8Array): number;
  terminate(): void;
  setNoDelay(on: boolean): void;
}
interface BunApi {
  listen(options: object): { readonly port: number };
  connect(options: object): Promise<BunSocket>;
}
interface DenoConn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
  setNoDelay(on: boolean): void;
}
interface DenoApi {
  listen(options: object): { readonly addr: { port: number }; accept(): Promise<DenoConn> };
  connect(options: object): Promise<DenoConn>;
}
const { Bun, Deno } = globalThis as unknown as { Bun: BunApi; Deno: DenoApi };
const HOST = "127.0.0.1";
/** What Deno reads at a time for few busy connections, and for many idle ones. */
const DENO_READ = 65_536;

/** Listens with the runtime's own sockets; `make` is called for each. `buffer` is what Deno reads at a time. */
export function listenRaw(make: () => Answer, buffer = DENO_READ): Promise<RawServer> {
  switch (runtimeOf()) {
    case "node":
      return listenNode(make);
    case "bun":
      return Promise.resolve(listenBun(make));
    case "deno":
      return Promise.resolve(listenDeno(make, buffer));
  }
}

/** Listens with `node:net`. */
export function listenNode(make: () => Answer): Promise<RawServer> {
  let established = 0;
  const server = net.createServer({ noDelay: true }, (socket) => {
    established++;
    const answer = make();
    socket.on("data", (chunk: Buffer) => {
      const out = answer(chunk);
      if (out !== null) socket.write(out);
    });
    socket.on("error", () => {});
    socket.on("close", () => established--);
  });
  return new Promise((resolve) =>
    server.listen({ port: 0, host: HOST, backlog: 4_096 }, () => {
      resolve({ port: (server.address() as net.AddressInfo).port, established: () => established });
    })
  );
}

/** Writes what a full socket leaves over when there is room again. */
function writeBun(socket: BunSocket, bytes: Uint8Array): void {
  const { data } = socket;
  if (data.rest !== null) {
    data.rest = Buffer.concat([data.rest, bytes]);
    return;
  }
  const count = Math.max(0, socket.write(bytes));
  if (count < bytes.length) data.rest = bytes.slice(count);
}

function drainBun(socket: BunSocket): void {
  const { rest } = socket.data;
  if (rest === null) return;
  socket.data.rest = null;
  writeBun(socket, rest);
}

function listenBun(make: () => Answer): RawServer {
  let established = 0;
  const { port } = Bun.listen({
    hostname: HOST,
    port: 0,
    socket: {
      binaryType: "uint8array",
      open(socket: BunSocket) {
        established++;
        socket.data = { answer: make(), rest: null };
        socket.setNoDelay(true);
      },
      data(socket: BunSocket, bytes: Uint8Array) {
        const out = socket.data.answer(bytes);
        if (out !== null) writeBun(socket, out);
      },
      drain: drainBun,
      close() {
        established--;
      },
      error() {},
    },
  });
  return { port, established: () => established };
}

async function writeDeno(conn: DenoConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(at === 0 ? bytes : bytes.subarray(at));
}

async function serveDeno(conn: DenoConn, answer: Answer, size: number): Promise<void> {
  conn.setNoDelay(true);
  const buffer = new Uint8Array(size);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return;
    const out = answer(buffer.subarray(0, count));
    if (out !== null) await writeDeno(conn, out);
  }
}

function listenDeno(make: () => Answer, buffer: number): RawServer {
  let established = 0;
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const accept = async (): Promise<void> => {
    for (;;) {
      const conn = await listener.accept();
      established++;
      void serveDeno(conn, make(), buffer).catch(() => {}).then(() => {
        established--;
        conn.close();
      });
    }
  };
  void accept();
  return { port: listener.addr.port, established: () => established };
}

/** Dials with the runtime's own sockets. */
export function dialRaw(port: number, data: (bytes: Uint8Array) => void): Promise<RawSocket> {
  switch (runtimeOf()) {
    case "node":
      return dialNode(port, data);
    case "bun":
      return dialBun(port, data);
    case "deno":
      return dialDeno(port, data);
  }
}

/** Dials with `node:net`. */
export function dialNode(port: number, data: (bytes: Uint8Array) => void): Promise<RawSocket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: HOST, noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject).on("error", () => {});
      socket.on("data", data);
      // A reset leaves no port behind that waits for a minute.
      resolve({ write: (bytes) => void socket.write(bytes), close: () => void socket.resetAndDestroy() });
    });
  });
}

async function dialBun(port: number, data: (bytes: Uint8Array) => void): Promise<RawSocket> {
  const socket = await Bun.connect({
    hostname: HOST,
    port,
    data: { answer: () => null, rest: null },
    socket: {
      binaryType: "uint8array",
      data: (_socket: BunSocket, bytes: Uint8Array) => data(bytes),
      drain: drainBun,
      close() {},
      error() {},
    },
  });
  socket.data ??= { answer: () => null, rest: null };
  socket.setNoDelay(true);
  return { write: (bytes) => writeBun(socket, bytes), close: () => socket.terminate() };
}

async function dialDeno(port: number, data: (bytes: Uint8Array) => void): Promise<RawSocket> {
  const conn = await Deno.connect({ hostname: HOST, port });
  conn.setNoDelay(true);
  const read = async (): Promise<void> => {
    const buffer = new Uint8Array(DENO_READ);
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      data(buffer.subarray(0, count));
    }
  };
  read().catch(() => {});
  let last: Promise<void> = Promise.resolve();
  let busy = 0;
  return {
    write: (bytes) => {
      busy++;
      const next = busy === 1 ? writeDeno(conn, bytes) : last.then(() => writeDeno(conn, bytes));
      last = next.catch(() => {}).then(() => void busy--);
    },
    close: () => conn.close(),
  };
}

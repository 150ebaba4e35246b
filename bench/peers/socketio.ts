/**
 * `socket.io` over WebSocket alone, nothing compressed. The client is its own.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { loadPackage, versionOf } from "./packages.ts";
import { type DialOptions, type Link, payloadOf, type Peer, type Served } from "./peer.ts";

interface Socket {
  on(event: string, listener: (...values: never[]) => void): void;
  emit(event: string, ...values: unknown[]): void;
  disconnect(): void;
}
interface Io extends Socket {
  readonly engine: { readonly clientsCount: number };
}

/** Name and version. */
export function socketIoVersion(): string {
  return versionOf("socket.io");
}

function serve(): Promise<Served> {
  const { Server } = loadPackage<{ Server: new (http: object, options: object) => Io }>("socket.io");
  const http = createServer();
  const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });
  io.on("connection", (socket: Socket) => {
    socket.on("m", (data: Uint8Array) => socket.emit("m", data));
    socket.on("r", (data: Uint8Array, reply: (data: Uint8Array) => void) => reply(data));
  });
  return new Promise((resolve) =>
    http.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () =>
      resolve({
        port: (http.address() as AddressInfo).port,
        established: () => io.engine.clientsCount,
      }))
  );
}

async function open(port: number): Promise<Socket> {
  const { io } = loadPackage<{ io: (url: string, options: object) => Socket }>("socket.io-client");
  const socket = io(`ws://127.0.0.1:${port}`, {
    transports: ["websocket"],
    forceNew: true,
    reconnection: false,
  });
  await new Promise<void>((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  return socket;
}

async function dial({ port, size, echoed }: DialOptions): Promise<Link> {
  const socket = await open(port);
  const payload = Buffer.from(payloadOf(size));
  socket.on("m", () => echoed(1));
  return {
    send(count) {
      for (let sent = 0; sent < count; sent++) socket.emit("m", payload);
    },
    close: () => socket.disconnect(),
  };
}

async function dialRequests({ port, size, echoed }: DialOptions): Promise<Link> {
  const socket = await open(port);
  const payload = Buffer.from(payloadOf(size));
  return {
    send(count) {
      for (let sent = 0; sent < count; sent++) socket.emit("r", payload, () => echoed(1));
    },
    close: () => socket.disconnect(),
  };
}

/** Messages. */
export const socketIo: Peer = { serve, dial };

/** Requests, each with its acknowledgement. */
export const socketIoRequests: Peer = { serve, dial: dialRequests };

/**
 * `ws`: as it is, and with the writes of a read gathered by hand, as its users do who know. Nothing is compressed.
 *
 * The client is a socket that speaks WebSocket: frames made beforehand, masked as a client has to.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { load, versionOf } from "./packages.ts";
import { type DialOptions, type Link, payloadOf, type Peer, type Served } from "./peer.ts";
import { dialRaw } from "./sockets.ts";

interface Socket {
  readonly _socket: { cork(): void; uncork(): void };
  send(data: Uint8Array, options: { binary: boolean }): void;
  on(event: "message", listener: (data: Uint8Array) => void): void;
  on(event: "ping", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}
interface WsServer {
  readonly clients: { readonly size: number };
  on(event: "connection", listener: (socket: Socket) => void): void;
  on(event: "listening", listener: () => void): void;
  address(): { port: number };
}

const MASK = [0x12, 0x34, 0x56, 0x78];
const TEXT = "GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** Name and version. */
export function wsVersion(): string {
  return versionOf("ws");
}

function serve(corked: boolean): Promise<Served> {
  const WebSocketServer = load<new (options: object) => WsServer>("ws/lib/websocket-server.js");
  const server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    perMessageDeflate: false,
    backlog: 4_096,
  });
  let beats = 0;
  server.on("connection", (socket) => {
    let gathers = false;
    socket.on("error", () => {});
    socket.on("ping", () => beats++);
    socket.on("message", (data) => {
      if (corked && !gathers) {
        gathers = true;
        socket._socket.cork();
        process.nextTick(() => {
          gathers = false;
          socket._socket.uncork();
        });
      }
      socket.send(data, { binary: true });
    });
  });
  return new Promise((resolve) =>
    server.on("listening", () =>
      resolve({
        port: server.address().port,
        established: () => server.clients.size,
        beats: () => beats,
      }))
  );
}

/** A frame as a client sends it. */
export function maskedFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const size = length < 126
    ? [length]
    : length < 65_536
    ? [126, length >> 8, length & 255]
    : [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  size[0]! |= 0x80;
  return Uint8Array.from([
    0x80 | opcode,
    ...size,
    ...MASK,
    ...payload.map((byte, at) => byte ^ MASK[at & 3]!),
  ]);
}

/** Bytes of a server's frame. */
function frameSize(length: number): number {
  return length + (length < 126 ? 2 : length < 65_536 ? 4 : 10);
}

async function dial({ port, size, echoed }: DialOptions): Promise<Link> {
  const message = maskedFrame(2, payloadOf(size));
  const ping = maskedFrame(9, payloadOf(8));
  const back = frameSize(size);
  let upgraded: (() => void) | null = null;
  let head = "";
  let bytes = 0;
  let pongs = 0;
  const ready = new Promise<void>((resolve) => upgraded = resolve);
  const socket = await dialRaw(port, (chunk) => {
    let { length } = chunk;
    if (upgraded !== null) {
      head += Buffer.from(chunk).toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (!head.startsWith("HTTP/1.1 101")) throw new Error(head.slice(0, 60));
      length = head.length - end - 4;
      upgraded();
      upgraded = null;
    }
    bytes += length;
    // Who beats sends no messages.
    if (pongs > 0) return;
    const whole = Math.floor(bytes / back);
    bytes -= whole * back;
    if (whole > 0) echoed(whole);
  });
  socket.write(Buffer.from(TEXT));
  await ready;
  let many: Uint8Array = message;
  return {
    send(count) {
      if (many.length !== count * message.length) many = Buffer.alloc(count * message.length, message);
      socket.write(many);
    },
    beat() {
      pongs++;
      socket.write(ping);
    },
    close: () => socket.close(),
  };
}

/** The peer. */
export function ws(corked: boolean): Peer {
  return { serve: () => serve(corked), dial };
}

/**
 * heartwire itself, through its public API: `listen`, `connect`, `onMessage`.
 *
 * @module
 */

import { connectOn } from "../../adapters/connect.ts";
import type { Server, SessionHandler } from "../../adapters/listen.ts";
import { listenOn } from "../../adapters/listen.ts";
import type { ConnectOptions, ListenOptions } from "../../adapters/options.ts";
import type { Session } from "../../adapters/session.ts";
import type { Platform } from "../../adapters/transport.ts";
import type { HeartbeatOptions } from "../../core/mod.ts";
import { type DialOptions, type Link, payloadOf, type Peer, type ServeOptions } from "./peer.ts";
import { runtimeOf } from "./runtime.ts";

/** What is measured of it. */
export interface Variant {
  /** Messages are volatile: at most once, nothing kept. */
  readonly volatile?: boolean;
  /** The session goes on over one connection after another: what is sent is kept until the peer has processed it. */
  readonly session?: boolean;
  /** The server's handler waits for each `send`, as the guide shows. */
  readonly awaits?: boolean;
  /** No checksum is computed of what is longer than a heartbeat: to show what it costs. */
  readonly unchecked?: boolean;
  /** The learning detector, and a budget of heartbeats. */
  readonly everything?: boolean;
}

const ROOM = 20_000;
/** A busy machine takes its time, which is no fault of what is measured, ms. */
const PATIENCE = 120_000;
/** Nothing is to beat while something else is measured. */
const QUIET = 120_000;

/** The runtime's platform. */
export async function platformOf({ unchecked }: Variant = {}): Promise<Platform> {
  const modules = {
    node: () => import("../../adapters/node/platform.ts"),
    deno: () => import("../../adapters/deno/platform.ts"),
    bun: () => import("../../adapters/bun/platform.ts"),
  };
  const { platform }: { platform: Platform } = await modules[runtimeOf()]();
  if (unchecked !== true) return platform;
  return { ...platform, environment: { ...platform.environment, crc32: () => 0, crc32From: 64 } };
}

function heartbeatOf({ everything }: Variant, interval = QUIET): HeartbeatOptions {
  return {
    interval,
    minimumInterval: Math.min(interval, 100),
    // The clients' process may be late on a busy machine; nobody is to die of that.
    multiplier: 40,
    maximumDetection: 40 * QUIET,
    ...(everything === true ? { detector: "accrual" } : {}),
  };
}

function sendVolatile(session: Session, bytes: Uint8Array): void {
  if (!session.sendVolatile(bytes)) throw new Error("a volatile message was dropped");
}

function handlerOf({ volatile, awaits }: Variant): SessionHandler {
  if (volatile === true) {
    return (session) => session.onMessage((message) => sendVolatile(session, message.bytes));
  }
  if (awaits === true) return (session) => session.onMessage((message) => session.send(message.bytes));
  return (session) => session.onMessage((message) => void session.send(message.bytes));
}

/** Listens as this variant does, with room for all. */
export async function listenAs(
  variant: Variant,
  handler: SessionHandler,
  { interval }: ServeOptions = {},
): Promise<Server> {
  const options: ListenOptions = {
    maxConnections: ROOM,
    maxConnectionsPerKey: ROOM,
    maxHandshakes: ROOM,
    maxHandshakesPerKey: ROOM,
    maxSessions: ROOM,
    handshakeTimeout: PATIENCE,
    heartbeat: heartbeatOf(variant, interval),
    ...(variant.everything === true ? { heartbeatBudget: 1_000_000 } : {}),
  };
  return await listenOn(await platformOf(variant), "127.0.0.1:0", handler, options);
}

/** Dials as this variant does. */
export async function connectAs(
  variant: Variant,
  { port, interval }: { port: number; interval?: number },
): Promise<Session> {
  const options: ConnectOptions = {
    heartbeat: heartbeatOf(variant, interval),
    dialTimeout: PATIENCE,
    handshakeTimeout: PATIENCE,
    reconnect: variant.session === true ? { initial: false } : false,
  };
  return await connectOn(await platformOf(variant), `127.0.0.1:${port}`, options);
}

/** Counts and port of a server. */
export function servedBy(server: Server): { port: number; established(): number; beats(): number } {
  const { address } = server;
  return {
    port: address.kind === "tcp" ? address.port : 0,
    established: () => server.stats().open,
    beats: () => {
      let sum = 0;
      for (const session of server.sessions) {
        const { pongsSent, pingsAnswered } = session.stats();
        sum += pongsSent + pingsAnswered;
      }
      return sum;
    },
  };
}

async function dial(variant: Variant, { port, size, echoed, interval }: DialOptions): Promise<Link> {
  const session = await connectAs(variant, interval === undefined ? { port } : { port, interval });
  const payload = payloadOf(size);
  void session.onMessage(() => echoed(1)).catch(() => {});
  const { volatile } = variant;
  return {
    send(count) {
      for (let sent = 0; sent < count; sent++) {
        if (volatile === true) sendVolatile(session, payload);
        else void session.send(payload);
      }
    },
    close: () => session.abort(),
  };
}

/** The peer. */
export function heartwire(variant: Variant): Peer {
  return {
    serve: async (options) => servedBy(await listenAs(variant, handlerOf(variant), options)),
    dial: (options) => dial(variant, options),
  };
}

/**
 * `connect` and `listen` in a virtual world, and what tests of sessions do over and over.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Status } from "../../adapters/api.ts";
import { connectOn } from "../../adapters/connect.ts";
import { listenOn, type Server, type SessionHandler } from "../../adapters/listen.ts";
import type { ConnectOptions, ListenOptions } from "../../adapters/options.ts";
import type { Session } from "../../adapters/session.ts";
import { VirtualWorld } from "./virtual_platform.ts";

/** Where servers listen unless told otherwise. */
export const HERE = "heartwire://10.0.0.2:7433";

/** A world with a server in it. */
export interface Scene {
  readonly world: VirtualWorld;
  readonly server: Server;
  /** Errors of handlers that were reported, both sides. */
  readonly reported: unknown[];
  /** Connects another client. */
  connect(options?: ConnectOptions): Promise<Session>;
}

/** A server with this handler, at {@link HERE}. */
export async function scene(handler: SessionHandler, options: ListenOptions = {}): Promise<Scene> {
  const world = new VirtualWorld();
  const reported: unknown[] = [];
  const onHandlerError = (error: unknown): void => void reported.push(error);
  const server = await listenOn(world.platform, HERE, handler, { onHandlerError, ...options });
  return {
    world,
    server,
    reported,
    connect: (more = {}) => world.until(connectOn(world.platform, HERE, { onHandlerError, ...more })),
  };
}

/** A handler that keeps its session open and hands it out. */
export function keep(sessions: Session[]): SessionHandler {
  return async (session) => {
    sessions.push(session);
    await session.closed;
  };
}

/** Collects everything that an iterator gives; the error that ended it, if one did, comes last. */
export async function collect<T>(source: AsyncIterable<T>, into: (T | Error)[] = []): Promise<(T | Error)[]> {
  try {
    for await (const item of source) into.push(item);
  } catch (error) {
    into.push(error as Error);
  }
  return into;
}

/** The states of a session from now on, as they come. */
export function watch(session: Session): Status[] {
  const seen: Status[] = [];
  void collect(session.status(), seen as (Status | Error)[]);
  return seen;
}

/** What a promise was rejected with, or null. Never rejects itself. */
export function failure(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string; retryable: boolean; cause: unknown } | null> {
  return promise.then(() => null, (error) => error);
}

/** Heartbeats every second, dead after three. */
export const BEAT = { heartbeat: { interval: 1_000, multiplier: 3 } };

/** Sends back what it gets. */
export async function echo(session: Session): Promise<void> {
  for await (const message of session) await session.send(message.bytes);
}

/** Nothing is left of either side: no transport, no timer. */
export function assertNothingLeft(world: VirtualWorld): void {
  assertEquals([world.transports.size, world.armed], [0, 0], "transports and timers left");
}

/** Lets time pass until a session is in a state. */
export async function reaches(world: VirtualWorld, session: Session, state: Status["state"]): Promise<void> {
  for (let i = 0; i < 10_000 && session.state !== state; i++) await world.run(10);
  assertEquals(session.state, state);
}

/** The states alone. */
export function states(seen: readonly Status[]): string[] {
  return seen.map(({ state }) => state);
}

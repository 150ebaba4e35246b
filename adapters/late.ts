/**
 * `connect` and `listen` of a runtime, loaded when they are first called: a program that imports the adapter and does neither yet starts as if
 * it had not, and who only connects never loads a server.
 *
 * Rules: what is loaded is kept, so that later calls wait for nothing but a promise that is fulfilled. Two functions, so that a bundler leaves
 * out the one that is not used.
 *
 * @module
 */

import type { AddressLike } from "./address.ts";
import type { ConnectTarget } from "./connect.ts";
import type { Server, SessionHandler } from "./listen.ts";
import type { ConnectOptions, ListenOptions } from "./options.ts";
import type { Session } from "./session.ts";
import type { Platform } from "./transport.ts";

/** Loads a runtime's platform. */
export type LoadPlatform = () => Promise<{ readonly platform: Platform }>;

type Connect = (target: ConnectTarget, options?: ConnectOptions) => Promise<Session>;
type Listen = (address: AddressLike, handler: SessionHandler, options?: ListenOptions) => Promise<Server>;

/** `connect`; see connect.ts. */
export function lateConnect(loadPlatform: LoadPlatform): Connect {
  const load = async (): Promise<Connect> => {
    const [{ connectOn }, { platform }] = await Promise.all([import("./connect.ts"), loadPlatform()]);
    return (target, options) => connectOn(platform, target, options);
  };
  let loaded: Promise<Connect> | null = null;
  return async (target, options) => await (await (loaded ??= load()))(target, options);
}

/** `listen`; see listen.ts. */
export function lateListen(loadPlatform: LoadPlatform): Listen {
  const load = async (): Promise<Listen> => {
    const [{ listenOn }, { platform }] = await Promise.all([import("./listen.ts"), loadPlatform()]);
    return (address, handler, options) => listenOn(platform, address, handler, options);
  };
  let loaded: Promise<Listen> | null = null;
  return async (address, handler, options) => await (await (loaded ??= load()))(address, handler, options);
}

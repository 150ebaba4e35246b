/**
 * `connect` and `listen` of a runtime, loaded when they are first called: a program that imports the adapter and does neither yet starts as if
 * it had not, and who only connects never loads a server.
 *
 * Rules: what is loaded is kept, so that later calls wait for nothing but a promise that is fulfilled.
 *
 * @module
 */

import type { AddressLike } from "./address.ts";
import type { ConnectTarget } from "./connect.ts";
import type { Server, SessionHandler } from "./listen.ts";
import type { ConnectOptions, ListenOptions } from "./options.ts";
import type { Session } from "./session.ts";
import type { Platform } from "./transport.ts";

type Connect = (platform: Platform, target: ConnectTarget, options?: ConnectOptions) => Promise<Session>;
type Listen = (
  platform: Platform,
  address: AddressLike,
  handler: SessionHandler,
  options?: ListenOptions,
) => Promise<Server>;

/** What a runtime's module is made of. */
export class Late {
  readonly #platform: () => Promise<{ readonly platform: Platform }>;
  #connecting: Promise<[{ readonly connectOn: Connect }, { readonly platform: Platform }]> | null = null;
  #listening: Promise<[{ readonly listenOn: Listen }, { readonly platform: Platform }]> | null = null;

  /** @param platform loads the runtime's */
  constructor(platform: () => Promise<{ readonly platform: Platform }>) {
    this.#platform = platform;
  }

  /** See connect.ts. */
  async connect(target: ConnectTarget, options?: ConnectOptions): Promise<Session> {
    this.#connecting ??= Promise.all([import("./connect.ts"), this.#platform()]);
    const [{ connectOn }, { platform }] = await this.#connecting;
    return await connectOn(platform, target, options);
  }

  /** See listen.ts. */
  async listen(address: AddressLike, handler: SessionHandler, options?: ListenOptions): Promise<Server> {
    this.#listening ??= Promise.all([import("./listen.ts"), this.#platform()]);
    const [{ listenOn }, { platform }] = await this.#listening;
    return await listenOn(platform, address, handler, options);
  }
}

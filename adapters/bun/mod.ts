/**
 * heartwire on Bun: `connect` and `listen` over `node:net` and `Bun.listen`.
 *
 * ```ts
 * import { connect, listen } from "heartwire/bun";
 *
 * const server = await listen("heartwire://127.0.0.1:0", async (session) => {
 *   for await (const message of session) await session.send(message.text().toUpperCase());
 * });
 * const session = await connect(server.address);
 * await session.send("hello");
 * for await (const message of session) {
 *   console.log(message.text());
 *   break;
 * }
 * await session.close();
 * await server.close();
 * ```
 *
 * @module
 */

import type { AddressLike } from "../address.ts";
import type { ConnectTarget } from "../connect.ts";
import { lateConnect, lateListen } from "../late.ts";
import type { Server, SessionHandler } from "../listen.ts";
import type { ConnectOptions, ListenOptions } from "../options.ts";
import type { Session } from "../session.ts";

export * from "../api.ts";

const dial = /* @__PURE__ */ lateConnect(() => import("./platform.ts"));
const serve = /* @__PURE__ */ lateListen(() => import("./platform.ts"));

/**
 * Connects to a server. Resolves when the session is live.
 *
 * With `reconnect` it dials, from the first time on, until somebody is there, and says nothing meanwhile: `signal` calls it off,
 * `reconnect.giveUpAfter` and `reconnect.maxAttempts` bound it. Only what dialling again cannot mend makes it fail at once.
 *
 * @param target `heartwire://host:port`, `heartwire+unix:///path`, a short form, a `URL`, or several that are tried in turn
 * @param options heartbeat, limits, `reconnect`, `signal`
 * @throws HeartwireError `ERR_HEARTWIRE_REFUSED`, `_DNS`, `_UNREACHABLE`, `_DIAL_TIMEOUT`, `_ADDRESS`, `_OPTION`, `_CANCELLED`, or why the
 * handshake failed: `_NOT_HEARTWIRE`, `_BUSY`, `_UNAUTHORIZED`, `_HANDSHAKE_TIMEOUT`, ...
 */
export function connect(target: ConnectTarget, options?: ConnectOptions): Promise<Session> {
  return dial(target, options);
}

/**
 * Listens, and calls `handler` for each session. Resolves when it listens.
 *
 * @param address as for {@link connect}; port 0 takes a free one
 * @param handler when it is done, its `onMessage` included, the session is closed in order; when it throws the session alone is aborted
 * @param options heartbeat, limits, `authenticate`, `signal`
 * @throws HeartwireError `ERR_HEARTWIRE_ADDRESS_IN_USE`, `_ADDRESS_UNAVAILABLE`, `_FORBIDDEN`, `_DNS`, `_ADDRESS`, `_OPTION`, `_CANCELLED`
 */
export function listen(
  address: AddressLike,
  handler: SessionHandler,
  options?: ListenOptions,
): Promise<Server> {
  return serve(address, handler, options);
}

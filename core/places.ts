/**
 * How many connections a server has room for, in all and for each peer.
 *
 * Rules: a place is taken before anything is read of a connection, and given back when it ended. Nothing is kept of a key that nobody came from.
 *
 * @module
 */

import type { Code } from "./codes.ts";
import type { ResolvedServer } from "./options.ts";

/** What a connection is to its server: counted against the limits, being refused, or saying its last words. */
export type Place = "handshake" | "open" | "refusing" | "over";

const NOBODY = Object.freeze({ open: 0, handshake: 0 });

/** The places of one server. */
export class Places {
  readonly #options: ResolvedServer;
  /** Connections in each place. */
  readonly count: Record<Place, number> = { open: 0, handshake: 0, refusing: 0, over: 0 };
  readonly #perKey: Map<string, { open: number; handshake: number }> = new Map();

  constructor(options: ResolvedServer) {
    this.#options = options;
  }

  /** Why there is no room for another connection of this key; null: there is. */
  refusal(key: string): Code | null {
    const { maxConnections, maxConnectionsPerKey, maxHandshakes, maxHandshakesPerKey } = this.#options;
    const { open, handshake } = this.#perKey.get(key) ?? NOBODY;
    if (this.count.open + this.count.handshake >= maxConnections) return "BUSY";
    if (open + handshake >= maxConnectionsPerKey || handshake >= maxHandshakesPerKey) return "PEER_LIMIT";
    if (this.count.handshake >= maxHandshakes) return "HANDSHAKE_LIMIT";
    return null;
  }

  /** A connection came. */
  take(key: string, place: "handshake" | "refusing"): void {
    this.count[place]++;
    if (place === "refusing") return;
    const held = this.#perKey.get(key);
    if (held === undefined) this.#perKey.set(key, { open: 0, handshake: 1 });
    else held.handshake++;
  }

  /** A connection goes from one place to the next. */
  move(key: string, from: Place, to: "open" | "over"): void {
    const held = this.#perKey.get(key)!;
    if (from === "handshake" || from === "open") held[from]--;
    if (to === "open") held.open++;
    else if (held.open + held.handshake === 0) this.#perKey.delete(key);
    this.count[from]--;
    this.count[to]++;
  }

  /** The transport of a connection is gone. */
  leave(place: Place): void {
    this.count[place]--;
  }

  /** A copy. */
  clone(): Places {
    const copy = new Places(this.#options);
    Object.assign(copy.count, this.count);
    for (const [key, held] of this.#perKey) copy.#perKey.set(key, { ...held });
    return copy;
  }
}

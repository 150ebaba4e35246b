/**
 * Profile `raw`: bytes and nothing else. What arrives is given out as it came; the end of the stream is the end.
 *
 * For short connections (connect, send, receive until the end, close) and for peers that know no protocol. Nobody beats, so silence
 * says nothing: a peer that is gone is noticed when TCP notices, which is what the other profiles are for.
 *
 * @module
 */

import type { ResolvedConnection } from "../options.ts";
import type { Role } from "../phases.ts";
import { StreamConversation } from "./stream.ts";

/** A conversation in raw bytes. */
export class RawConversation extends StreamConversation {
  constructor(role: Role, options: ResolvedConnection, now: number) {
    super(role, options, now, Infinity);
    this.begin();
  }

  protected opened(): void {}

  protected beat(): void {}

  protected read(bytes: Uint8Array): void {
    this.deliver(bytes, false);
  }
}

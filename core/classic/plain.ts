/**
 * Profile `plain`: the conversation of the second article. A stream of bytes without frames, in which the nine bytes `heartbeat` are a
 * sign of life and everything else is data.
 *
 * Both sides send the token each interval; it is swallowed by who receives it. A server that answers in upper case is an application's
 * business (`--handler upper`).
 *
 * What can be decided without frames, and how:
 * - A token may be split anywhere or glued to data or to other tokens: it is recognised all the same.
 * - The nine bytes are always a token, also inside data: "my heartbeat is fine" arrives as "my " and " is fine". In this protocol
 *   nobody can tell the difference; who must send these bytes uses another profile.
 * - Bytes at the end of what came that may be the beginning of a token ("hea") are held until the next bytes decide, or for
 *   {@link HOLD}, after which they are data. So "hea", then a pause, then "rtbeat" is data: a sender writes its token at once.
 *   What we were too busy to read is no pause: after the hold, what lies in the socket has one more turn to come in.
 *
 * Silence: a client knows that its server beats, and judges from the start. A server judges a client from its first token on, for
 * the article's clients may be silent for ever.
 *
 * @module
 */

import { TURN } from "../liveness/beat.ts";
import type { ResolvedConnection } from "../options.ts";
import type { Role } from "../phases.ts";
import { type Micros, toMicros } from "../time.ts";
import { Timer } from "../timers.ts";
import { MARKER } from "./packet.ts";
import { StreamConversation } from "./stream.ts";

/** For so long what may be the beginning of a token is held back, us. */
export const HOLD: Micros = 50_000;

/** A conversation in plain bytes. */
export class PlainConversation extends StreamConversation {
  /** How many bytes of a token the end of what came has matched. */
  #matched = 0;
  /** Whether the hold has passed, and one more turn runs. */
  #turning = false;

  constructor(role: Role, options: ResolvedConnection, now: number) {
    super(role, options, now, toMicros(options.heartbeat.interval * options.heartbeat.multiplier));
    this.begin();
  }

  protected opened(): void {
    if (this.role === "client") this.watch();
    this.#schedule();
  }

  #schedule(): void {
    this.timers.set(Timer.BEAT, this.now + toMicros(this.options.heartbeat.interval));
  }

  protected beat(): void {
    this.put(MARKER);
    this.counters.pingsSent++;
    this.#schedule();
  }

  protected read(bytes: Uint8Array): void {
    this.timers.clear(Timer.ACK);
    this.#turning = false;
    // No proper prefix of the token is also its suffix, so after a mismatch only the present byte can begin a new one.
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === MARKER[this.#matched]) {
        if (++this.#matched < MARKER.length) continue;
        const before = at + 1 - MARKER.length;
        if (before > from) this.deliver(bytes.subarray(from, before), false);
        from = at + 1;
        this.#matched = 0;
        this.#token();
        continue;
      }
      // What was held from earlier bytes turns out to be data.
      const earlier = this.#matched - (at - from);
      if (this.#matched > 0 && earlier > 0) this.#release(earlier);
      this.#matched = byte === MARKER[0] ? 1 : 0;
    }
    const end = Math.max(from, bytes.length - this.#matched);
    if (end > from) this.deliver(bytes.subarray(from, end), false);
    if (this.#matched > 0) this.timers.set(Timer.ACK, this.now + HOLD);
  }

  #token(): void {
    this.counters.pingsReceived++;
    this.watch();
  }

  /** So many bytes that were held, which are the beginning of the token, are data. */
  #release(count: number): void {
    this.deliver(Uint8Array.from(MARKER.slice(0, count)), true);
  }

  protected override held(): void {
    if (this.#turning) return this.drained();
    this.#turning = true;
    this.timers.set(Timer.ACK, this.now + TURN);
  }

  protected override drained(): void {
    if (this.#matched > 0) this.#release(this.#matched);
    this.#matched = 0;
  }
}

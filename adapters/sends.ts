/**
 * What an application sends: at once, when there is room, or over the next connection; and when its message was processed.
 *
 * Rules: sends keep their order, awaited or not, so none overtakes one that waits. Each fails typed when it cannot leave any more.
 *
 * @module
 */

import type { HeartwireError, Unconfirmed } from "../core/mod.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { Channel } from "./channel.ts";
import type { Task } from "./driver.ts";
import { cancelled, notData, quiet, unacknowledged } from "./failure.ts";
import type { SessionHost } from "./host.ts";
import { type Give, Outbox } from "./outbox.ts";
import type { SendOptions } from "./session.ts";

/** What sends may wait for at most, bytes. */
const WAITING_MAX = 16 * 2 ** 20;
/** What `send` returns when there was room: one promise for all, fulfilled already. */
export const ACCEPTED: Promise<void> = Promise.resolve();
const encoder = new TextEncoder();

/** The payload of what is to be sent; null: it is none. */
export function bytesOf(data: unknown): Uint8Array | null {
  if (typeof data === "string") return encoder.encode(data);
  return data instanceof Uint8Array ? data : null;
}

/** The sends of one session. */
export class Sends implements Task {
  /** Messages accepted, whether there was a connection or not; volatile ones sent. */
  accepted = 0;
  readonly #host: SessionHost;
  readonly #channel: Channel;
  /** Null until a send waits for room, or for its acknowledgement. */
  #outbox: Outbox | null = null;
  #acknowledgements: Acknowledgements | null = null;

  constructor(host: SessionHost, channel: Channel) {
    this.#host = host;
    this.#channel = channel;
  }

  /** There may be room: what waits goes. */
  wake(): void {
    if (this.#waits) this.#host.driver.defer(this);
  }

  get #waits(): boolean {
    return this.#outbox !== null && !this.#outbox.empty;
  }

  /** Sends what waits. */
  run(): void {
    const { connection } = this.#channel;
    if (connection === null || !this.#waits) return;
    const now = this.#host.driver.now();
    this.#outbox!.flush((bytes) => this.#give(bytes, now));
    this.#host.driver.given(connection);
  }

  #give(bytes: Uint8Array, now: number): "accepted" | "blocked" {
    const { core, connection } = this.#channel;
    try {
      const result = (core ?? connection!).send(bytes, now);
      if (result === "accepted") this.accepted++;
      return result;
    } catch (error) {
      throw this.#channel.explained(error);
    }
  }

  /**
   * Takes something that is sent otherwise than as a message, in its turn among them: `give` is called now, or when there is room. Settles when it
   * was accepted, or rejects with what `give` threw, or with why it cannot be sent.
   */
  take(data: string | Uint8Array, give: Give): Promise<void> {
    const channel = this.#channel;
    const { connection } = channel;
    if (!channel.takes) return channel.unsent();
    const bytes = bytesOf(data);
    if (bytes === null) return channel.refused(notData(data));
    const explaining: Give = (payload) => {
      try {
        return give(payload);
      } catch (error) {
        throw channel.explained(error);
      }
    };
    if (this.#waits) return this.#queue.wait(bytes, undefined, null, explaining);
    try {
      if (explaining(bytes) === "blocked") return this.#queue.wait(bytes, undefined, null, explaining);
    } catch (error) {
      return channel.refused(error);
    }
    this.#host.driver.given(connection);
    return ACCEPTED;
  }

  /** See {@link Session.send}. */
  send(data: string | Uint8Array, options: SendOptions): Promise<void> {
    const { signal, acknowledged } = options;
    const channel = this.#channel;
    if (signal?.aborted) return quiet(Promise.reject(cancelled(signal)));
    const { connection } = channel;
    if (!channel.takes) return channel.unsent();
    if (acknowledged === true && channel.last!.agreement?.version === 0) {
      return channel.refused(unacknowledged());
    }
    const bytes = bytesOf(data);
    if (bytes === null) return channel.refused(notData(data));
    if (this.#waits) return this.#wait(bytes, options);
    const now = this.#host.driver.now();
    let result: "accepted" | "blocked";
    try {
      result = this.#give(bytes, now);
    } catch (error) {
      return channel.refused(error);
    }
    const promise = result !== "accepted"
      ? this.#wait(bytes, options)
      : acknowledged === true
      ? this.#acknowledgement()
      : ACCEPTED;
    this.#host.driver.given(connection);
    return promise;
  }

  get #queue(): Outbox {
    return this.#outbox ??= new Outbox(WAITING_MAX);
  }

  #wait(bytes: Uint8Array, { signal, acknowledged }: SendOptions): Promise<void> {
    return this.#queue.wait(bytes, signal, acknowledged === true ? () => this.#acknowledgement() : null);
  }

  /** See {@link Session.sendVolatile}. */
  sendVolatile(data: string | Uint8Array): boolean {
    const bytes = bytesOf(data);
    if (bytes === null) throw notData(data);
    const channel = this.#channel;
    const { connection } = channel;
    const open = channel.ended === null && !channel.closing;
    if (connection === null && open && (channel.goesOn || channel.redials)) return false;
    if (connection === null || !open) throw channel.unsendable();
    const now = this.#host.driver.now();
    try {
      const sent = connection.sendVolatile(bytes, now) === "sent";
      if (sent) this.accepted++;
      return sent;
    } catch (error) {
      throw channel.explained(error);
    } finally {
      this.#host.driver.given(connection);
    }
  }

  /** Settles when the message that was accepted last was processed. */
  #acknowledgement(): Promise<void> {
    const { core, connection } = this.#channel;
    this.#acknowledgements ??= new Acknowledgements();
    return this.#acknowledgements.wait(core?.state.outbound.accepted ?? connection!.stats().accepted);
  }

  /** The peer's application has finished everything up to this position. */
  processed(position: number): void {
    this.#acknowledgements?.processed(position);
  }

  /** The session is lost, and with it these messages. */
  lost(unconfirmed: readonly Unconfirmed[]): void {
    this.#acknowledgements?.lost(unconfirmed, this.#host.peer.url);
  }

  /** Fails those that wait for room; what was accepted is still acknowledged. */
  closing(): void {
    this.#outbox?.fail(() => this.#channel.unsendable());
  }

  /** Fails all that wait, each with an error of its own. */
  fail(error: () => HeartwireError): void {
    this.#outbox?.fail(error);
    this.#acknowledgements?.fail(error);
  }
}

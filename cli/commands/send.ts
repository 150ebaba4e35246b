/**
 * `heartwire send`: the short connection. Connects, sends one message, prints the replies, closes.
 *
 * Rules:
 * - With no reply expected, success means that the server's application finished the message, which is what an end in good order proves.
 * - What was sent on a connection that ended before the reply may have arrived or not. `--reconnect` sends it again and says so: it is
 *   the person's to know that the message may be there twice.
 *
 * @module
 */

import { type EndReason, HeartwireError, type Message, type Session } from "../../adapters/api.ts";
import { backoff } from "../../core/backoff.ts";
import { resolveClient } from "../../core/resolve.ts";
import { toMillis } from "../../core/time.ts";
import { type Context, type Outcome, protocolOptions } from "../command.ts";
import { EXIT, exitOfReason } from "../exit.ts";
import { readAll } from "../input.ts";
import { aborted, sleep } from "../stop.ts";
import * as text from "../text.ts";

/** The end in good order may take so long, or `--timeout` if that is shorter, ms. */
const CLOSE_TIMEOUT = 5_000;

class Sender {
  readonly #context: Context;
  #bytes = 0;
  #replies = 0;
  #rtt: number | null = null;
  #message: Uint8Array | null = null;
  /** Sendings of which it is not known whether they arrived. */
  #maybeDelivered = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  async run(): Promise<Outcome> {
    const { run, stop, output } = this.#context;
    const until = performance.now() + run.values.timeout;
    let connected = false;
    for (let failures = 0;;) {
      const attempt = await this.#attempt(() => connected = true);
      const { error } = attempt;
      // The first dial is tried once, so that a wrong address is told at once.
      const again = run.values.reconnect && connected && this.#replies === 0 && error !== undefined &&
        worthAnother(error);
      const delay = again && !stop.signal.aborted ? nextDelay(++failures) : Infinity;
      if (performance.now() + delay >= until) {
        if (error !== undefined && this.#maybeDelivered > 0) {
          output.note("whether the message arrived is not known");
        }
        return attempt;
      }
      const twice = this.#maybeDelivered > 0 ? "; the message may have been delivered already" : "";
      output.note(`${(error as HeartwireError).message}${twice}; sending again in ${text.duration(delay)}`);
      const { maybeDelivered } = this.#summary();
      output.record("again", { retryIn: delay, code: (error as HeartwireError).code, maybeDelivered });
      if (!await sleep(delay, stop.signal)) return attempt;
    }
  }

  /** One connection. */
  async #attempt(onConnected: () => void): Promise<Outcome> {
    const { adapter, run, stop } = this.#context;
    const { timeout, expect } = run.values;
    let session: Session;
    try {
      session = await adapter.connect(run.address, {
        ...protocolOptions(run.values),
        dialTimeout: timeout,
        handshakeTimeout: timeout,
        closeTimeout: Math.min(timeout, CLOSE_TIMEOUT),
        signal: stop.signal,
      });
    } catch (error) {
      return this.#outcome(EXIT.loss, error);
    }
    onConnected();
    const onForced = (): void => session.abort("interrupted");
    stop.forced.addEventListener("abort", onForced, { once: true });
    try {
      const interrupted = aborted(stop.signal).then(() => null);
      await Promise.race([this.#talk(session), interrupted]);
    } catch (error) {
      await session.close();
      return this.#outcome(EXIT.loss, error);
    }
    const reason = await session.close();
    const delivered = reason.kind === "closed";
    if (expect === 0 && delivered) this.#maybeDelivered = 0;
    if (expect > 0 || delivered) return this.#outcome(EXIT.ok);
    this.#context.output.note(`whether the message arrived is not known: ${text.reasonText(reason)}`);
    return this.#outcome(exitOfReason(reason));
  }

  async #talk(session: Session): Promise<void> {
    const { run } = this.#context;
    const { expect } = run.values;
    const message = this.#message ??= await this.#read(session);
    const replies = session.messages();
    const started = performance.now();
    await session.send(message);
    this.#bytes = message.length;
    this.#maybeDelivered++;
    if (run.values.profile !== "heartwire") return await this.#stream(session, replies, started);
    while (this.#replies < expect) {
      await this.#reply(session, replies);
      this.#rtt ??= performance.now() - started;
    }
  }

  /** A stream has no replies, only bytes: prints them until they end, or none come for a while. */
  async #stream(session: Session, replies: AsyncIterator<Message>, started: number): Promise<void> {
    const { run, output } = this.#context;
    const { idle, timeout, expect } = run.values;
    if (expect === 0) return;
    for (;;) {
      const wait = this.#replies === 0 ? timeout : idle;
      const next = await within(wait, replies.next());
      if (next === "late" && this.#replies === 0) throw noReply(timeout);
      if (next !== "late" && next.done === true && this.#replies === 0) {
        throw endedEarly(await session.closed, "a reply came");
      }
      if (next === "late" || next.done === true) return;
      this.#replied();
      this.#rtt ??= performance.now() - started;
      output.bytes(next.value.bytes);
      output.record("reply", { seq: this.#replies, ...text.messageRecord(next.value.bytes) });
      await output.flush();
    }
  }

  async #read(session: Session): Promise<Uint8Array> {
    const { run, stdin, typed, output } = this.#context;
    if (run.message !== null) return new TextEncoder().encode(run.message);
    if (typed) output.note("type the message; Ctrl-D on a line of its own ends it");
    const { maxMessage } = session.agreement!;
    const ended = session.closed.then((reason) => {
      throw endedEarly(reason, "the message was complete");
    });
    const bytes = await Promise.race([readAll(stdin, maxMessage), ended]);
    if (bytes !== null) return bytes;
    throw new HeartwireError("MESSAGE_TOO_LARGE", `the message is longer than ${maxMessage} bytes`, {
      hint: "The server accepts no longer ones; send less at a time, for example with heartwire connect.",
    });
  }

  async #reply(session: Session, replies: AsyncIterator<Message>): Promise<void> {
    const { run, output } = this.#context;
    const { timeout, expect } = run.values;
    const next = await within(timeout, replies.next());
    if (next === "late") throw noReply(timeout);
    if (next.done === true) {
      throw endedEarly(
        await session.closed,
        `${text.count(expect - this.#replies, "reply", "replies")} came`,
      );
    }
    this.#replied();
    output.message(next.value.bytes);
    output.record("reply", { seq: this.#replies, ...text.messageRecord(next.value.bytes) });
    await output.flush();
  }

  /** What the last sending became is known with its reply. */
  #replied(): void {
    if (this.#replies++ > 0) return;
    this.#maybeDelivered--;
    if (this.#maybeDelivered === 0) return;
    this.#context.output.note(
      `the message may have been delivered ${
        text.count(this.#maybeDelivered, "time")
      } more than this reply tells`,
    );
  }

  #summary(): { readonly maybeDelivered: number } & Record<string, unknown> {
    return {
      address: this.#context.run.address.url,
      sent: this.#bytes,
      replies: this.#replies,
      rtt: this.#rtt,
      maybeDelivered: this.#maybeDelivered,
    };
  }

  #outcome(exit: number, error?: unknown): Outcome {
    const summary = this.#summary();
    return error === undefined ? { exit, summary } : { exit, summary, error };
  }
}

/** What a promise comes to, or "late" after `ms`. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | "late"> {
  const given = new AbortController();
  const late = sleep(ms, given.signal).then((up) => up ? "late" as const : new Promise<never>(() => {}));
  return await Promise.race([promise, late]).finally(() => given.abort());
}

function noReply(timeout: number): HeartwireError {
  return new HeartwireError("TIMEOUT", `no reply within ${text.duration(timeout)}`, {
    hint: "The server may answer nothing (--expect 0) or need longer (--timeout MS).",
  });
}

function endedEarly(reason: EndReason, what: string): HeartwireError {
  return new HeartwireError("CLOSED", `${text.reasonText(reason)}, before ${what}`, { cause: reason });
}

/** Whether another connection can do better: this one ended, or there was none. A server that is there and says nothing is not asked again. */
function worthAnother(error: unknown): boolean {
  return error instanceof HeartwireError && (error.retryable || error.code === "ERR_HEARTWIRE_CLOSED");
}

/** The back-off of the library's own `reconnect`, ms. */
function nextDelay(failures: number): number {
  const { reconnect } = resolveClient({ reconnect: true });
  return toMillis(backoff(reconnect!, failures, { entropy: (into) => void crypto.getRandomValues(into) }));
}

/** Runs the command. */
export function send(context: Context): Promise<Outcome> {
  return new Sender(context).run();
}

/**
 * `heartwire connect`: lines of stdin are messages, messages that come are lines on stdout.
 *
 * Rules: stdin is read only as fast as the peer takes the lines, and not at all between two connections. A line that never arrived goes to
 * the next session; one that may have arrived, and whose session was lost, is counted, and said.
 *
 * @module
 */

import {
  type EndReason,
  HeartwireError,
  type Message,
  type Session,
  type Status,
} from "../../adapters/api.ts";
import { type Context, type Outcome, protocolOptions } from "../command.ts";
import { EXIT, exitOfReason } from "../exit.ts";
import { lines } from "../input.ts";
import { Link } from "../link.ts";
import { paint } from "../output.ts";
import { aborted } from "../stop.ts";
import * as text from "../text.ts";

/** Lets pass while it is open. */
class Gate {
  #passed: Promise<void> = Promise.resolve();
  /** Opens it; null: it is open. */
  #resolve: (() => void) | null = null;

  constructor() {
    this.shut();
  }

  passed(): Promise<void> {
    return this.#passed;
  }

  open(): void {
    this.#resolve?.();
    this.#resolve = null;
  }

  shut(): void {
    if (this.#resolve === null) this.#passed = new Promise((resolve) => this.#resolve = resolve);
  }
}

class Talk {
  readonly #context: Context;
  readonly #link: Link;
  /** Open while there is a connection to send on, and at the end. */
  readonly #gate = new Gate();
  readonly #reading: Promise<void>[] = [];
  #sent = 0;
  #unsent = 0;
  /** Accepted by a connection that then ended before the peer had processed them. */
  #uncertain = 0;
  #received = 0;
  #conversations = 0;
  /** Lines of a session that was lost, which never arrived. */
  #again: Uint8Array[] = [];
  /** The next connection begins a new session. */
  #fresh = true;
  #lost: EndReason | null = null;
  #ended: EndReason | null = null;

  constructor(context: Context) {
    const { run, adapter, stop } = context;
    this.#context = context;
    const connect = protocolOptions(run.values);
    this.#link = new Link({
      ...{ adapter, address: run.address, connect, stop },
      redial: run.values.reconnect ? {} : null,
      onSession: (session) => this.#take(session),
    });
  }

  async run(): Promise<Outcome> {
    const { run, output, stop } = this.#context;
    output.note(`connecting to ${text.addressText(run.address)}`);
    let error: unknown;
    try {
      await this.#link.open();
    } catch (thrown) {
      return { ...this.#outcome(), error: thrown };
    }
    const watching = this.#watch().catch((thrown) => error = thrown);
    await Promise.race([this.#pump(), watching, aborted(stop.signal)]);
    await this.#link.close();
    await watching;
    await Promise.all(this.#reading);
    const missing = this.#unsent === 0 ? "" : `, ${this.#unsent} not sent`;
    output.note(`${text.count(this.#sent, "message")} sent, ${this.#received} received${missing}`);
    const outcome = this.#outcome();
    return error === undefined ? outcome : { ...outcome, error };
  }

  #take(session: Session): void {
    // It ends with the session, which is told by its status.
    this.#reading.push(session.onMessage((message) => this.#message(message)).catch(() => {}));
  }

  async #message({ bytes }: Message): Promise<void> {
    const { output } = this.#context;
    this.#received++;
    output.message(bytes);
    output.record("message", text.messageRecord(bytes));
    await output.flush();
  }

  /** Sends the lines of stdin. Returns at its end. */
  async #pump(): Promise<void> {
    const { output, stdin } = this.#context;
    const most = this.#link.session.agreement?.maxMessage ?? 0;
    let number = 0;
    for await (const line of lines(stdin, most)) {
      number++;
      if (line === null) {
        this.#unsent++;
        output.error(
          `line ${number} is longer than the ${most} bytes that the server accepts; it is not sent`,
        );
      } else {
        await this.#send(line);
        if (this.#ended !== null) return;
      }
    }
  }

  /** Sends one line, on the next connection if need be. */
  async #send(line: Uint8Array): Promise<void> {
    for (;;) {
      await this.#gate.passed();
      if (this.#ended !== null) break;
      try {
        await this.#link.session.send(line);
        this.#sent++;
        return;
      } catch (error) {
        // Else not accepted because the connection ended or is about to.
        if (!(error instanceof HeartwireError)) throw error;
        if (error.code === "ERR_HEARTWIRE_MESSAGE_TOO_LARGE") { // a later conversation may accept less than the first
          this.#context.output.error(error.message, error.hint);
          break;
        }
        if (this.#ended === null) this.#gate.shut();
      }
    }
    this.#unsent++;
  }

  async #watch(): Promise<void> {
    try {
      for await (const status of this.#link.status()) this.#tell(status);
    } finally {
      this.#ended ??= this.#lost;
      this.#gate.open();
    }
  }

  #tell(status: Status): void {
    const { output } = this.#context;
    switch (status.state) {
      case "connecting":
        return output.record("status", { state: "connecting", attempt: status.attempt });
      case "live":
        return this.#live(status);
      case "suspect": {
        const { evidence } = status;
        const limit = text.duration(evidence.limit);
        output.note(`${paint("suspect:", "warn")} ${text.evidenceText(evidence)}, dead at ${limit}`);
        return output.record("status", { state: "suspect", ...text.evidenceRecord(evidence) });
      }
      case "stalled":
      case "clockStepped":
      case "retuned":
        if (text.notable(status)) {
          const [title, rest] = text.passingText(status);
          output.note(`${paint(title, "warn")} ${rest}`);
        }
        return output.record("status", text.passingRecord(status));
      case "draining":
        if (status.code === "NONE") return; // what follows says it
        output.note(text.drainingText(status.text));
        return output.record("status", { state: "draining", code: status.code, text: status.text });
      case "unconfirmed": {
        this.#fresh = true;
        this.#again = status.messages.filter(({ state }) => state === "unsent").map(({ bytes }) => bytes);
        this.#uncertain += status.messages.length - this.#again.length;
        output.note(text.passingText(status).join(" "));
        return output.record("status", text.passingRecord(status));
      }
      case "resuming":
      case "lost": {
        const { state, reason, retryIn } = status;
        const told = text.reasonText(reason);
        // A dial that failed as the last one did is not told again.
        if (this.#lost === null || told !== text.reasonText(this.#lost)) {
          output.note(`${paint(told, "bad")}; dialling again`);
        }
        if (state === "lost") {
          if (this.#lost === null) this.#countUncertain();
          this.#fresh = true;
        }
        this.#lost = reason;
        this.#gate.shut();
        return output.record("status", { state, ...text.reasonRecord(reason), retryIn });
      }
      case "closed":
        // Given up between two connections: what matters is why there was none.
        this.#ended = status.reason.kind === "aborted" ? this.#lost ?? status.reason : status.reason;
        // An end in good order proves that everything was processed.
        if (this.#lost === null && !this.#fresh && status.reason.kind !== "closed") this.#countUncertain();
        output.note(paint(text.reasonText(status.reason), status.reason.kind === "closed" ? "good" : "bad"));
        return output.record("status", { state: "closed", ...text.reasonRecord(status.reason) });
    }
  }

  #live({ agreement }: Status & { state: "live" }): void {
    const { output, run, typed } = this.#context;
    const fresh = this.#fresh;
    const again = this.#lost !== null;
    if (fresh) this.#conversations++;
    this.#lost = null;
    this.#fresh = false;
    // What never arrived goes first; what may have arrived is for who reads this.
    for (const line of this.#again.splice(0)) void this.#link.session.send(line).catch(() => this.#unsent++);
    this.#gate.open();
    output.record("status", { state: "live", agreement });
    const live = paint("live:", "good");
    if (!fresh) return output.note(`${live} ${again ? "again; the session goes on" : "heard again"}`);
    const bound = text.duration(agreement.detectionBound);
    output.note(`${live} ${text.addressText(run.address)}; a dead peer is found within ${bound}`);
    if (this.#conversations > 1) {
      output.note("this is a new conversation: the server knows nothing of the last");
    } else if (typed) output.note("each line is a message; Ctrl-D ends");
  }

  #countUncertain(): void {
    const { accepted, processed } = this.#link.session.stats();
    const open = accepted - processed;
    if (open <= 0) return;
    this.#uncertain += open;
    this.#context.output.note(`up to ${text.count(open, "message")} may not have arrived`);
  }

  #outcome(): Outcome {
    const ended = this.#ended;
    const missing = this.#unsent + this.#uncertain;
    const exit = (ended === null ? EXIT.ok : exitOfReason(ended)) || (missing > 0 ? EXIT.loss : EXIT.ok);
    const summary = {
      address: this.#context.run.address.url,
      sent: this.#sent,
      received: this.#received,
      unsent: this.#unsent,
      uncertain: this.#uncertain,
      conversations: this.#conversations,
      ...(ended === null ? {} : text.reasonRecord(ended)),
    };
    return { exit, summary };
  }
}

/** Runs the command. */
export function connect(context: Context): Promise<Outcome> {
  return new Talk(context).run();
}

/**
 * `heartwire ping`: asks the peer for an answer at every interval, watches for its death, and reports when it is back.
 *
 * Rules: the verdict is the library's, from its heartbeats; nothing here judges silence. What is asked while there is no connection
 * counts as lost; what is under way when the command is interrupted does not count at all. A question is the heartbeat: it comes at 3/4
 * of the heartbeat's interval, where the automatic beat could come at the soonest and the peer takes one, so that nothing is sent
 * twice and nothing is too fast.
 *
 * @module
 */

import type { Agreement, EndReason, Evidence, Passing, PingResult, Status } from "../../adapters/api.ts";
import { type Context, FIRST, type Outcome, pingIntervals, protocolOptions } from "../command.ts";
import { EXIT } from "../exit.ts";
import { Link } from "../link.ts";
import { paint } from "../output.ts";
import { RoundTrips } from "../round_trips.ts";
import { sleep } from "../stop.ts";
import * as text from "../text.ts";
import { Ways } from "../ways.ts";

/** Closing is a courtesy here; nobody waits long for it, ms. */
const CLOSE_TIMEOUT = 500;
/** A dial that meets silence is given up after this, ms: who pings wants to know, and a lost SYN is sent again after 1 s. */
const DIAL_TIMEOUT = 3_000;
/** The pause between two dials grows to this, ms: short, for who pings wants to know. */
const REDIAL_CAP = 1_000;

/** A time without a connection. */
interface Outage {
  readonly since: number;
  readonly reason: EndReason;
}

class Pinger {
  readonly #context: Context;
  readonly #link: Link;
  readonly #interval: number;
  readonly #roundTrips = new RoundTrips();
  readonly #ways = new Ways();
  readonly #started = performance.now();
  /** The questions that are not answered yet. */
  readonly #open = new Set<Promise<void>>();
  /** Ends the asking when the connection is over for good. */
  readonly #over = new AbortController();
  #answered = 0;
  #lost = 0;
  #bound = 0;
  /** How often the server lets us ask, ms. */
  #allowed = 0;
  #outage: Outage | null = null;
  /** What was told last of the dials of this outage. */
  #attempt = "";
  #outages = 0;
  #downtime = 0;
  #suspicion: Evidence | null = null;
  #ended: EndReason | null = null;
  #finished = false;

  constructor(context: Context) {
    const { run, adapter, stop } = context;
    this.#context = context;
    const { ask, beat } = pingIntervals(run.values);
    this.#interval = ask;
    const connect = {
      ...protocolOptions(run.values, beat),
      closeTimeout: CLOSE_TIMEOUT,
      dialTimeout: DIAL_TIMEOUT,
      handshakeTimeout: DIAL_TIMEOUT,
      resume: false, // there is nothing to go on with
    };
    this.#link = new Link({
      adapter,
      address: run.address,
      connect,
      redial: { cap: REDIAL_CAP },
      stop,
      onSession: (session) => void session.onMessage(() => {}).catch(() => {}), // not wanted, but credited
    });
  }

  async run(): Promise<Outcome> {
    let error: unknown;
    try {
      await this.#link.open();
    } catch (thrown) {
      return { ...this.#outcome(), error: thrown };
    }
    const watching = this.#watch().catch((thrown) => error = thrown).finally(() => this.#over.abort());
    await this.#ask();
    this.#finished = true;
    const outcome = this.#outcome();
    await this.#link.close();
    await watching;
    return error === undefined ? outcome : { ...outcome, error };
  }

  async #ask(): Promise<void> {
    const { count } = this.#context.run.values;
    const signal = AbortSignal.any([this.#over.signal, this.#context.stop.signal]);
    let due = performance.now();
    for (let sequence = 1; count === undefined || sequence <= count; sequence++) {
      if (sequence > 1) {
        // After a stall the missed ones are not made up for: a burst would measure itself.
        due = Math.max(due + Math.max(this.#interval, this.#allowed), performance.now());
        if (!(await sleep(due - performance.now(), signal))) return;
      }
      const question = this.#link.session.ping().then(
        (result) => this.#pong(sequence, result),
        () => {
          if (!signal.aborted) this.#unanswered(sequence);
        },
      ).finally(() => this.#open.delete(question));
      this.#open.add(question);
    }
    // Each is answered, or fails with its connection: within the detection bound.
    const { stop } = this.#context;
    await Promise.race([
      Promise.all(this.#open),
      new Promise<void>((resolve) => {
        stop.signal.addEventListener("abort", () => resolve(), { once: true });
      }),
    ]);
  }

  #pong(sequence: number, { rtt }: PingResult): void {
    const { output, run } = this.#context;
    if (this.#finished) return;
    this.#answered++;
    this.#roundTrips.add(rtt);
    if (!run.values.quiet) output.line(`seq=${sequence} rtt=${text.roundTrip(rtt)}`);
    const known = this.#ways.answered(this.#link.session.stats());
    output.record("pong", { seq: sequence, rtt, ...known });
  }

  #unanswered(sequence: number): void {
    this.#lost++;
    this.#context.output.record("lost", { seq: sequence });
  }

  async #watch(): Promise<void> {
    for await (const status of this.#link.status()) {
      if (!this.#finished) this.#tell(status);
    }
  }

  #say(line: string): void {
    if (!this.#context.run.values.quiet) this.#context.output.line(line);
  }

  #tell(status: Status): void {
    const { output } = this.#context;
    switch (status.state) {
      case "connecting":
        if (this.#attempt === "") {
          this.#attempt = "dialling again";
          this.#say(this.#attempt);
        }
        return output.record("status", { state: "connecting", attempt: status.attempt });
      case "live":
        return this.#live(status);
      case "suspect": {
        const { evidence } = status;
        this.#suspicion = evidence;
        this.#say(
          `${paint("suspect:", "warn")} ${text.evidenceText(evidence)}, dead at ${
            text.duration(evidence.limit)
          }`,
        );
        return output.record("status", { state: "suspect", ...text.evidenceRecord(evidence) });
      }
      case "stalled":
      case "clockStepped":
      case "retuned":
      case "unconfirmed":
        return this.#passed(status);
      case "draining":
        if (status.code === "NONE") return; // what follows says it
        this.#say(text.drainingText(status.text));
        return output.record("status", { state: "draining", code: status.code, text: status.text });
      case "resuming":
      case "lost":
        return this.#down(status.reason, status.at);
      case "closed":
        this.#ended = status.reason;
        if (this.#outage === null) this.#down(status.reason, status.at);
    }
  }

  #passed(passing: Passing): void {
    this.#ways.passed(passing);
    if (passing.state === "retuned") this.#agreed(passing.agreement);
    const [title, rest] = text.passingText(passing);
    this.#say(`${paint(title, "warn")} ${rest}`);
    this.#context.output.record("status", text.passingRecord(passing));
  }

  #agreed({ idleDetectionBound, txInterval }: Agreement): void {
    this.#bound = idleDetectionBound; // it asks in every interval itself
    this.#allowed = FIRST * txInterval;
  }

  #live(status: Status & { state: "live" }): void {
    const { output, run } = this.#context;
    const { agreement } = status;
    const record: Record<string, unknown> = { state: "live", agreement };
    const first = this.#bound === 0;
    this.#agreed(agreement);
    if (this.#outage !== null) {
      const lasted = status.at - this.#outage.since;
      this.#downtime += lasted;
      this.#outage = null;
      record["outage"] = lasted;
      this.#say(`${paint("recovered:", "good")} live again after ${text.duration(lasted)}`);
    } else if (this.#suspicion !== null) {
      this.#say(`${paint("alive:", "good")} heard again`);
    } else if (first) {
      const every = Math.max(this.#interval, this.#allowed);
      this.#say(
        `PING ${text.addressText(run.address)}: every ${text.duration(every)}; ` +
          `a dead peer is found within ${text.duration(this.#bound)}`,
      );
    }
    this.#suspicion = null;
    output.record("status", record);
  }

  #down(reason: EndReason, at: number): void {
    const { output } = this.#context;
    const dead = reason.kind === "dead";
    const told = text.reasonText(reason);
    if (this.#outage === null) {
      this.#outages++;
      this.#outage = { since: at - (dead ? reason.evidence.silentFor : 0), reason };
      this.#attempt = "";
      this.#say(paint(told, "bad") + (dead ? `, bound ${text.duration(this.#bound)}` : ""));
    } else if (told !== this.#attempt) { // a dial that failed: each way of failing is told once
      this.#attempt = told;
      this.#say(told);
    }
    this.#suspicion = null;
    const bound = dead ? { bound: this.#bound } : {};
    output.record("status", { state: dead ? "dead" : "lost", ...text.reasonRecord(reason), ...bound });
  }

  #verdict(): string {
    const reason = this.#outage?.reason;
    if (reason?.kind === "closed") return "CLOSED";
    if (reason !== undefined) return reason.kind === "dead" ? reason.evidence.verdict : reason.code;
    if (this.#suspicion !== null) return `suspect (${this.#suspicion.verdict})`;
    return this.#bound === 0 ? "none" : "alive";
  }

  #exit(): number {
    const { count } = this.#context.run.values;
    const reason = this.#outage?.reason;
    if (reason?.kind === "dead") return EXIT.dead;
    if (this.#lost > 0 || (count !== undefined && this.#answered < count)) return EXIT.loss;
    return this.#ended === null || this.#ended.kind === "closed" ? EXIT.ok : EXIT.loss;
  }

  #outcome(): Outcome {
    const now = performance.now();
    const sent = this.#answered + this.#lost;
    const loss = sent === 0 ? 0 : this.#lost / sent;
    const rtt = this.#roundTrips.summary();
    const downtime = this.#downtime + (this.#outage === null ? 0 : now - this.#outage.since);
    const verdict = this.#verdict();
    const address = text.addressText(this.#context.run.address);
    const report = this.#bound === 0 ? [] : [
      paint(`--- ${address} ping statistics ---`, "strong"),
      `${sent} sent, ${this.#answered} answered, ${this.#lost} lost (${percent(loss)}), ` +
      `${text.duration(now - this.#started)}`,
      ...(rtt === null ? [] : [
        `rtt min/p50/p90/p99/max = ${
          [rtt.min, rtt.p50, rtt.p90, rtt.p99, rtt.max].map((value) => value.toFixed(3)).join("/")
        } ms`,
      ]),
      ...this.#ways.report(),
      `verdict: ${verdict}; ` +
      (this.#outages === 0
        ? "no outage"
        : `${text.count(this.#outages, "outage")}, ${text.duration(downtime)} in all`),
    ];
    const { url } = this.#context.run.address;
    const summary = {
      ...{ address: url, sent, answered: this.#answered, lost: this.#lost, loss, rtt },
      ...{ verdict, outages: this.#outages, downtime },
      ...this.#ways.summary(),
    };
    return { exit: this.#exit(), summary, report };
  }
}

function percent(share: number): string {
  const value = share * 100;
  return `${Number.isInteger(value) ? value : value.toFixed(1)}%`;
}

/** Runs the command. */
export function ping(context: Context): Promise<Outcome> {
  return new Pinger(context).run();
}

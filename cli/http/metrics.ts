/**
 * What a server tells a monitor: counters of all its sessions, in the Prometheus text format (version 0.0.4).
 *
 * Rules: a counter never runs back: what a session counted is kept when it ends. Labels have few values: codes, states. Scraping
 * looks at each open session once.
 *
 * @module
 */

import type { Code, ConnectionEvent, ServerStats, Session, SessionStats } from "../../adapters/api.ts";

/** Upper bounds of the round trips' histogram, seconds: from loopback to a bad mobile link. */
const BUCKETS: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What is added up over sessions, with the metric's name and meaning. */
const SUMS: readonly (readonly [name: string, help: string, value: (stats: SessionStats) => number])[] = [
  ["heartbeats_sent_total", "Heartbeats sent that asked for an answer or showed life.", (s) => s.pingsSent],
  ["heartbeats_answered_total", "Of the heartbeats sent, those that were answered.", (s) => s.pingsAnswered],
  ["heartbeats_received_total", "Heartbeats received.", (s) => s.pingsReceived],
  ["heartbeats_replied_total", "Of the heartbeats received, those that were answered.", (s) => s.pongsSent],
  [
    "suspicions_total",
    "Times that a peer was silent for two thirds of its detection time.",
    (s) => s.suspicions,
  ],
  ["messages_received_total", "Messages received.", (s) => s.messagesReceived],
  ["messages_sent_total", "Messages sent.", (s) => s.messagesSent],
  ["bytes_received_total", "Bytes received, framing included.", (s) => s.bytesReceived],
  ["bytes_sent_total", "Bytes sent, framing included.", (s) => s.bytesSent],
];

/** The metrics of one server. */
export class Metrics {
  readonly #live = new Set<Session>();
  readonly #past = SUMS.map(() => 0);
  readonly #rejected = new Map<Code, number>();
  readonly #buckets = BUCKETS.map(() => 0);
  #roundTrips = 0;
  #roundTripSum = 0;
  #missed = 0;
  #opened = 0;

  /** A session opened. */
  opened(session: Session): void {
    this.#opened++;
    this.#live.add(session);
  }

  /** A session ended: what it counted is kept. */
  ended(session: Session): void {
    if (!this.#live.delete(session)) return;
    const stats = session.stats();
    for (const [i, [, , value]] of SUMS.entries()) this.#past[i]! += value(stats);
  }

  /** An event of a session. */
  observe(event: ConnectionEvent): void {
    if (event.type === "pong") {
      const seconds = event.rtt / 1_000;
      this.#roundTrips++;
      this.#roundTripSum += seconds;
      const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) this.#buckets[bucket]!++;
    } else if (event.type === "fault") {
      this.#rejected.set(event.code, (this.#rejected.get(event.code) ?? 0) + 1);
    } else if (event.type === "closed" && event.reason.kind === "dead") {
      this.#missed++;
    }
  }

  /** All metrics as text. */
  render(server: ServerStats): string {
    const out = new Writer();
    out.metric("connections", "gauge", "Connections by state.");
    out.sample("connections", server.open, { state: "open" });
    out.sample("connections", server.handshakes, { state: "handshake" });
    out.sample("connections", server.transports - server.open - server.handshakes, { state: "ending" });
    out.counter("connections_accepted_total", "Connections accepted.", server.accepted);
    out.counter(
      "connections_opened_total",
      "Connections whose handshake was completed, those included that went on with a session.",
      server.opened,
    );
    out.counter("sessions_opened_total", "Sessions that began.", this.#opened);
    sessionMetrics(out, server);
    budgetMetrics(out, server);
    out.labelled("connections_refused_total", "Connections refused, by reason.", server.refused);
    out.labelled("connections_ended_total", "Connections that ended, by reason.", server.ended);
    const sums = this.#past.slice();
    for (const session of this.#live) {
      const stats = session.stats();
      for (const [i, [, , value]] of SUMS.entries()) sums[i]! += value(stats);
    }
    for (const [i, [name, help]] of SUMS.entries()) out.counter(name, help, sums[i]!);
    out.counter(
      "peers_dead_total",
      "Peers that missed their heartbeats until they were held dead.",
      this.#missed,
    );
    const rejected = Object.fromEntries(this.#rejected);
    out.labelled(
      "heartbeats_rejected_total",
      "Heartbeats and frames that were not believed, by reason.",
      rejected,
    );
    this.#histogram(out);
    return out.text;
  }

  #histogram(out: Writer): void {
    const name = "heartbeat_rtt_seconds";
    out.metric(name, "histogram", "Round trips of heartbeats, the peer's hold time taken off.");
    let count = 0;
    for (const [i, bound] of BUCKETS.entries()) {
      count += this.#buckets[i]!;
      out.sample(`${name}_bucket`, count, { le: String(bound) });
    }
    out.sample(`${name}_bucket`, this.#roundTrips, { le: "+Inf" });
    out.sample(`${name}_sum`, this.#roundTripSum);
    out.sample(`${name}_count`, this.#roundTrips);
  }
}

/** Sessions that outlive connections, when any do. */
function sessionMetrics(out: Writer, { sessions }: ServerStats): void {
  if (sessions === null) return;
  out.metric("sessions", "gauge", "Sessions that can be resumed, with a connection and without.");
  out.sample("sessions", sessions.attached, { state: "attached" });
  out.sample("sessions", sessions.detached, { state: "detached" });
  out.gauge(
    "sessions_detached_bytes",
    "Bytes that sessions without a connection hold.",
    sessions.detachedBytes,
  );
  out.counter(
    "sessions_resumed_total",
    "Times that a session went on over another connection.",
    sessions.resumed,
  );
  out.counter(
    "sessions_expired_total",
    "Sessions whose clients did not come back in time.",
    sessions.expired,
  );
}

/** The heartbeat budget, when there is one. */
function budgetMetrics(out: Writer, { heartbeatBudget, heartbeatRate, waiting }: ServerStats): void {
  if (heartbeatBudget === Infinity) return;
  out.gauge("heartbeat_budget", "Heartbeats a second that clients may send in all.", heartbeatBudget);
  out.gauge("heartbeat_rate", "Heartbeats a second that clients may send by what is agreed.", heartbeatRate);
  out.gauge("heartbeat_budget_waiting", "Handshakes that wait for room in the budget.", waiting);
}

/** Writes the text format. */
class Writer {
  text = "";

  metric(name: string, type: string, help: string): void {
    this.text += `# HELP heartwire_${name} ${help}\n# TYPE heartwire_${name} ${type}\n`;
  }

  sample(name: string, value: number, labels: Readonly<Record<string, string>> = {}): void {
    const list = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`).join(",");
    this.text += `heartwire_${name}${list === "" ? "" : `{${list}}`} ${value}\n`;
  }

  counter(name: string, help: string, value: number): void {
    this.metric(name, "counter", help);
    this.sample(name, value);
  }

  gauge(name: string, help: string, value: number): void {
    this.metric(name, "gauge", help);
    this.sample(name, value);
  }

  labelled(name: string, help: string, values: Readonly<Partial<Record<string, number>>>): void {
    this.metric(name, "counter", help);
    for (const [reason, value] of Object.entries(values)) this.sample(name, value ?? 0, { reason });
  }
}

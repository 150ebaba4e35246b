/**
 * `heartwire serve`: listens, and does something simple with every message.
 *
 * Rule: one line for each thing that happens to a session, with the reason: what is told here is what the library knew.
 *
 * @module
 */

import {
  type Address,
  HeartwireError,
  type Passing,
  type Server,
  type Session,
  type StatusBase,
} from "../../adapters/api.ts";
import { type Context, type Outcome, protocolOptions } from "../command.ts";
import { EXIT } from "../exit.ts";
import { makeHandler } from "../handlers.ts";
import { makeFetch } from "../http/handler.ts";
import { Metrics } from "../http/metrics.ts";
import type { HttpServer } from "../http/server.ts";
import { paint } from "../output.ts";
import { commandLines, runtimeText, version } from "../runtime.ts";
import { aborted } from "../stop.ts";
import * as text from "../text.ts";

/** Clients that are told to come back spread their dials over this, ms. */
const RETURN_SPREAD = 1_000;
/** What happens to this process happens to all its sessions at once; within so long it is told once, ms. */
const TOGETHER = 1_000;

class Serving {
  readonly #context: Context;
  readonly #ended: Record<string, number> = {};
  readonly #metrics = new Metrics();
  #toldAt = -Infinity;
  #sessions = 0;
  #received = 0;
  #sent = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  async run(): Promise<Outcome> {
    const { run, adapter, output, stop } = this.#context;
    const { values } = run;
    const handler = makeHandler(values.handler);
    const logging = new Set<Promise<void>>();
    const server = await adapter.listen(run.address, async (session) => {
      const name = `user${++this.#sessions}`;
      const log = this.#log(session, name).finally(() => logging.delete(log));
      logging.add(log);
      this.#metrics.opened(session);
      await handler(session, name);
    }, {
      ...protocolOptions(values),
      ...(values["resume-window"] === undefined ? {} : { resumeWindow: values["resume-window"] }),
      ...(values["heartbeat-budget"] === undefined ? {} : { heartbeatBudget: values["heartbeat-budget"] }),
      observe: (_session, event) => this.#metrics.observe(event),
      onHandlerError: (error, session) => {
        const whose = session === null ? "a handler" : `the handler of ${text.addressText(session.remote)}`;
        output.error(`${whose} failed: ${String(error)}`);
      },
    });
    output.record("listening", {
      ...text.addressRecord(server.address),
      ...{ handler: values.handler, version: version(), runtime: runtimeText() },
    });
    const http = await this.#http(server);
    this.#banner(server.address);
    await Promise.race([aborted(stop.signal), server.closed]);
    await this.#end(server);
    await Promise.all(logging);
    await http?.close();
    return this.#outcome(server);
  }

  /** The monitor's door, if it is wanted: on the host that is served, or on loopback beside a Unix socket. */
  async #http(server: Server): Promise<HttpServer | null> {
    const { run, output } = this.#context;
    if (run.values.http === undefined) return null;
    const host = server.address.kind === "tcp" ? server.address.host : "127.0.0.1";
    const { listenHttp } = await import("../http/server.ts"); // no other command should pay for node:http
    let http: HttpServer;
    try {
      http = await listenHttp(host, run.values.http, makeFetch(this.#metrics, () => server.stats()));
    } catch (cause) {
      await server.abort("the server could not start");
      throw new HeartwireError("LISTEN_FAILED", `cannot serve HTTP on port ${run.values.http}`, {
        cause,
        hint: "Take another port, or 0 for a free one.",
      });
    }
    output.note(
      `health and metrics at http://${host.includes(":") ? `[${host}]` : host}:${http.port}/metrics`,
    );
    output.record("http", { host, port: http.port });
    return http;
  }

  #banner(address: Address): void {
    const { output, run } = this.#context;
    const here = text.addressText(address, true);
    const what = `serving ${run.values.handler} at ${text.addressText(address)}`;
    output.note(`heartwire ${version()} on ${runtimeText()}, ${paint(what, "strong")}`);
    output.note("In a second terminal, on any of the runtimes:");
    for (const [title, command] of Object.entries(commandLines())) {
      output.note(`  ${title.padEnd(6)}${command} ping ${here}`);
      output.note(`  ${"".padEnd(6)}${command} connect ${here}`);
    }
    output.note("Ctrl-C ends.");
  }

  /** Tells of one session until its end. */
  async #log(session: Session, name: string): Promise<void> {
    const { output } = this.#context;
    const started = performance.now();
    // A Unix socket's client has no address of its own.
    const whom = session.remote.kind === "tcp" ? `${name} ${text.addressText(session.remote)}` : name;
    output.note(`${paint("+", "good")} ${whom} opened`);
    const bound = session.agreement?.detectionBound;
    output.record("opened", { session: name, remote: session.remote.url, detectionBound: bound });
    let suspected = false;
    let waits = false;
    for await (const status of session.status()) {
      if (status.state === "suspect") {
        suspected = true;
        const { evidence } = status;
        const limit = text.duration(evidence.limit);
        output.note(`${paint("?", "warn")} ${whom} ${text.evidenceText(evidence)}, dead at ${limit}`);
        output.record("status", { session: name, state: "suspect", ...text.evidenceRecord(evidence) });
      } else if (status.state === "resuming") {
        suspected = false;
        waits = true;
        const told = text.reasonText(status.reason);
        output.note(`${paint("?", "warn")} ${whom} ${told}; its session waits for it`);
        output.record("status", { session: name, state: "resuming", ...text.reasonRecord(status.reason) });
      } else if (status.state === "live" && (suspected || waits)) {
        output.note(
          `${paint("+", "good")} ${whom} ${waits ? "came back; its session goes on" : "heard again"}`,
        );
        output.record("status", { session: name, state: "live" });
        suspected = waits = false;
      } else if ("during" in status) this.#passed(status, name, whom);
    }
    const reason = await session.closed;
    this.#metrics.ended(session);
    const { messagesReceived: received, messagesSent: sent } = session.stats();
    const lasted = performance.now() - started;
    this.#received += received;
    this.#sent += sent;
    this.#ended[reason.kind] = (this.#ended[reason.kind] ?? 0) + 1;
    const sign = reason.kind === "closed" ? paint("-", "faint") : paint("-", "bad");
    output.note(
      `${sign} ${whom} ${text.reasonText(reason)}; ${text.duration(lasted)}, ` +
        `${text.count(received, "message")} in, ${sent} out`,
    );
    output.record("closed", { session: name, ...text.reasonRecord(reason), received, sent, lasted });
  }

  /** A stall, a clock that was set, new terms. */
  #passed(status: Passing & StatusBase, name: string, whom: string): void {
    const { output } = this.#context;
    const ours = status.state === "clockStepped" ||
      (status.state === "stalled" && status.verdict !== "PEER_STALLED");
    if (ours) {
      if (status.at - this.#toldAt < TOGETHER) return;
      this.#toldAt = status.at;
    }
    const record = text.passingRecord(status);
    output.record("status", ours ? record : { session: name, ...record });
    if (!text.notable(status)) return;
    const line = text.passingText(status).join(" ");
    output.note(`${paint("~", "warn")} ${ours ? "" : `${whom} `}${line}`);
  }

  async #end(server: Server): Promise<void> {
    const { output, stop } = this.#context;
    const { size } = server.sessions;
    if (size > 0) {
      output.note(`closing ${text.count(size, "session")}; a second Ctrl-C does not wait for them`);
    }
    const drained = server.drain({ jitter: RETURN_SPREAD });
    await Promise.race([drained, aborted(stop.forced)]);
    if (stop.forced.aborted) await server.abort("the server was stopped");
    await drained;
  }

  #outcome(server: Server): Outcome {
    const { refused } = server.stats();
    const { output } = this.#context;
    const ends = Object.entries(this.#ended).map(([kind, times]) => `${times} ${kind}`).join(", ");
    output.note(
      `served ${text.count(this.#sessions, "session")}${ends === "" ? "" : ` (${ends})`}, ` +
        `${text.count(this.#received, "message")} in, ${this.#sent} out`,
    );
    const summary = {
      sessions: this.#sessions,
      ended: this.#ended,
      refused,
      received: this.#received,
      sent: this.#sent,
    };
    return { exit: EXIT.ok, summary };
  }
}

/** Runs the command. */
export function serve(context: Context): Promise<Outcome> {
  return new Serving(context).run();
}

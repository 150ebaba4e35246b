/**
 * Our side of the tests with Python programs, on whichever runtime runs it: servers and clients on command.
 *
 * Each line of stdin is a command, each line of stdout a happening, both JSON; `id` names the server or client.
 *
 *   { id, do: "listen", options }            a server on a free port, told as `listening` with `port`
 *   { id, do: "connect", port, options }     a client
 *   { id, do: "send", text }                 the client sends
 *   { id, do: "close" | "abort", session? }  one session, or the client, or the server with all
 *
 * `upper: true` in listen answers every message in upper case; without it sessions are kept until the peer ends them. What an observer is
 * shown is told, with `session` counting from 0 and `at`, ms since 1970; so are the statuses of clients, as `status`. The end of stdin
 * ends everything, and with nothing left the process ends by itself.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";
import type { ConnectionEvent, ConnectOptions, ListenOptions, Server, Session } from "../../adapters/api.ts";
import { connect, listen } from "../support/contract.ts";

interface Command {
  readonly id: string;
  readonly do: "listen" | "connect" | "send" | "close" | "abort";
  readonly port?: number;
  readonly options?: ListenOptions & ConnectOptions;
  readonly upper?: boolean;
  readonly text?: string;
  readonly session?: number;
}

/** A server or a client, and its sessions in the order in which they opened. */
interface Party {
  readonly sessions: Session[];
  server?: Server;
  /** Gives a client that is not connected yet up. */
  readonly giveUp: AbortController;
}

const parties = new Map<string, Party>();

function tell(id: string, event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  console.log(JSON.stringify({ id, event, at: Date.now(), ...fields }));
}

/** Capitals of ASCII, as Python's `bytes.upper`. */
function upper(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => byte >= 97 && byte <= 122 ? byte - 32 : byte);
}

/** What is told of an event. */
function fieldsOf(session: Session, event: ConnectionEvent): Record<string, unknown> {
  switch (event.type) {
    case "message":
      return { text: Buffer.from(event.bytes).toString("latin1") };
    case "closed": {
      const { reason } = event;
      const evidence = reason.kind === "dead" ? reason.evidence : {};
      const { rtt: _rtt, ...stats } = session.stats();
      return {
        ...evidence,
        ...stats,
        kind: reason.kind,
        code: reason.code,
        by: "by" in reason ? reason.by : null,
        bound: session.agreement?.detectionBound,
      };
    }
    case "open":
      return { remote: session.remote.url };
    default: {
      const { type: _type, ...fields } = event;
      return fields;
    }
  }
}

function observer(id: string, { sessions }: Party) {
  return (session: Session, event: ConnectionEvent): void => {
    if (!sessions.includes(session)) sessions.push(session);
    tell(id, event.type, { session: sessions.indexOf(session), ...fieldsOf(session, event) });
  };
}

async function serve({ id, options, upper: answers }: Command, party: Party): Promise<void> {
  party.server = await listen("127.0.0.1:0", (session) => {
    return session.onMessage((message) => answers === true ? session.send(upper(message.bytes)) : undefined);
  }, { ...options, observe: observer(id, party) });
  const { address } = party.server;
  tell(id, "listening", { port: address.kind === "tcp" ? address.port : 0 });
}

async function dial({ id, port, options }: Command, party: Party): Promise<void> {
  const { signal } = party.giveUp;
  const session = await connect(`127.0.0.1:${port}`, { ...options, signal, observe: observer(id, party) });
  void session.onMessage(() => {}).catch(() => {});
  for await (const { state } of session.status()) tell(id, "status", { state });
}

async function carryOut(command: Command): Promise<void> {
  const { id } = command;
  const party = parties.get(id) ?? { sessions: [], giveUp: new AbortController() };
  parties.set(id, party);
  const one = command.session === undefined
    ? party.server ?? party.sessions[0]
    : party.sessions[command.session];
  switch (command.do) {
    case "listen":
      return await serve(command, party);
    case "connect":
      return await dial(command, party);
    case "send":
      return await party.sessions[0]!.send(command.text!);
    case "close":
      return void await one!.close();
    case "abort":
      return void await one!.abort();
  }
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const command = JSON.parse(line) as Command;
  carryOut(command).catch((error) => tell(command.id, "failed", { code: error.code, text: String(error) }));
});
input.on("close", () => {
  for (const { giveUp, server, sessions } of parties.values()) {
    giveUp.abort();
    void server?.abort();
    for (const session of sessions) session.abort();
  }
});

/**
 * From what was measured to what is told of it.
 *
 * Rule: pure functions. Every figure says what it covers.
 *
 * @module
 */

import type { Profile } from "../../adapters/api.ts";
import type { RoundTripSummary } from "../round_trips.ts";
import { count, duration } from "../text.ts";
import type { CutFigures } from "./cuts.ts";
import type { Measured, Mode } from "./work.ts";

/** What was measured where. */
export interface Setting {
  readonly mode: Mode;
  readonly profile: Profile;
  readonly size: number;
  readonly conns: number;
  /** Over TCP; a Unix socket has no handshake. */
  readonly tcp: boolean;
  /** The server is in this process. */
  readonly own: boolean;
}

/** What is told of one mode; times in ms. */
export interface Figures {
  readonly exchanges: number;
  readonly connections: number;
  readonly elapsed: number;
  readonly connectionsPerSecond: number;
  readonly messagesPerSecond: number;
  readonly latency: RoundTripSummary | null;
  /** Both directions, framing included, TCP and IP not. */
  readonly bytesPerMessage: number;
  readonly roundTripsPerMessage: number;
  readonly cpuPerMessage: number;
  /** Whose CPU time that is. */
  readonly cpuOf: "client" | "client and server";
}

/** Round trips that a connection costs besides its messages: TCP's handshake, the profile's, and the close. */
export function roundTripsOfConnection(profile: Profile, tcp: boolean): number {
  const handshake = profile === "heartwire" ? 1 : 0;
  const close = 1; // CLOSE and its answer, or the ends of the stream
  return (tcp ? 1 : 0) + handshake + close;
}

/** The figures of one mode. Round trips are computed, all else is measured. */
export function figuresOf(measured: Measured, setting: Setting): Figures {
  const { exchanges, connections, elapsed, cpu, bytesSent, bytesReceived, latency } = measured;
  const each = (total: number): number => exchanges === 0 ? 0 : total / exchanges;
  const perSecond = (total: number): number => elapsed === 0 ? 0 : total / elapsed * 1_000;
  return {
    ...{ exchanges, connections, elapsed, latency },
    connectionsPerSecond: perSecond(connections),
    messagesPerSecond: perSecond(exchanges),
    bytesPerMessage: each(bytesSent + bytesReceived),
    roundTripsPerMessage: exchanges === 0
      ? 0
      : 1 + each(connections * roundTripsOfConnection(setting.profile, setting.tcp)),
    cpuPerMessage: each(cpu),
    cpuOf: setting.own ? "client and server" : "client",
  };
}

/** A number in three digits or more. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function latencyText({ min, p50, p90, p99, max }: RoundTripSummary): string {
  const values = [min, p50, p90, p99, max].map((value) => value.toFixed(3)).join("/");
  return `latency min/p50/p90/p99/max = ${values} ms`;
}

/** What was asked of sessions whose connections are cut. */
export interface CutSetting {
  readonly size: number;
  readonly conns: number;
  readonly rate: number;
  readonly killEvery: number;
  readonly own: boolean;
}

/** What became of messages while their connections were cut, for a person. */
export function cutLines(figures: CutFigures, { size, conns, rate, killEvery, own }: CutSetting): string[] {
  const { sent, exchanges, lost, doubled, disordered, cuts, connectionsCut, reconnects, resumes } = figures;
  const each = exchanges === 0 ? 0 : figures.cpu / exchanges;
  return [
    `${count(conns, "session")}, ${sent} messages of ${size} B, ${rate} a second, in ${
      duration(figures.elapsed)
    }; all connections cut every ${duration(killEvery)}`,
    `  ${
      count(exchanges, "echo", "echoes")
    } came back: ${lost} lost, ${doubled} doubled, ${disordered} out of order`,
    `  ${count(cuts, "cut")} of ${count(connectionsCut, "connection")}, ${count(reconnects, "reconnect")}, ` +
    `of which ${resumes} resumed the session`,
    ...(figures.latency === null ? [] : [`  ${latencyText(figures.latency)}, cuts included`]),
    `  ${each.toFixed(3)} ms CPU a message and its echo (${own ? "client, server" : "client"} and the proxy)`,
  ];
}

/** The figures for a person. */
export function figureLines(figures: Figures, { mode, profile, size, conns }: Setting): string[] {
  const { exchanges, connections, latency, cpuOf } = figures;
  const lines = [
    `${mode} connections, ${profile}: ${count(exchanges, "exchange")} of ${size} B over ` +
    `${count(connections, "connection")}, ${conns} at a time, in ${duration(figures.elapsed)}`,
    `  ${digits(figures.messagesPerSecond)} messages/s, ${
      digits(figures.connectionsPerSecond)
    } connections/s`,
  ];
  if (latency !== null) lines.push(`  ${latencyText(latency)}`);
  lines.push(
    `  a message and its echo: ${digits(figures.bytesPerMessage)} B with framing, without TCP/IP headers; ` +
      `${digits(figures.roundTripsPerMessage)} round trips (computed); ` +
      `${figures.cpuPerMessage.toFixed(3)} ms CPU (${cpuOf})`,
  );
  return lines;
}

/** Both modes against each other, for a person. */
export function comparison(short: Figures, long: Figures): string {
  const times = (one: number, other: number): string => other === 0 ? "?" : digits(one / other);
  return `long against short: ${times(long.messagesPerSecond, short.messagesPerSecond)} x the messages/s, ` +
    `${times(long.bytesPerMessage, short.bytesPerMessage)} x the bytes, ` +
    `${times(long.roundTripsPerMessage, short.roundTripsPerMessage)} x the round trips, ` +
    `${times(long.cpuPerMessage, short.cpuPerMessage)} x the CPU`;
}

/**
 * What a heartbeat costs and how soon it finds a cut, before it is deployed.
 *
 * The figures are not those of a model: two connections are driven against each other in virtual time, idle, and their PINGs are
 * counted. That is not twice the rate of one side, for an answer is a sign of life as well and puts off the beat of who answers.
 *
 * Rules: deterministic, the entropy is a fixed sequence. What is agreed and its bounds are read from the machines, the sizes of
 * frames from the encoder.
 *
 * @module
 */

import { Connection } from "./connection.ts";
import type { Environment } from "./environment.ts";
import { numberOption, optionError } from "./errors.ts";
import type { HeartbeatPreset } from "./liveness/presets.ts";
import type { HeartbeatOptions } from "./options.ts";
import { ByteQueue } from "./wire/bytes.ts";
import { writePing, writePong } from "./wire/encoder.ts";
import { ANSWER } from "./wire/registry.ts";

/** What {@link heartbeatCost} computes. PINGs and bytes are of both directions together, of one connection. */
export interface HeartbeatCost {
  /** At the latest so often this side sends, ms. */
  readonly interval: number;
  /** From a cut of both directions to this side's verdict, at most, whatever is being sent, ms. */
  readonly detection: number;
  /** The same while nothing but heartbeats is sent, ms. */
  readonly idleDetection: number;
  /** PINGs an hour of an idle connection, of both sides, in the mean. */
  readonly pingsPerHour: number;
  /** Their bytes and those of their answers, without what TCP and IP add (40 to 72 a packet). */
  readonly bytesPerHour: number;
  /** TCP segments: a PING, the PONG that acknowledges it, and the acknowledgement of that. */
  readonly packetsPerHour: number;
  /** PINGs an hour that no jitter, delay and traffic exceed; what the application asks for comes on top. */
  readonly mostPingsPerHour: number;
  /** Their bytes and those of their answers. */
  readonly mostBytesPerHour: number;
}

const HOUR = 3_600_000;

/** So many PINGs are counted: the mean is known to half a percent. */
const COUNTED = 3_000;

/** The jitter's shortest delay, of an interval (liveness/liveness.ts). */
const SHORTEST = 0.75;

/** Segments of a question and its answer. */
const SEGMENTS = 3;

/**
 * What a heartbeat costs on a connection that is idle, and how soon a cut is found.
 *
 * @param heartbeat this side's options, or the name of a preset
 * @param peer the other side's; default the same
 * @param roundTrip ms; with a longer one answers put off fewer beats, so there are more of them; default 0
 * @throws HeartwireError ERR_HEARTWIRE_OPTION also when the two sides do not agree
 */
export function heartbeatCost(
  heartbeat: HeartbeatOptions | HeartbeatPreset,
  peer: HeartbeatOptions | HeartbeatPreset = heartbeat,
  roundTrip = 0,
): HeartbeatCost {
  numberOption("roundTrip", roundTrip, 0, HOUR);
  const environment = sequence();
  // Their handshake is not what is computed: no round trip may be too long for it.
  const handshakeTimeout = 4 * HOUR;
  const client = new Connection("client", { heartbeat, handshakeTimeout }, environment, 0);
  const server = new Connection("server", { heartbeat: peer, handshakeTimeout }, environment, 0);
  const link = new IdleLink(client, server, roundTrip / 2);
  const check = (): void => {
    const reason = client.reason ?? server.reason;
    if (reason?.kind === "dead") throw optionError("roundTrip", "one that the heartbeat survives", roundTrip);
    if (reason !== null) {
      throw optionError("heartbeat", "one whose detection time the peer agrees to", heartbeat);
    }
  };
  for (; client.agreement === null || server.agreement === null; check()) link.step();
  const begin = link.now;
  for (; link.pings < COUNTED; check()) {
    // Statistics are an object each time: not asked for at each step.
    for (let i = 0; i < 100; i++) link.step();
  }
  const { txInterval, rxInterval, detectionBound, idleDetectionBound } = client.agreement;
  const pings = link.pings * HOUR / (link.now - begin);
  const most = HOUR / (SHORTEST * txInterval) + HOUR / (SHORTEST * rxInterval);
  const bytes = exchangeBytes();
  return {
    interval: txInterval,
    detection: detectionBound,
    idleDetection: idleDetectionBound,
    pingsPerHour: Math.round(pings),
    bytesPerHour: Math.round(pings * bytes),
    packetsPerHour: Math.round(pings * SEGMENTS),
    mostPingsPerHour: Math.ceil(most),
    mostBytesPerHour: Math.ceil(most * bytes),
  };
}

/** The bytes of a PING that asks and its PONG. */
function exchangeBytes(): number {
  const out = new ByteQueue();
  writePing(out, ANSWER, 1, 0, 0, 0, 0, 0);
  writePong(out, 0, 2, 0, 0, 0, 0, 0);
  return out.pending;
}

/** Entropy that is always the same: a linear congruential generator (Numerical Recipes), its upper bits. */
function sequence(): Environment {
  let state = 1;
  return {
    entropy(into: Uint8Array): void {
      for (let i = 0; i < into.length; i++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        into[i] = state >>> 24;
      }
    },
  };
}

/** Two connections with nothing to say, and a way between them that only delays. */
class IdleLink {
  now = 0;
  #client: Connection;
  #server: Connection;
  #delay: number;
  #way: { readonly at: number; readonly to: Connection; readonly bytes: Uint8Array }[] = [];

  constructor(client: Connection, server: Connection, delay: number) {
    this.#client = client;
    this.#server = server;
    this.#delay = delay;
    this.#drain(client, server);
  }

  /** PINGs that both sent. */
  get pings(): number {
    return this.#client.stats().pingsSent + this.#server.stats().pingsSent;
  }

  /** Goes on to what happens next. */
  step(): void {
    const [client, server] = [this.#client, this.#server];
    const arrives = this.#way[0]?.at ?? Infinity;
    this.now = Math.max(this.now, Math.min(arrives, client.deadline(), server.deadline()));
    if (arrives <= this.now) {
      const { to, bytes } = this.#way.shift()!;
      to.receive(bytes, this.now);
      if (to.phase === "deciding") to.accept(this.now);
    } else {
      client.handleTimeout(this.now);
      server.handleTimeout(this.now);
    }
    this.#drain(client, server);
    this.#drain(server, client);
  }

  #drain(from: Connection, to: Connection): void {
    for (let bytes = from.peekTransmit(); bytes !== null; bytes = from.peekTransmit()) {
      this.#way.push({ at: this.now + this.#delay, to, bytes });
      from.advanceTransmit(bytes.length);
    }
    while (from.nextEvent() !== null);
  }
}

/**
 * Options of a connection, a client and a server, with their defaults, as a user writes them.
 *
 * Rules: ms and bytes everywhere. Defaults protect. resolve.ts checks them.
 *
 * @module
 */

import type { HeartbeatPreset } from "./liveness/presets.ts";

/** How this side beats, and how it listens. */
export interface HeartbeatOptions {
  /** Figures that go together; what is given beside it overrides. Default null: none. */
  readonly preset?: HeartbeatPreset | null;
  /** How often this side sends when it has nothing else to say, ms; 10 .. 3,600,000; default 10,000. */
  readonly interval?: number;
  /** After how many of its intervals without a word this side counts as dead; 1 .. 255; default 3. */
  readonly multiplier?: number;
  /** The shortest interval at which the peer may beat, ms; 10 .. 3,600,000; default 100. */
  readonly minimumInterval?: number;
  /** The longest detection time this side agrees to, ms; default 600,000. */
  readonly maximumDetection?: number;
  /** How many faulty heartbeats are tolerated on a connection; 0 .. 1,000; default 3. */
  readonly tolerance?: number;
  /** When silence is death: after the detection time, or as soon as what was seen before makes life unlikely; default "fixed". */
  readonly detector?: "fixed" | "accrual";
  /**
   * Accrual: how sure to be, PHI; 1 .. 16; default 8. A peer that lives is convicted once in 10^PHI silences, as far as lateness is
   * spread normally.
   */
  readonly threshold?: number;
  /** Accrual: lateness beyond what was learned that is nothing unusual, ms; default 0. */
  readonly pause?: number;
  /** Accrual: the least deviation assumed, ms; default null: a sixteenth of the agreed interval, at least 260. */
  readonly floor?: number | null;
}

/** Which protocol is spoken: heartwire/1, or one of the historical formats (docs/origins.md). */
export type Profile = "heartwire" | "classic" | "plain" | "raw";

/** Options of the profile `classic`. */
export interface ClassicOptions {
  /** A client that repeats one packet for ever: "reject" as a fault, or "count" and answer it. Default "reject". */
  readonly repeats?: "reject" | "count";
  /** The greatest difference between a packet's timestamp and our wall clock, ms; default 300,000. */
  readonly maxAge?: number;
}

/** Options of one connection. */
export interface ConnectionOptions {
  /** The protocol; default "heartwire". Both sides must name the same. */
  readonly profile?: Profile;
  /** For the profile "classic". */
  readonly classic?: ClassicOptions;
  /** How this side beats, and how it listens; or the name of a preset. */
  readonly heartbeat?: HeartbeatOptions | HeartbeatPreset;
  /** The whole handshake, ms; default 10,000. */
  readonly handshakeTimeout?: number;
  /** The closing exchange, ms; default 5,000. */
  readonly closeTimeout?: number;
  /** The longest message this side accepts, bytes; default 1 MiB, at most 1 GiB. */
  readonly maxMessage?: number;
  /** What the peer may send before the application has finished it, bytes; at least, and by default, 4/3 of what `maxMessage` costs, or 1 MiB. */
  readonly window?: number;
  /** What `send` may queue before it says "blocked", bytes; default 1 MiB. */
  readonly sendBuffer?: number;
  /**
   * What a session that can be resumed keeps until the peer has processed it, bytes; then `send` says "blocked". Default 1 MiB, or what the
   * longest message of `maxMessage` costs if that is more.
   */
  readonly retention?: number;
  /** Requests that may be open in each direction: ours beyond it are refused here, the peer's are answered with BUSY; 1 .. 65,536; default 1,024. */
  readonly maxRequests?: number;
  /** Whether the transport is encrypted; the adapter knows. Default false. */
  readonly secureTransport?: boolean;
}

/** How a client dials again. */
export interface ReconnectOptions {
  /** The first delay's upper end, ms; default 250. */
  readonly base?: number;
  /** The least delay, ms; default 50. */
  readonly floor?: number;
  /** The greatest delay's upper end, ms; default 30,000. */
  readonly cap?: number;
  /** Dial again also before the first connection; false: each endpoint is tried once, and then it fails. Default true. */
  readonly initial?: boolean;
  /**
   * On suspicion dial a replacement while the suspected connection still lives, once for each connection, for a session that can go on. Default
   * true.
   */
  readonly early?: boolean;
  /** Give up after so many failed dials in a row; a dial that became live ends the row. Default Infinity. */
  readonly maxAttempts?: number;
  /** Give up after so long without a connection, ms; default Infinity. */
  readonly giveUpAfter?: number;
}

/** Options of a client. */
export interface ClientOptions extends ConnectionOptions {
  /** How many endpoints there are to dial in turn; default 1. The driver knows what they are. */
  readonly endpoints?: number;
  /** Dial again when a connection ends. Default false. */
  readonly reconnect?: boolean | ReconnectOptions;
  /**
   * With `reconnect`: go on with the session over the next connection, so that nothing is lost and nothing comes twice. False: a new
   * conversation each time. Default true; other profiles than "heartwire" cannot.
   */
  readonly resume?: boolean;
  /** The transport's dial, ms; default 10,000. */
  readonly dialTimeout?: number;
}

/** Options of a server. */
export interface ServerOptions extends ConnectionOptions {
  /** Connections in all; default 10,000. */
  readonly maxConnections?: number;
  /** Connections a key (address); default 1,000. */
  readonly maxConnectionsPerKey?: number;
  /** Handshakes in progress; default 1,000. */
  readonly maxHandshakes?: number;
  /** Handshakes in progress a key (address); default an eighth of `maxHandshakes`, at least 8. */
  readonly maxHandshakesPerKey?: number;
  /** Ask the application before a client is welcomed; default false. */
  readonly ask?: boolean;
  /** Keep sessions in a store, which is asked; default false. */
  readonly store?: boolean;
  /** How long an answer of the store is waited for, by the driver, ms; then it has failed. Default 5,000. */
  readonly storeTimeout?: number;
  /** Wait told to clients that are refused for lack of room, ms; default 1,000. */
  readonly retryAfter?: number;
  /** For how long a session without a connection is kept for its client to come back, ms; 0 keeps none; default 120,000. */
  readonly resumeWindow?: number;
  /** So many sessions without a connection are kept at most; then the one that waits longest goes. Default 10,000. */
  readonly maxSessions?: number;
  /** What sessions without a connection may hold together, bytes; default 256 MiB. */
  readonly sessionMemory?: number;
  /**
   * PINGs a second that all clients together may agree to send; 1 at `natBound` .. 1,000,000; default Infinity, which counts nothing.
   * When it is used up, clients are slowed down as far as `natBound`; who finds no room even so is refused (`BUSY`). For the profile
   * "heartwire"; the others negotiate no rate.
   */
  readonly heartbeatBudget?: number;
  /** The longest interval that the budget asks of a client, ms: NATs forget who is silent for longer; 10 .. 3,600,000; default 25,000. */
  readonly natBound?: number;
}

/** All of {@link HeartbeatOptions}, checked. */
export type ResolvedHeartbeat = Required<HeartbeatOptions>;
/** All of {@link ConnectionOptions}, checked. */
export interface ResolvedConnection extends Required<Omit<ConnectionOptions, "heartbeat" | "classic">> {
  readonly heartbeat: ResolvedHeartbeat;
  readonly classic: Required<ClassicOptions>;
}
/** All of {@link ClientOptions}, checked. */
export interface ResolvedClient extends ResolvedConnection {
  readonly endpoints: number;
  readonly reconnect: Required<ReconnectOptions> | null;
  readonly resume: boolean;
  readonly dialTimeout: number;
}
/** All of {@link ServerOptions}, checked. */
export interface ResolvedServer
  extends ResolvedConnection, Required<Omit<ServerOptions, keyof ConnectionOptions>> {}

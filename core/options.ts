/**
 * Options of a connection, a client and a server: their defaults, and their validation at once, with the option's name.
 *
 * Rules: ms and bytes everywhere. Defaults protect. `resolve...` turns what a user wrote into a frozen, complete object;
 * nothing behind it checks again.
 *
 * @module
 */

import { HeartwireError, numberOption, optionError, unknownOption } from "./errors.ts";
import { type Figures, type HeartbeatPreset, PRESETS } from "./liveness/presets.ts";
import { type Micros, toMicros } from "./time.ts";
import { CHUNK_COST, INTERVAL_MAX, INTERVAL_MIN, MAX_CHUNK, MULTIPLIER_MAX } from "./wire/registry.ts";

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

const DAY = 86_400_000;
const GIB = 2 ** 30;
const MIB = 2 ** 20;

function object(name: string, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw optionError(name, "an object", value);
  }
}

/** Rejects names that no option has: a misspelt option must not be silently ignored. */
function known(prefix: string, value: object, names: readonly string[]): void {
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) throw unknownOption(prefix + name, names.map((known) => prefix + known));
  }
}

const PRESET_NAMES: readonly HeartbeatPreset[] = ["lan", "wan", "mobile", "datacenter-nat"];

/** What only the accrual detector knows, with its defaults. */
const ACCRUAL: Required<Pick<HeartbeatOptions, "threshold" | "pause" | "floor">> = {
  threshold: 8,
  pause: 0,
  floor: null,
};
const ACCRUAL_NAMES = ["threshold", "pause", "floor"] as const;

function resolveHeartbeat(options: HeartbeatOptions | HeartbeatPreset): ResolvedHeartbeat {
  const short = typeof options === "string";
  const given = short ? { preset: options } : options;
  object("heartbeat", given);
  known("heartbeat.", given, [
    "preset",
    "interval",
    "multiplier",
    "minimumInterval",
    "maximumDetection",
    "tolerance",
    "detector",
    ...ACCRUAL_NAMES,
  ]);
  const preset = (given.preset ?? null) === null
    ? null
    : oneOf(short ? "heartbeat" : "heartbeat.preset", given.preset!, PRESET_NAMES);
  const base: Figures = preset === null ? {} : PRESETS[preset];
  const detector = oneOf(
    "heartbeat.detector",
    given.detector ?? base.detector ?? "fixed",
    ["fixed", "accrual"] as const,
  );
  const learns = detector === "accrual";
  const learnt = learns ? { ...ACCRUAL, ...base } : ACCRUAL;
  for (const name of ACCRUAL_NAMES) {
    // What was resolved before comes again: there the defaults stand beside "fixed".
    if (learns || (given[name] ?? ACCRUAL[name]) === ACCRUAL[name]) continue;
    throw new HeartwireError("OPTION", `option heartbeat.${name}: the detector "fixed" has none`, {
      hint: `Set heartbeat.detector to "accrual", or leave heartbeat.${name} out.`,
    });
  }
  const floor = given.floor ?? learnt.floor;
  const number = (
    name: Exclude<keyof HeartbeatOptions, "preset" | "detector" | "floor">,
    usual: number,
    min: number,
    max: number,
    whole = false,
  ): number => numberOption(`heartbeat.${name}`, given[name] ?? usual, min, max, whole);
  return Object.freeze({
    preset,
    interval: number("interval", base.interval ?? 10_000, INTERVAL_MIN, INTERVAL_MAX, true),
    multiplier: number("multiplier", base.multiplier ?? 3, 1, MULTIPLIER_MAX, true),
    minimumInterval: number("minimumInterval", base.minimumInterval ?? 100, INTERVAL_MIN, INTERVAL_MAX, true),
    maximumDetection: number("maximumDetection", 600_000, INTERVAL_MIN, INTERVAL_MAX * MULTIPLIER_MAX),
    tolerance: number("tolerance", 3, 0, 1_000, true),
    detector,
    threshold: number("threshold", learnt.threshold, 1, 16),
    pause: number("pause", learnt.pause, 0, INTERVAL_MAX),
    floor: floor === null ? null : numberOption("heartbeat.floor", floor, 0.001, INTERVAL_MAX),
  });
}

/**
 * The least deviation that the accrual detector assumes, us. On a way that was never late it would otherwise be nothing, and the
 * first lost segment would be a conviction.
 *
 * Without an option it is a sixteenth of the agreed interval, and at least 260 ms: at PHI 8, which is 5.6 deviations, that forgives 1.46 s,
 * two retransmissions after another (200 + 400 ms with the least timeout of Linux, and the round trips), and the third at long intervals.
 * Less convicts several times as often where segments are lost in bursts, and gains little (docs/liveness.md). The detection time
 * bounds it anyway.
 */
export function leastDeviation(heartbeat: ResolvedHeartbeat, interval: Micros): Micros {
  if (heartbeat.floor !== null) return toMicros(heartbeat.floor);
  return Math.max(260_000, Math.floor(interval / 16));
}

const PROFILES: readonly Profile[] = ["heartwire", "classic", "plain", "raw"];

function resolveClassic(options: ClassicOptions): Required<ClassicOptions> {
  object("classic", options);
  known("classic.", options, ["repeats", "maxAge"]);
  return Object.freeze({
    repeats: oneOf("classic.repeats", options.repeats ?? "reject", ["reject", "count"] as const),
    maxAge: numberOption("classic.maxAge", options.maxAge ?? 300_000, 0, 2 ** 31 * 1_000),
  });
}

function oneOf<T extends string | boolean>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) {
    throw optionError(
      name,
      allowed.map((one) => JSON.stringify(one)).join(" or "),
      value,
    );
  }
  return value;
}

const CONNECTION_NAMES = [
  "profile",
  "classic",
  "heartbeat",
  "handshakeTimeout",
  "closeTimeout",
  "maxMessage",
  "window",
  "sendBuffer",
  "retention",
  "maxRequests",
  "secureTransport",
];

function connectionPart(options: ConnectionOptions): ResolvedConnection {
  const maxMessage = numberOption("maxMessage", options.maxMessage ?? MIB, 0, GIB, true);
  const least = windowFor(maxMessage);
  return {
    profile: oneOf("profile", options.profile ?? "heartwire", PROFILES),
    classic: resolveClassic(options.classic ?? {}),
    heartbeat: resolveHeartbeat(options.heartbeat ?? {}),
    handshakeTimeout: numberOption("handshakeTimeout", options.handshakeTimeout ?? 10_000, 1, DAY),
    closeTimeout: numberOption("closeTimeout", options.closeTimeout ?? 5_000, 1, DAY),
    maxMessage,
    window: numberOption("window", options.window ?? Math.max(MIB, least), least, 4 * GIB, true),
    sendBuffer: numberOption("sendBuffer", options.sendBuffer ?? MIB, 1, 4 * GIB, true),
    retention: numberOption("retention", options.retention ?? Math.max(MIB, least), 1, 4 * GIB, true),
    maxRequests: numberOption("maxRequests", options.maxRequests ?? 1_024, 1, 65_536, true),
    secureTransport: options.secureTransport ?? false,
  };
}

/**
 * The least window for messages of up to `size` bytes: payload and cost of its chunks, and a third of that again, for a grant
 * may lag by a quarter of the window behind what was finished (flow/inbound.ts).
 */
export function windowFor(size: number): number {
  const message = size + (Math.floor(size / MAX_CHUNK) + 1) * CHUNK_COST;
  return Math.ceil(message * 4 / 3);
}

/** What was checked: an owner's connections have one object of options together, and a tenth of a handshake went into checking it again. */
const complete = new WeakSet<ConnectionOptions>();

function checked(options: ResolvedConnection): ResolvedConnection {
  complete.add(Object.freeze(options));
  return options;
}

/** Checks the options of a connection. */
export function resolveConnection(options: ConnectionOptions = {}): ResolvedConnection {
  if (complete.has(options)) return options as ResolvedConnection;
  object("options", options);
  known("", options, CONNECTION_NAMES);
  return checked(connectionPart(options));
}

/** Of the options of an owner, those of its connections. */
export function connectionOptions(options: ResolvedConnection): ResolvedConnection {
  const { profile, classic, heartbeat, handshakeTimeout, closeTimeout, maxMessage } = options;
  const { maxRequests, window, sendBuffer, retention, secureTransport } = options;
  const times = { handshakeTimeout, closeTimeout };
  const bytes = { maxMessage, window, sendBuffer, retention };
  return checked({ profile, classic, heartbeat, ...times, ...bytes, maxRequests, secureTransport });
}

/** Checks the options of a client. */
export function resolveClient(options: ClientOptions = {}): ResolvedClient {
  object("options", options);
  known("", options, [...CONNECTION_NAMES, "endpoints", "reconnect", "resume", "dialTimeout"]);
  let reconnect: Required<ReconnectOptions> | null = null;
  if (options.reconnect !== undefined && options.reconnect !== false) {
    const wanted = options.reconnect === true ? {} : options.reconnect;
    object("reconnect", wanted);
    known("reconnect.", wanted, ["base", "floor", "cap", "initial", "early", "maxAttempts", "giveUpAfter"]);
    const cap = numberOption("reconnect.cap", wanted.cap ?? 30_000, 1, DAY);
    reconnect = Object.freeze({
      base: numberOption("reconnect.base", wanted.base ?? Math.min(250, cap), 1, cap),
      floor: numberOption("reconnect.floor", wanted.floor ?? Math.min(50, cap), 0, cap),
      cap,
      initial: oneOf("reconnect.initial", wanted.initial ?? true, [true, false]),
      early: oneOf("reconnect.early", wanted.early ?? true, [true, false]),
      maxAttempts: numberOption("reconnect.maxAttempts", wanted.maxAttempts ?? Infinity, 1, Infinity),
      giveUpAfter: numberOption("reconnect.giveUpAfter", wanted.giveUpAfter ?? Infinity, 1, Infinity),
    });
  }
  return Object.freeze({
    ...connectionPart(options),
    endpoints: numberOption("endpoints", options.endpoints ?? 1, 1, 1_000, true),
    reconnect,
    resume: oneOf("resume", options.resume ?? true, [true, false]),
    dialTimeout: numberOption("dialTimeout", options.dialTimeout ?? 10_000, 1, DAY),
  });
}

/** Checks the options of a server. */
export function resolveServer(options: ServerOptions = {}): ResolvedServer {
  object("options", options);
  const own = [
    "maxConnections",
    "maxConnectionsPerKey",
    "maxHandshakes",
    "maxHandshakesPerKey",
    "ask",
    "store",
    "storeTimeout",
    "retryAfter",
    "heartbeatBudget",
    "natBound",
    "resumeWindow",
    "maxSessions",
    "sessionMemory",
  ];
  known("", options, [...CONNECTION_NAMES, ...own]);
  const maxConnections = numberOption(
    "maxConnections",
    options.maxConnections ?? 10_000,
    1,
    10_000_000,
    true,
  );
  const maxHandshakes = numberOption("maxHandshakes", options.maxHandshakes ?? 1_000, 1, 10_000_000, true);
  const natBound = numberOption("natBound", options.natBound ?? 25_000, INTERVAL_MIN, INTERVAL_MAX, true);
  return Object.freeze({
    ...connectionPart(options),
    maxConnections,
    maxConnectionsPerKey: numberOption(
      "maxConnectionsPerKey",
      options.maxConnectionsPerKey ?? Math.min(1_000, maxConnections),
      1,
      10_000_000,
      true,
    ),
    maxHandshakes,
    maxHandshakesPerKey: numberOption(
      "maxHandshakesPerKey",
      options.maxHandshakesPerKey ?? Math.min(maxHandshakes, Math.max(8, Math.floor(maxHandshakes / 8))),
      1,
      10_000_000,
      true,
    ),
    ask: options.ask ?? false,
    store: options.store ?? false,
    storeTimeout: numberOption("storeTimeout", options.storeTimeout ?? 5_000, 1, DAY),
    retryAfter: numberOption("retryAfter", options.retryAfter ?? 1_000, 0, DAY),
    resumeWindow: numberOption("resumeWindow", options.resumeWindow ?? 120_000, 0, 7 * DAY),
    maxSessions: numberOption("maxSessions", options.maxSessions ?? 10_000, 0, 10_000_000, true),
    sessionMemory: numberOption("sessionMemory", options.sessionMemory ?? 256 * MIB, 0, 1024 * GIB, true),
    heartbeatBudget: heartbeatBudget(options.heartbeatBudget ?? Infinity, natBound),
    natBound,
  });
}

/** A budget that has no room for one client would refuse all of them. */
function heartbeatBudget(value: number, natBound: number): number {
  return value === Infinity
    ? value
    : numberOption("heartbeatBudget", value, 4_000 / (3 * natBound), 1_000_000);
}

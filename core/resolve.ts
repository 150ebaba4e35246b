/**
 * Checks options at once, with the option's name, and puts the defaults in.
 *
 * Rules: `resolve...` turns what a user wrote into a frozen, complete object; nothing behind it checks again.
 *
 * @module
 */

import { HeartwireError, numberOption, optionError, unknownOption } from "./errors.ts";
import { type Figures, type HeartbeatPreset, PRESETS } from "./liveness/presets.ts";
import type {
  ClassicOptions,
  ClientOptions,
  ConnectionOptions,
  HeartbeatOptions,
  Profile,
  ReconnectOptions,
  ResolvedClient,
  ResolvedConnection,
  ResolvedHeartbeat,
  ResolvedServer,
  ServerOptions,
} from "./options.ts";
import { CHUNK_COST, INTERVAL_MAX, INTERVAL_MIN, MAX_CHUNK, MULTIPLIER_MAX } from "./wire/registry.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

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

const HEARTBEAT_NAMES = [
  "preset",
  "interval",
  "multiplier",
  "minimumInterval",
  "maximumDetection",
  "tolerance",
  "detector",
  ...ACCRUAL_NAMES,
];

/** Without any option: what most owners have, and need not have checked again. */
let usualHeartbeat: ResolvedHeartbeat | undefined;

function resolveHeartbeat(options: HeartbeatOptions | HeartbeatPreset | undefined): ResolvedHeartbeat {
  return (options ?? null) === null ? usualHeartbeat ??= checkHeartbeat({}) : checkHeartbeat(options!);
}

function checkHeartbeat(options: HeartbeatOptions | HeartbeatPreset): ResolvedHeartbeat {
  const short = typeof options === "string";
  const given = short ? { preset: options } : options;
  object("heartbeat", given);
  known("heartbeat.", given, HEARTBEAT_NAMES);
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

const PROFILES: readonly Profile[] = ["heartwire", "classic", "plain", "raw"];

const USUAL_CLASSIC: Required<ClassicOptions> = Object.freeze({ repeats: "reject", maxAge: 300_000 });

function resolveClassic(options: ClassicOptions): Required<ClassicOptions> {
  if (options === USUAL_CLASSIC) return USUAL_CLASSIC;
  object("classic", options);
  known("classic.", options, ["repeats", "maxAge"]);
  return Object.freeze({
    repeats: oneOf("classic.repeats", options.repeats ?? USUAL_CLASSIC.repeats, ["reject", "count"] as const),
    maxAge: numberOption("classic.maxAge", options.maxAge ?? USUAL_CLASSIC.maxAge, 0, 2 ** 31 * 1_000),
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
    classic: resolveClassic(options.classic ?? USUAL_CLASSIC),
    heartbeat: resolveHeartbeat(options.heartbeat),
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

const CLIENT_NAMES = [...CONNECTION_NAMES, "endpoints", "reconnect", "resume", "dialTimeout"];
const RECONNECT_NAMES = ["base", "floor", "cap", "initial", "early", "maxAttempts", "giveUpAfter"];

/** Checks the options of a client. */
export function resolveClient(options: ClientOptions = {}): ResolvedClient {
  object("options", options);
  known("", options, CLIENT_NAMES);
  let reconnect: Required<ReconnectOptions> | null = null;
  if (options.reconnect !== undefined && options.reconnect !== false) {
    const wanted = options.reconnect === true ? {} : options.reconnect;
    object("reconnect", wanted);
    known("reconnect.", wanted, RECONNECT_NAMES);
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
  // Added one by one: V8 gives each object that begins with a spread a hidden class of its own, 3 KiB.
  const client = connectionPart(options) as Writable<ResolvedClient>;
  client.endpoints = numberOption("endpoints", options.endpoints ?? 1, 1, 1_000, true);
  client.reconnect = reconnect;
  client.resume = oneOf("resume", options.resume ?? true, [true, false]);
  client.dialTimeout = numberOption("dialTimeout", options.dialTimeout ?? 10_000, 1, DAY);
  return Object.freeze(client);
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

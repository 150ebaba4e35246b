/**
 * What the command line offers: the commands, their options, their examples. The parser and the help are both made from these
 * tables, so neither can promise what the other does not do.
 *
 * Rules: nothing stands here that does not work today. An option has the same meaning and type in every command that has
 * it. Every example runs as it is written; tests/interop runs them.
 *
 * @module
 */

import type { HeartbeatPreset } from "../core/liveness/presets.ts";
import { INTERVAL_MAX, INTERVAL_MIN, MULTIPLIER_MAX } from "../core/wire/registry.ts";

/** The commands. */
export type CommandName = "serve" | "connect" | "send" | "ping" | "bench" | "demo";

/** The protocols that can be spoken. */
export const PROFILES = ["heartwire", "classic", "plain", "raw"] as const;
/** What `serve --profile classic` can do with a client that repeats one heartbeat. */
export const REPEATS = ["reject", "count"] as const;
/** How silence can be judged. */
export const DETECTORS = ["fixed", "accrual"] as const;
/** Heartbeats for kinds of networks. */
export const PRESET_NAMES: readonly HeartbeatPreset[] = ["lan", "wan", "mobile", "datacenter-nat"];
/** What `serve` can do with messages. */
export const HANDLERS = ["echo", "upper", "discard", "chat"] as const;
/** A name out of {@link HANDLERS}. */
export type HandlerName = (typeof HANDLERS)[number];

/** The values of all options, of whichever command. What a command does not have keeps its default. */
export interface Values {
  profile: (typeof PROFILES)[number];
  /** ms; undefined leaves the library's default. */
  interval: number | undefined;
  multiplier: number | undefined;
  detector: (typeof DETECTORS)[number] | undefined;
  preset: HeartbeatPreset | undefined;
  json: boolean;
  quiet: boolean;
  help: boolean;
  version: boolean;
  handler: HandlerName;
  reconnect: boolean;
  expect: number;
  /** ms */
  timeout: number;
  count: number | undefined;
  /** Port; undefined: no HTTP. */
  http: number | undefined;
  /** ms; undefined leaves the library's default. */
  "resume-window": number | undefined;
  /** PINGs a second; undefined: no limit. */
  "heartbeat-budget": number | undefined;
  repeats: (typeof REPEATS)[number];
  /** ms */
  idle: number;
  short: boolean;
  long: boolean;
  /** Bytes. */
  size: number;
  conns: number;
  /** A second. */
  rate: number | undefined;
  /** ms */
  duration: number | undefined;
  /** ms; undefined: never. */
  "kill-every": number | undefined;
}

/** One option. */
export interface OptionSpec {
  readonly name: keyof Values;
  readonly short?: string;
  /** How the help calls its value; without one it is a flag. */
  readonly value?: string;
  /** The values it may have. */
  readonly choices?: readonly string[];
  /** The range of a whole number. */
  readonly range?: readonly [min: number, max: number];
  readonly help: string;
}

/** One command. */
export interface CommandSpec {
  /** One line. */
  readonly summary: string;
  /** What stands behind the command's name. */
  readonly operands: string;
  /** How many operands there may be. */
  readonly most: number;
  readonly description: readonly string[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
}

/** What holds if nothing else is said. */
export const DEFAULTS: Readonly<Values> = Object.freeze({
  profile: "heartwire",
  interval: undefined,
  multiplier: undefined,
  detector: undefined,
  preset: undefined,
  json: false,
  quiet: false,
  help: false,
  version: false,
  handler: "echo",
  reconnect: false,
  expect: 1,
  timeout: 10_000,
  count: undefined,
  http: undefined,
  "resume-window": undefined,
  "heartbeat-budget": undefined,
  repeats: "reject",
  idle: 1_000,
  short: false,
  long: false,
  size: 64,
  conns: 1,
  rate: undefined,
  duration: undefined,
  "kill-every": undefined,
});

/** `ping` asks so often, ms, as ping(8) does. */
export const PING_INTERVAL = 1_000;

/** `bench` makes so many exchanges. */
export const BENCH_COUNT = 1_000;

/** `bench --kill-every` sends so many messages a second, for so long, ms. */
export const KILL_RATE = 1_000;
export const KILL_DURATION = 10_000;

/** One day, ms: no wait is longer. */
const DAY = 86_400_000;

const profile: OptionSpec = {
  name: "profile",
  value: "NAME",
  choices: PROFILES,
  help:
    "the protocol: heartwire (the default), or a historical one: classic, 21-byte heartbeats and nothing else; " +
    "plain, bytes in which `heartbeat` is a sign of life; raw, bytes",
};
/** Where messages are what matters. */
const messageProfile: OptionSpec = {
  ...profile,
  choices: ["heartwire", "plain", "raw"],
  help:
    "the protocol: heartwire (the default), or a historical one: plain, bytes in which `heartbeat` is a sign of " +
    "life; raw, bytes",
};
/** Where answers are what matters. */
const pingProfile: OptionSpec = {
  ...profile,
  choices: ["heartwire", "classic"],
  help: "the protocol: heartwire (the default), or classic, the 21-byte heartbeat packet",
};
const interval: OptionSpec = {
  name: "interval",
  value: "MS",
  range: [INTERVAL_MIN, INTERVAL_MAX],
  help: "how often to send a heartbeat; default 10000; the peer may ask for fewer",
};
const pingInterval: OptionSpec = {
  ...interval,
  help:
    "how often to ask; default 1000; the heartbeat's interval is a third longer, so that a question always " +
    "comes before it; the peer may ask for fewer",
};
const multiplier: OptionSpec = {
  name: "multiplier",
  value: "N",
  range: [1, MULTIPLIER_MAX],
  help: "so many silent intervals are death; default 3",
};
const detector: OptionSpec = {
  name: "detector",
  value: "NAME",
  choices: DETECTORS,
  help:
    "when silence is death: fixed, after the detection time (the default); accrual, as soon as it is longer " +
    "than the lateness seen so far makes likely, and never later than fixed",
};
const preset: OptionSpec = {
  name: "preset",
  value: "NAME",
  choices: PRESET_NAMES,
  help:
    "heartbeats for a kind of network: lan, known dead in a second; wan, the Internet, in 6 s at most; mobile, " +
    "every 25 s; datacenter-nat, every 200 s. What is given beside it overrides it",
};
const json: OptionSpec = {
  name: "json",
  help: "write NDJSON on stdout: one object a line, the last of type summary",
};
const quiet: OptionSpec = {
  name: "quiet",
  short: "q",
  help: "on stderr say nothing but errors",
};
const pingQuiet: OptionSpec = { ...quiet, help: "print the summary and errors only" };
const help: OptionSpec = { name: "help", short: "h", help: "print this" };
const version: OptionSpec = { name: "version", short: "V", help: "print the version" };

/** The options that stand without a command too. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [help, version];

const COMMON: readonly OptionSpec[] = [interval, multiplier, detector, preset, json, quiet, help, version];

/** The commands, in the order of the help. */
export const COMMANDS: Readonly<Record<CommandName, CommandSpec>> = {
  serve: {
    summary: "listen, and do something simple with every message",
    operands: "[ADDRESS]",
    most: 1,
    description: [
      "Listens and prints a line on stderr for every session that opens, falls silent or ends, with the reason.",
      "SIGINT (Ctrl-C) and SIGTERM end it in good order: it tells every client, finishes what is under way",
      "and closes; a second one ends it at once.",
    ],
    options: [
      {
        name: "handler",
        value: "NAME",
        choices: HANDLERS,
        help: "echo: answer with the same (the default); upper: in upper case; discard: do not answer; " +
          "chat: pass each message on to all other sessions, with the sender's name",
      },
      {
        name: "http",
        value: "PORT",
        range: [0, 65_535],
        help: "answer GET /health and GET /metrics (Prometheus) on this port too; 0 takes a free one",
      },
      {
        name: "resume-window",
        value: "MS",
        range: [0, DAY],
        help:
          "for how long a session without a connection is kept for a client that reconnects; 0: not at all; " +
          "default 120000",
      },
      {
        name: "heartbeat-budget",
        value: "N",
        range: [1, 1_000_000_000],
        help:
          "heartbeats a second from all clients together at most: they are told to beat more slowly, and " +
          "refused where that is not enough; default no limit",
      },
      profile,
      {
        name: "repeats",
        value: "WHAT",
        choices: REPEATS,
        help:
          "with classic, a client that repeats one heartbeat: reject it (the default), or count it and answer",
      },
      ...COMMON,
    ],
    examples: [
      "heartwire serve",
      "heartwire serve 127.0.0.1:0 --handler upper",
      "heartwire serve /tmp/heartwire.sock --handler chat --interval 2000",
      "heartwire serve 127.0.0.1:0 --http 0",
      "heartwire serve 127.0.0.1:0 --profile plain --handler upper",
    ],
  },
  connect: {
    summary: "talk to a server: lines of stdin are messages",
    operands: "[ADDRESS]",
    most: 1,
    description: [
      "Each line of stdin is sent as a message, each message that comes is printed as a line on stdout.",
      "Changes of the connection are told on stderr. The end of stdin closes the session in good order: what is",
      "under way in both directions arrives first.",
    ],
    options: [
      {
        name: "reconnect",
        help:
          "dial again when the connection ends, and go on with the session: no line is lost or comes twice, unless the server " +
          "has lost the session",
      },
      messageProfile,
      ...COMMON,
    ],
    examples: [
      "heartwire connect 127.0.0.1:7433 --preset wan",
      "printf 'one\\ntwo\\n' | heartwire connect 127.0.0.1:7433 --reconnect",
    ],
  },
  send: {
    summary: "connect, send one message, print the reply, close",
    operands: "[ADDRESS [MESSAGE]]",
    most: 2,
    description: [
      "Without MESSAGE all of stdin is the message. A reply that does not end in a newline is printed with one.",
      "With plain and raw, everything is printed that comes until the server ends the stream or is idle.",
    ],
    options: [
      { name: "expect", value: "N", range: [0, 1_000_000], help: "wait for so many replies; default 1" },
      {
        name: "timeout",
        value: "MS",
        range: [1, DAY],
        help: "wait so long for each: the connection, every reply; default 10000",
      },
      {
        name: "reconnect",
        help:
          "when the connection ends before the reply, dial again and send again, until --timeout has passed; tells how " +
          "often the message may have been delivered besides",
      },
      messageProfile,
      {
        name: "idle",
        value: "MS",
        range: [1, DAY],
        help:
          "with plain and raw, which have no end of a reply: stop when nothing came for so long; default 1000",
      },
      ...COMMON,
    ],
    examples: [
      "heartwire send 127.0.0.1:7433 hello",
      "date | heartwire send 127.0.0.1:7433",
      "heartwire send 127.0.0.1:7433 'no answer wanted' --expect 0",
      "heartwire send 127.0.0.1:7433 hello --reconnect --timeout 20000",
    ],
  },
  ping: {
    summary: "measure the round trip, and watch for the peer's death",
    operands: "[ADDRESS]",
    most: 1,
    description: [
      "Asks at every interval and prints each answer's round trip. The first line tells the longest time that a",
      "dead peer can stay unnoticed. When the peer is found dead it prints the verdict and its evidence, dials",
      "again until it is back, and reports that; stalls of either process and clocks that are set are told as such.",
      "Ends at SIGINT (Ctrl-C) or after --count, with percentiles, and each direction's delay above its least.",
    ],
    options: [
      {
        name: "count",
        short: "c",
        value: "N",
        range: [1, Number.MAX_SAFE_INTEGER],
        help: "stop after so many; exit 0 if all were answered, 1 if not, 5 if the peer is still dead",
      },
      pingProfile,
      pingInterval,
      multiplier,
      detector,
      preset,
      json,
      pingQuiet,
      help,
      version,
    ],
    examples: [
      "heartwire ping 127.0.0.1:7433 --count 3",
      "heartwire ping 127.0.0.1:7433 --count 5 --interval 200 --json",
      "heartwire ping 127.0.0.1:7433 --count 10 --preset lan",
    ],
  },
  bench: {
    summary: "what short connections cost against long ones, on the same work",
    operands: "[ADDRESS]",
    most: 1,
    description: [
      "An exchange is a message and its echo. --short opens a connection for each exchange and closes it; --long",
      "makes all of them over one connection, or over --conns of them; with neither, first one, then the other.",
      "The server must echo. Bytes are those of both directions with the protocol's framing and without TCP's and",
      "IP's headers. Latency is from the dial (--short) or the sending (--long) to the whole echo; with --rate, from",
      "when the exchange was due. --kill-every cuts all connections again and again, and asks what became of",
      "numbered messages that are sent by the clock meanwhile: exit 1 if one was lost, doubled or out of order.",
    ],
    options: [
      { name: "short", help: "a connection for each exchange" },
      { name: "long", help: "one connection for all, or --conns of them" },
      {
        name: "count",
        short: "c",
        value: "N",
        range: [1, Number.MAX_SAFE_INTEGER],
        help: `so many exchanges; default ${BENCH_COUNT}`,
      },
      { name: "size", value: "BYTES", range: [1, 2 ** 20], help: "the length of a message; default 64" },
      { name: "conns", value: "N", range: [1, 1_000], help: "so many connections at a time; default 1" },
      {
        name: "rate",
        value: "N",
        range: [1, 1_000_000],
        help: `begin so many exchanges a second in all; default no limit, with --kill-every ${KILL_RATE}`,
      },
      {
        name: "duration",
        value: "MS",
        range: [1, DAY],
        help: `begin none after so long, instead of a count or too; with --kill-every ${KILL_DURATION}`,
      },
      {
        name: "kill-every",
        value: "MS",
        range: [10, DAY],
        help: "long sessions that reconnect, over a proxy here that cuts every connection so often",
      },
      {
        name: "timeout",
        value: "MS",
        range: [1, DAY],
        help: "give up when nothing came for so long; default 10000",
      },
      messageProfile,
      json,
      quiet,
      help,
      version,
    ],
    examples: [
      "heartwire bench --count 200",
      "heartwire bench --short --profile raw --count 200 --conns 4",
      "heartwire bench 127.0.0.1:7433 --long --size 1024 --json",
      "heartwire bench --kill-every 500 --conns 4 --duration 3000",
    ],
  },
  demo: {
    summary: "ten seconds: a link is cut in silence, and who notices",
    operands: "",
    most: 0,
    description: [
      "Two clients send messages over links that are cut in silence at the same moment, in this process but over",
      "real sockets: a heartwire session, and a plain TCP connection. Shows when each notices, and what is lost.",
      "Exit 0 if the cut was found within the stated time, the session went on and no message was lost, while plain",
      "TCP noticed nothing; else 1.",
    ],
    options: [json, quiet, help, version],
    examples: ["heartwire demo", "heartwire demo --json"],
  },
};

/** The options of a command. */
export function optionsOf(command: CommandName | null): readonly OptionSpec[] {
  return command === null ? GLOBAL_OPTIONS : COMMANDS[command].options;
}

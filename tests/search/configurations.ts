/**
 * What is searched, and why: each configuration has another part of what can happen, as far as that can be searched to the end.
 *
 * Time is coarse, or the states would have no end. It moves only to the next deadline of a machine, as often as `ticks` says; frames take none, but may
 * stay under way over any number of deadlines. Intervals are long, so that few deadlines are heartbeats; jitter and back-off are nothing, and
 * a deadline of this very moment is taken at once. So no deadline is late, no clock jumps, and no heartbeat is too fast: what depends on by how much,
 * the simulation (tests/session/simulation.ts) has. What is left is every order in which things can happen.
 *
 * A transport breaks before, between or inside frames. Which byte inside makes no difference to who gets it: the rest never comes, and what came of the
 * frame was not a frame (tests/session/cuts.test.ts has every byte). Frames that wait on one wire come together, or, where a configuration says so, one
 * by one. Once a transport is broken each end learns of it at a time of its own, or never; until then it may get what was under way, however late.
 *
 * @module
 */

import type { Bounds, Configuration } from "./state.ts";

const NONE: Bounds = {
  client: [],
  server: [],
  asks: { client: 0, server: 0 },
  cancels: 0,
  cuts: 0,
  failures: 0,
  ticks: 0,
  silences: 0,
  restarts: 0,
  closes: 0,
};

const OPTIONS: Configuration["options"] = {
  heartbeat: { interval: 10_000, multiplier: 3, minimumInterval: 10 },
  handshakeTimeout: 3_000,
  dialTimeout: 5_000,
  resumeWindow: 1_000,
  reconnect: { base: 1, floor: 0, cap: 1, early: false },
};

/** A handshake that nobody answers fails before silence convicts the connection that was suspected; and after it. */
const EARLY: Configuration["options"] = { ...OPTIONS, reconnect: { base: 1, floor: 0, cap: 1, early: true } };
const PATIENT: Configuration["options"] = { ...EARLY, handshakeTimeout: 15_000 };

/** Room for one message. */
const NARROW: Configuration["options"] = { maxMessage: 2, window: 88, retention: 140 };

const USUAL = { options: OPTIONS, connected: true, finishes: true, frames: false, lingers: false };

/** What is searched on every runtime. */
export const CONFIGURATIONS: readonly Configuration[] = [
  {
    ...USUAL,
    name: "two messages, three cuts",
    bounds: { ...NONE, client: [2], server: [2], cuts: 3 },
  },
  {
    ...USUAL,
    name: "a message of two chunks, frame by frame",
    frames: true,
    bounds: { ...NONE, client: [16_385], server: [2], cuts: 2 },
  },
  {
    ...USUAL,
    name: "old connections that still get bytes",
    lingers: true,
    bounds: { ...NONE, client: [2], server: [2], cuts: 2 },
  },
  {
    ...USUAL,
    name: "from the first dial, which may fail; the server restarts",
    connected: false,
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, failures: 1, restarts: 1 },
  },
  {
    ...USUAL,
    name: "room for one message, finished late",
    finishes: false,
    options: { ...OPTIONS, ...NARROW },
    bounds: { ...NONE, client: [2, 2, 2], server: [2], cuts: 1 },
  },
  {
    ...USUAL,
    name: "a request of each side, two cuts",
    bounds: { ...NONE, asks: { client: 1, server: 1 }, cuts: 2 },
  },
  {
    ...USUAL,
    name: "room for one message or request",
    finishes: false,
    options: { ...OPTIONS, ...NARROW },
    bounds: { ...NONE, client: [2, 2], asks: { client: 1, server: 0 }, cuts: 1 },
  },
  {
    ...USUAL,
    name: "the client closes before it is answered",
    bounds: { ...NONE, server: [2], asks: { client: 1, server: 0 }, cuts: 1, closes: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: a suspicion",
    options: EARLY,
    bounds: { ...NONE, client: [2], cuts: 1, silences: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: its dial fails, its handshake hangs",
    options: EARLY,
    bounds: { ...NONE, client: [2], failures: 1, silences: 2 },
  },
  {
    ...USUAL,
    name: "early replacement: refused, room for one message, finished late",
    finishes: false,
    options: { ...EARLY, ...NARROW, maxConnections: 1 },
    bounds: { ...NONE, server: [2, 2], silences: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: refused, room for one message or request",
    options: { ...EARLY, ...NARROW, maxConnections: 1 },
    bounds: { ...NONE, server: [2], asks: { client: 0, server: 1 }, silences: 1 },
  },
];

/** What takes longest, and is searched by `npm run test:full`. */
export const LONGEST: readonly Configuration[] = [
  {
    ...USUAL,
    name: "four messages, three cuts",
    bounds: { ...NONE, client: [2, 2], server: [2, 2], cuts: 3 },
  },
  {
    ...USUAL,
    name: "silence: suspicion, death, dials that hang",
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, silences: 2 },
  },
  {
    ...USUAL,
    name: "a request of each side among messages",
    bounds: { ...NONE, client: [2], server: [2], asks: { client: 1, server: 1 }, cuts: 1 },
  },
  {
    ...USUAL,
    name: "a request among messages, two cuts",
    bounds: { ...NONE, client: [2], server: [2], asks: { client: 1, server: 0 }, cuts: 2 },
  },
  {
    ...USUAL,
    name: "a request of each side, one taken back, two cuts",
    bounds: { ...NONE, asks: { client: 1, server: 1 }, cuts: 2, cancels: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: two silences",
    options: PATIENT,
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, silences: 2 },
  },
  {
    ...USUAL,
    name: "early replacement: frame by frame",
    options: EARLY,
    frames: true,
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, silences: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: what was finished late",
    options: EARLY,
    finishes: false,
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, silences: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: room for one message, finished late",
    finishes: false,
    options: { ...EARLY, ...NARROW },
    bounds: { ...NONE, server: [2, 2], cuts: 1, silences: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: dials fail, the server restarts",
    options: EARLY,
    bounds: { ...NONE, client: [2], cuts: 1, failures: 1, silences: 1, restarts: 1 },
  },
];

/** What takes longer, and is searched on one runtime. */
export const LONGER: readonly Configuration[] = [
  {
    ...USUAL,
    name: "four messages, two cuts",
    bounds: { ...NONE, client: [2, 2], server: [2, 2], cuts: 2 },
  },
  {
    ...USUAL,
    name: "the client closes",
    finishes: false,
    bounds: { ...NONE, client: [2], server: [2], cuts: 2, closes: 1 },
  },
  {
    ...USUAL,
    name: "two cuts, and the server restarts",
    bounds: { ...NONE, client: [2], server: [2], cuts: 2, restarts: 1 },
  },
  {
    ...USUAL,
    name: "time passes: acknowledgements, windows that end",
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, ticks: 2 },
  },
  {
    ...USUAL,
    name: "frame by frame, finished late, while time passes",
    finishes: false,
    frames: true,
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, ticks: 1 },
  },
  {
    ...USUAL,
    name: "a request behind or before a message, taken back",
    bounds: { ...NONE, client: [2], asks: { client: 1, server: 0 }, cuts: 2, cancels: 1 },
  },
  {
    ...USUAL,
    name: "a request, taken back, and the server restarts",
    bounds: { ...NONE, server: [2], asks: { client: 1, server: 0 }, cuts: 1, restarts: 1, cancels: 1 },
  },
  {
    ...USUAL,
    name: "an answer, a message, and the server restarts",
    bounds: { ...NONE, client: [2], asks: { client: 0, server: 1 }, cuts: 1, restarts: 1 },
  },
  {
    ...USUAL,
    name: "a request, while time passes",
    bounds: { ...NONE, server: [2], asks: { client: 1, server: 0 }, cuts: 1, ticks: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: a message each way",
    options: EARLY,
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, silences: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: a request",
    options: EARLY,
    bounds: { ...NONE, asks: { client: 1, server: 0 }, cuts: 1, silences: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: room for one message or request",
    options: { ...EARLY, ...NARROW },
    bounds: { ...NONE, server: [2], asks: { client: 0, server: 1 }, silences: 1 },
  },
  {
    ...USUAL,
    name: "early replacement: the old one dies first",
    options: PATIENT,
    bounds: { ...NONE, client: [2], cuts: 1, silences: 2 },
  },
  {
    ...USUAL,
    name: "early replacement: the old one dies first, the server restarts",
    options: PATIENT,
    bounds: { ...NONE, client: [2], silences: 2, restarts: 1 },
  },
];

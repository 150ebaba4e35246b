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

const USUAL = { options: OPTIONS, connected: true, finishes: true, frames: false, lingers: false };

/** What is searched on every runtime. */
export const CONFIGURATIONS: readonly Configuration[] = [
  {
    ...USUAL,
    name: "four messages, two cuts",
    bounds: { ...NONE, client: [2, 2], server: [2, 2], cuts: 2 },
  },
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
    options: { ...OPTIONS, maxMessage: 2, window: 88, retention: 140 },
    bounds: { ...NONE, client: [2, 2, 2], server: [2], cuts: 1 },
  },
  {
    ...USUAL,
    name: "the client closes",
    finishes: false,
    bounds: { ...NONE, client: [2], server: [2], cuts: 2, closes: 1 },
  },
];

/** What takes longest, and is searched by `npm run test:full`. */
export const LONGEST: readonly Configuration[] = [
  {
    ...USUAL,
    name: "four messages, three cuts",
    bounds: { ...NONE, client: [2, 2], server: [2, 2], cuts: 3 },
  },
];

/** What takes longer, and is searched on one runtime. */
export const LONGER: readonly Configuration[] = [
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
    name: "silence: suspicion, death, dials that hang",
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, silences: 2 },
  },
  {
    ...USUAL,
    name: "frame by frame, finished late, while time passes",
    finishes: false,
    frames: true,
    bounds: { ...NONE, client: [2], server: [2], cuts: 1, ticks: 1 },
  },
];

/**
 * A server that is measured: one subject in a process of its own.
 *
 *   server.js NAME OPTIONS
 *
 * @module
 */

import process from "node:process";
import { peerOf } from "../peers/mod.ts";
import type { ServeOptions } from "../peers/peer.ts";
import { answer } from "./commands.ts";
import { memory } from "./memory.ts";

const [name, options] = process.argv.slice(2) as [string, string];
const peer = await peerOf(name);
const served = await peer.serve(JSON.parse(options) as ServeOptions);

answer({
  port: () => served.port,
  established: () => served.established(),
  beats: () => served.beats?.() ?? 0,
  memory,
  startProfile: async () => await (await import("./profiler.ts")).startProfile(),
  stopProfile: async () => await (await import("./profiler.ts")).stopProfile(),
});

/**
 * The clients: they load one server after another, as they are told.
 *
 * Rules: messages go out in bursts that a client writes at once, so that all servers are woken alike; the next burst of a connection goes
 * when the one before is back. Only servers are measured by their CPU time; this process counts and takes round trips.
 *
 * @module
 */

import { peerOf } from "../peers/mod.ts";
import type { Link } from "../peers/peer.ts";
import { quantile } from "../stats.ts";
import { answer, cpuMicros } from "./commands.ts";

/** How connections are opened. */
export interface Open {
  /** The subject. */
  readonly name: string;
  readonly port: number;
  /** Bytes of a message. */
  readonly size: number;
  /** So many in all. */
  readonly count: number;
  /** ms between heartbeats; for who beats by itself. */
  readonly interval?: number;
  /** Connections that are there already, and belong to the same. */
  readonly group?: number;
}

/** What a load came to. */
export interface Ran {
  readonly messages: number;
  /** ms */
  readonly wall: number;
  /** CPU time of the client, us. */
  readonly cpu: number;
}

/** Dials at once. */
const TOGETHER = 128;
/** ms */
const STALLED = 30_000;

class Group {
  readonly links: Link[] = [];
  /** Called with each echo. */
  echoed: (link: number, count: number) => void = () => {};
}

const groups = new Map<number, Group>();
let last = 0;

async function open({ name, count, group: known, ...options }: Open): Promise<number> {
  const peer = await peerOf(name);
  const id = known ?? ++last;
  const group = groups.get(id) ?? new Group();
  groups.set(id, group);
  for (let from = group.links.length; from < count; from += TOGETHER) {
    const some = Array.from({ length: Math.min(TOGETHER, count - from) }, (_, at) => from + at);
    const links = await Promise.all(
      some.map((index) => peer.dial({ ...options, echoed: (echoes) => group.echoed(index, echoes) })),
    );
    group.links.push(...links);
  }
  return id;
}

/** How a group is to load its server. */
export interface Run {
  readonly group: number;
  /** For so long, ms; */
  readonly ms: number;
  /** ... and for at least so many messages, so that the engine has compiled what it will; default 0. */
  readonly least?: number;
  /** Messages that go together. */
  readonly burst: number;
  /** Bursts on their way on each busy connection. */
  readonly bursts: number;
  /** Connections that are busy at once; they are taken in turn. */
  readonly together: number;
}

async function run({ group: id, ms, least = 0, burst, bursts, together }: Run): Promise<Ran> {
  const group = groups.get(id)!;
  const { links } = group;
  const waiting = new Int32Array(links.length);
  let next = 0;
  let open = 0;
  let messages = 0;
  const start = performance.now();
  const cpu = cpuMicros();
  await new Promise<void>((resolve, reject) => {
    let seen = -1;
    const timer = setInterval(() => {
      if (messages === seen) reject(new Error("echoes are missing"));
      seen = messages;
    }, STALLED);
    const send = (link: number): void => {
      waiting[link]! += burst;
      open += burst;
      links[link]!.send(burst);
    };
    group.echoed = (link, count) => {
      const before = waiting[link]!;
      waiting[link]! -= count;
      open -= count;
      messages += count;
      if (messages >= least && performance.now() - start >= ms) {
        if (open > 0) return;
        clearInterval(timer);
        return resolve();
      }
      // As many bursts go as came back whole.
      const back = Math.ceil(before / burst) - Math.ceil(waiting[link]! / burst);
      for (let sent = 0; sent < back; sent++) send(next = (next + 1) % links.length);
    };
    for (let link = 0; link < Math.min(together, links.length); link++) {
      for (let sent = 0; sent < bursts; sent++) send(next = link);
    }
  });
  group.echoed = () => {};
  return { messages, wall: performance.now() - start, cpu: cpuMicros() - cpu };
}

/** One message to and fro, again and again; us. */
async function pingPong(
  { group: id, ms, least = 0 }: { group: number; ms: number; least?: number },
): Promise<{ p50: number; p99: number; count: number }> {
  const group = groups.get(id)!;
  const link = group.links[0]!;
  const times: number[] = [];
  const end = performance.now() + ms;
  await new Promise<void>((resolve) => {
    let sent = 0;
    group.echoed = () => {
      const now = performance.now();
      times.push(1_000 * (now - sent));
      if (now >= end && times.length >= least) return resolve();
      sent = performance.now();
      link.send(1);
    };
    sent = performance.now();
    link.send(1);
  });
  group.echoed = () => {};
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), count: times.length };
}

/** Sends heartbeats of clients that do not beat by themselves: each connection one an interval, evenly spread. */
async function beat(
  { group: id, ms, interval }: { group: number; ms: number; interval: number },
): Promise<void> {
  const { links } = groups.get(id)!;
  const start = performance.now();
  for (let sent = 0;;) {
    const passed = performance.now() - start;
    for (; sent < Math.min(passed, ms) / interval * links.length; sent++) {
      links[sent % links.length]!.beat?.();
    }
    if (passed >= ms) return;
    await new Promise((done) => setTimeout(done, 1));
  }
}

answer({
  open,
  run,
  pingPong,
  beat,
  wait: (ms: number) => new Promise((done) => setTimeout(done, ms)),
  close: (id: number) => {
    for (const link of groups.get(id)!.links) link.close();
    groups.delete(id);
  },
});

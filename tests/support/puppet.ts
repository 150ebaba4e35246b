/**
 * A machine that says what it is told to say, and a transport of which the test plays the operating system: for the driver.
 *
 * @module
 */

import { tcpAddress } from "../../adapters/address.ts";
import { Driver, solo } from "../../adapters/driver.ts";
import type { Transport, TransportSink } from "../../adapters/transport.ts";
import type { Machine, SocketAction } from "../../core/mod.ts";
import { VirtualWorld } from "./virtual_platform.ts";

/** What a puppet tells. */
export type Event = { readonly type: "got" | "took" | "failed" | "eof" | "late"; readonly size: number };

/** Answers each byte with `gain` bytes; the rest is set by the test. */
export class Puppet implements Machine<Event> {
  events: Event[] = [];
  out: Uint8Array[] = [];
  gain = 1;
  action: SocketAction = "keep";
  reads = true;
  at = Infinity;
  timeouts: number[] = [];
  walls: number[] = [];

  receive(bytes: Uint8Array): void {
    this.events.push({ type: "got", size: bytes.length });
    if (this.gain > 0) this.out.push(new Uint8Array(bytes.length * this.gain).fill(7));
  }
  receiveEof(): void {
    this.events.push({ type: "eof", size: 0 });
  }
  transportFailed(): void {
    this.events.push({ type: "failed", size: 0 });
    this.action = "destroy";
  }
  handleTimeout(now: number): void {
    if (now < this.at) return;
    this.timeouts.push(now);
    this.at = Infinity;
    this.events.push({ type: "late", size: 0 });
  }
  observeWall(wall: number): void {
    this.walls.push(wall);
  }
  peekTransmit(): Uint8Array | null {
    if (this.out.length > 1) {
      const whole = new Uint8Array(this.out.reduce((sum, part) => sum + part.length, 0)).fill(7);
      this.out = [whole];
    }
    return this.out[0] ?? null;
  }
  advanceTransmit(n: number): void {
    const rest = this.out[0]!.subarray(n);
    this.out[0] = rest;
    if (rest.length === 0) this.out.shift();
    this.events.push({ type: "took", size: n });
  }
  nextEvent(): Event | null {
    return this.events.shift() ?? null;
  }
  socketAction(): SocketAction {
    return this.action;
  }
  wantsRead(): boolean {
    return this.reads;
  }
  deadline(): number {
    return this.at;
  }
}

/** A transport of which the test plays the operating system. */
export class Wire implements Transport {
  remote = tcpAddress("10.0.0.2", 1);
  local = tcpAddress("10.0.0.1", 2);
  log: string[] = [];
  sink!: TransportSink;
  takes = Infinity;
  start(sink: TransportSink): void {
    this.sink = sink;
    this.log.push("start");
  }
  write(bytes: Uint8Array): number {
    const count = Math.min(this.takes, bytes.length);
    this.log.push(`write ${bytes.length} took ${count}`);
    return count;
  }
  end(): void {
    this.log.push("end");
  }
  destroy(): void {
    this.log.push("destroy");
  }
  pause(): void {
    this.log.push("pause");
  }
  resume(): void {
    this.log.push("resume");
  }
  take(): string[] {
    return this.log.splice(0);
  }
}

/** A driver, its only machine, and what it was told of that. */
export function setUp(): {
  world: VirtualWorld;
  puppet: Puppet;
  wire: Wire;
  driver: Driver<Puppet, Event>;
  seen: Event[];
} {
  const world = new VirtualWorld();
  const puppet = new Puppet();
  const seen: Event[] = [];
  const { clock } = world.platform;
  const driver: Driver<Puppet, Event> = new Driver<Puppet, Event>(solo(puppet), clock, {
    event: (_machine, event) => seen.push(event),
  });
  const wire = new Wire();
  driver.attach(puppet, wire);
  return { world, puppet, wire, driver, seen };
}

/** A driver whose owner writes down, beside the transport, when it learns of an input. */
export function watched(turned = false): {
  world: VirtualWorld;
  puppet: Puppet;
  wire: Wire;
  driver: Driver<Puppet, Event>;
} {
  const world = new VirtualWorld();
  const puppet = new Puppet();
  const wire = new Wire();
  const owner = solo<Event, Puppet>(puppet);
  const note = (line: string) => () => void wire.log.push(line);
  const settled = note("settled");
  const driver: Driver<Puppet, Event> = new Driver<Puppet, Event>(
    {
      ...owner,
      settle: (machine, now) => {
        settled();
        owner.settle(machine, now);
      },
    },
    world.platform.clock,
    {
      event: () => {},
      detached: () => driver.beforeFlush({ run: note("detached") }),
      ...(turned ? { turned: note("turned") } : {}),
    },
  );
  driver.attach(puppet, wire);
  return { world, puppet, wire, driver };
}

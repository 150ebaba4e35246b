/**
 * A platform without an operating system: sockets, clock and entropy of a world that a test moves by hand.
 *
 * Rules: nothing sleeps; time moves only in `run` and `until`. Between two virtual moments every promise that can settle has
 * settled. A transport here is a strict one: what transport.ts forbids its user throws, so that every test of sessions is a
 * test of the driver's manners too.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { type Address, tcpAddress } from "../../adapters/address.ts";
import type {
  Clock,
  Listener,
  ListenerSink,
  Platform,
  Transport,
  TransportSink,
} from "../../adapters/transport.ts";
import { Random, seeded } from "./random.ts";

/** How a transport takes bytes: all within the call, all later, or some within the call and the rest when asked again. */
export type Taking = "at once" | "later" | "short";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** One end of a connected pair. */
export class VirtualTransport implements Transport {
  readonly remote: Address;
  readonly local: Address;
  peer!: VirtualTransport;
  /** Takes bytes and gives nothing: the silent cut. */
  cut = false;
  /** Takes nothing any more: the write stays outstanding. */
  stuck = false;
  /** Keeps what it takes until `release`: what TCP makes of an outage. */
  held: (Uint8Array | null)[] | null = null;
  /** Bytes of each write. */
  readonly writes: number[] = [];
  ended = false;
  destroyed = false;
  paused = false;
  readonly #world: VirtualWorld;
  #sink: TransportSink | null = null;
  #outstanding = false;
  #waiting: (Uint8Array | null)[] = [];

  constructor(world: VirtualWorld, local: Address, remote: Address) {
    this.#world = world;
    this.local = local;
    this.remote = remote;
  }

  start(sink: TransportSink): void {
    if (this.#sink !== null) throw new Error("started twice");
    this.#sink = sink;
    this.#deliver();
  }

  write(bytes: Uint8Array): number {
    if (this.#outstanding) throw new Error("a write while one is outstanding");
    if (this.ended || this.destroyed) throw new Error("a write after the end");
    if (bytes.length === 0) throw new Error("an empty write");
    if (this.stuck) {
      this.#outstanding = true;
      return 0;
    }
    this.writes.push(bytes.length);
    const { taking } = this.#world;
    if (taking === "at once") {
      this.#carry(bytes);
      return bytes.length;
    }
    const first = taking === "short" ? Math.ceil(bytes.length / 3) : 0;
    const second = taking === "short" ? 0 : bytes.length;
    if (first > 0) this.#carry(bytes.subarray(0, first));
    if (first === bytes.length) return first;
    this.#outstanding = true;
    this.#world.after(taking === "short" ? 0.25 : 0.5, () => {
      if (this.destroyed) return;
      this.#outstanding = false;
      // Read only now: whoever changes bytes that are being written is found out.
      if (second > 0) this.#carry(bytes);
      this.#sink?.wrote(second);
    });
    return first;
  }

  /** An outage begins: what is taken from now on arrives when it is over. */
  hold(): void {
    this.held = [];
  }

  /** The outage is over. */
  release(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const bytes of held) this.#carry(bytes);
  }

  #carry(bytes: Uint8Array | null): void {
    if (this.cut) return;
    const copy = bytes === null ? null : bytes.slice();
    if (this.held !== null) return void this.held.push(copy);
    const { peer } = this;
    this.#world.after(this.#world.latency, () => {
      peer.#waiting.push(copy);
      peer.#deliver();
    });
  }

  #deliver(): void {
    while (this.#sink !== null && !this.paused && this.#waiting.length > 0) {
      const bytes = this.#waiting.shift()!;
      if (bytes === null) this.#sink.eof();
      else {
        this.#sink.received(bytes);
        bytes.fill(0xee); // borrowed until the call returned: whoever kept a view has this now
      }
    }
  }

  end(): void {
    if (this.#outstanding) throw new Error("an end while a write is outstanding");
    if (this.ended) throw new Error("ended twice");
    this.ended = true;
    this.#carry(null);
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#sink = null;
    this.#world.transports.delete(this);
    if (!this.ended) this.#carry(null);
  }

  /** The connection is reset: both ends learn of it. */
  reset(): void {
    for (const end of [this, this.peer]) {
      const sink = end.#sink;
      end.#sink = null;
      sink?.failed(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    }
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#deliver();
  }
}

/** Sockets, clock and entropy. */
export class VirtualWorld {
  /** Monotonic time, ms. */
  now = 1_000;
  /** The wall clock, ms since 1970, is this and `now`: a jump of it is a clock that was set, or a machine that slept. */
  wall = 1_700_000_000_000;
  /** From one end to the other, ms. */
  latency = 1;
  taking: Taking = "at once";
  /** Where the next dials come from. */
  host = "10.0.0.1";
  /** What the next dials end in: an error, never ("hang"), or (default) a transport if somebody listens. */
  dialing: { code: string } | "hang" | null = null;
  /** All that are not destroyed. */
  readonly transports: Set<VirtualTransport> = new Set();
  /** Every pair that was ever connected, client's end first. */
  readonly pairs: (readonly [VirtualTransport, VirtualTransport])[] = [];
  dials = 0;
  cancelled = 0;
  readonly platform: Platform;
  #timers: Timer[] = [];
  #armed = new Set<Timer>();
  readonly #listeners = new Map<string, ListenerSink>();
  #port = 40_000;

  constructor(seed = 1) {
    const clock: Clock = {
      now: () => this.now,
      wall: () => this.wall + this.now,
      setTimer: (callback, delay) => {
        if (!Number.isInteger(delay) || delay < 0 || delay > 2 ** 31 - 1) {
          throw new Error(`a timer of ${delay} ms`);
        }
        const timer = this.after(delay, () => {
          this.#armed.delete(timer);
          callback();
        });
        this.#armed.add(timer);
        return timer;
      },
      clearTimer: (timer) => {
        this.#armed.delete(timer as Timer);
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
    this.platform = {
      clock,
      environment: seeded(new Random(seed)),
      dial: (address, dialed, failed) => this.#dial(address, dialed, failed),
      listen: (address, sink) => this.#listen(address, sink),
    };
  }

  /** Timers that the code under test holds. */
  get armed(): number {
    return this.#armed.size;
  }

  /** Calls back in so many ms. */
  after(delay: number, callback: () => void): Timer {
    const timer = { at: this.now + delay, callback };
    let at = this.#timers.length;
    while (at > 0 && this.#timers[at - 1]!.at > timer.at) at--;
    this.#timers.splice(at, 0, timer);
    return timer;
  }

  #dial(
    address: Address,
    dialed: (transport: Transport) => void,
    failed: (cause: unknown) => void,
  ): () => void {
    this.dials++;
    const how = this.dialing;
    let wanted = true;
    const cancel = (): void => {
      wanted = false;
      this.cancelled++;
    };
    if (how === "hang") return cancel;
    this.after(this.latency, () => {
      if (!wanted) return;
      const sink = this.#listeners.get(address.url);
      if (how !== null || sink === undefined) {
        return failed(Object.assign(new Error("dial"), how ?? { code: "ECONNREFUSED" }));
      }
      const own = tcpAddress(this.host, ++this.#port);
      const pair = [
        new VirtualTransport(this, own, address),
        new VirtualTransport(this, address, own),
      ] as const;
      pair[0].peer = pair[1];
      pair[1].peer = pair[0];
      for (const end of pair) this.transports.add(end);
      this.pairs.push(pair);
      sink.accepted(pair[1]);
      dialed(pair[0]);
    });
    return cancel;
  }

  #listen(address: Address, sink: ListenerSink): Promise<Listener> {
    const where = address.kind === "tcp" && address.port === 0
      ? tcpAddress(address.host, ++this.#port)
      : address;
    if (this.#listeners.has(where.url)) {
      return Promise.reject(Object.assign(new Error("listen"), { code: "EADDRINUSE" }));
    }
    this.#listeners.set(where.url, sink);
    return Promise.resolve({ address: where, close: () => this.#listeners.delete(where.url) });
  }

  /** Lets so much time pass, ms. */
  async run(time: number): Promise<void> {
    const end = this.now + time;
    await settled();
    while (this.#timers.length > 0 && this.#timers[0]!.at <= end) {
      const timer = this.#timers.shift()!;
      this.now = Math.max(this.now, timer.at);
      timer.callback();
      await settled();
    }
    this.now = end;
  }

  /** Lets time pass until a promise settles, at most `limit` ms; gives its value or throws its error. */
  async until<T>(promise: Promise<T>, limit = 60_000): Promise<T> {
    let over = false;
    const done = (): void => {
      over = true;
    };
    promise.then(done, done);
    const end = this.now + limit;
    await settled();
    while (!over && this.#timers.length > 0 && this.#timers[0]!.at <= end) {
      await this.run(this.#timers[0]!.at - this.now);
    }
    if (!over) throw new Error(`not settled after ${limit} ms of virtual time`);
    return await promise;
  }
}

/** Every microtask has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

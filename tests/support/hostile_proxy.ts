/**
 * A TCP proxy that does to connections what networks do, at random: it resets them, in the middle of a frame, in one direction or both,
 * leaves one end open, falls silent, delivers late what was said long ago, or accepts and never passes anything on.
 *
 * Rules: within a connection bytes arrive in order and unchanged up to where it ends, as TCP promises. What happens to a connection
 * is drawn when it comes, from a seed, so that runs with one seed differ by time alone.
 *
 * @module
 */

import * as net from "node:net";
import { Random } from "./random.ts";

/** How a connection ends. */
export const ENDS = [
  /** Both ends are reset. */
  "reset",
  /** The client's end is reset; the server's stays open and silent for a while. */
  "resetNear",
  /** The server's end is reset; the client's stays open and silent for a while. */
  "resetFar",
  /** Both ends stay open and silent for a while. */
  "silence",
  /** The client's end is reset; what it had said is held, and reaches the server later. */
  "late",
  /** Both ends end as if the peer had hung up. */
  "hangUp",
  /** The client is accepted, and nobody reads what it says; then it is reset. */
  "swallowed",
  /** The client is accepted, the server hears of it later, and of some when they have been reset. */
  "delayed",
] as const;
/** A name out of {@link ENDS}. */
export type End = (typeof ENDS)[number];

/** What happens to one connection. */
interface Plan {
  readonly end: End;
  /** It ends when so many bytes have passed in one direction, half-way through a write as a rule; */
  readonly bytes: number;
  readonly towards: "near" | "far";
  /** or so long after the server's first byte, ms, so that on a slow machine, too, most connections begin. */
  readonly after: number;
  /** For how long an end that is left open stays so, or what was said is held, ms. */
  readonly linger: number;
}

/** Passes bytes between clients and one server, for a while. */
export class HostileProxy {
  /** Connections that were ended, by how. */
  readonly ends: Record<End, number>;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: net.Server;
  readonly #random: Random;
  readonly #sockets = new Set<net.Socket>();
  /** What is to happen later. */
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #calm = false;

  private constructor(target: { readonly host: string; readonly port: number }, seed: number) {
    this.#target = target;
    this.#random = new Random(seed);
    this.ends = Object.fromEntries(ENDS.map((end) => [end, 0])) as Record<End, number>;
    this.#server = net.createServer({ noDelay: true }, (near) => this.#accept(near));
  }

  /** A proxy before a port of this machine. */
  static async before(port: number, seed: number): Promise<HostileProxy> {
    const proxy = new HostileProxy({ host: "127.0.0.1", port }, seed);
    await new Promise<void>((resolve) => proxy.#server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    return proxy;
  }

  /** Where to dial. */
  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Connections that were ended. */
  get kills(): number {
    return Object.values(this.ends).reduce((sum, count) => sum + count, 0);
  }

  #plan(): Plan {
    const random = this.#random;
    const common = {
      towards: random.between(0, 1) === 0 ? "near" : "far",
      linger: random.between(20, 2_500),
    } as const;
    const luck = random.fraction();
    if (luck < 0.04) return { ...common, end: "swallowed", bytes: 0, after: 0 };
    if (luck < 0.08) return { ...common, end: "delayed", bytes: 0, after: 0 };
    const ends: readonly End[] = [
      "reset",
      "reset",
      "reset",
      "resetNear",
      "resetFar",
      "silence",
      "late",
      "hangUp",
    ];
    const end = ends[random.between(0, ends.length - 1)]!;
    // From the middle of the handshake to a few long messages.
    const bytes = Math.floor(2 ** (4 + 13 * random.fraction()));
    return random.fraction() < 0.4
      ? { ...common, end, bytes, after: Infinity }
      : { ...common, end, bytes: Infinity, after: random.between(1, 1_500) };
  }

  #later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
  }

  #accept(near: net.Socket): void {
    this.#keep(near);
    const plan = this.#plan();
    if (this.#calm) return this.#join(near, null, []);
    if (plan.end === "swallowed") {
      this.ends.swallowed++;
      near.on("data", () => {});
      return this.#later(plan.linger, () => reset(near));
    }
    if (plan.end === "delayed") return this.#delay(near, plan);
    this.#join(near, plan, []);
  }

  /** The server hears of it later. */
  #delay(near: net.Socket, { towards, linger }: Plan): void {
    this.ends.delayed++;
    const said: Uint8Array[] = [];
    const onData = (bytes: Uint8Array): void => void said.push(bytes);
    near.on("data", onData);
    if (towards === "far") this.#later(linger / 2, () => reset(near));
    this.#later(linger, () => {
      near.off("data", onData);
      this.#join(near, null, said);
    });
  }

  /** Connects it with the server, which hears first what was `said` already; null: nothing is planned. */
  #join(near: net.Socket, plan: Plan | null, said: readonly Uint8Array[]): void {
    const far = net.connect({ ...this.#target, noDelay: true });
    this.#keep(far);
    for (const bytes of said) far.write(bytes);
    let over = false;
    const end = (plan: Plan, rest: Uint8Array | null): void => {
      if (over || this.#calm) return;
      over = true;
      this.ends[plan.end]++;
      this.#end(near, far, plan, rest);
    };
    if (plan !== null && plan.after !== Infinity) {
      far.once("data", () => this.#later(plan.after, () => end(plan, null)));
    }
    for (const [from, to, towards] of [[near, far, "far"], [far, near, "near"]] as const) {
      let left = plan !== null && plan.towards === towards ? plan.bytes : Infinity;
      from.on("data", (bytes: Uint8Array) => {
        if (over) return;
        if (bytes.length < left || this.#calm) {
          left -= bytes.length;
          return void to.write(bytes);
        }
        to.write(bytes.subarray(0, left));
        end(plan!, from === near ? bytes.subarray(left) : null);
      });
      from.on("end", () => over || to.end());
      from.on("close", () => over || to.destroy());
    }
    if (near.destroyed && plan === null) this.#later(50, () => far.destroy()); // it had given up meanwhile
  }

  /** Ends a connection; `rest` is what the client said and was not passed on. */
  #end(near: net.Socket, far: net.Socket, { end, linger }: Plan, rest: Uint8Array | null): void {
    switch (end) {
      case "reset":
        reset(near);
        return reset(far);
      case "resetNear":
        reset(near);
        return this.#later(linger, () => reset(far));
      case "resetFar":
        reset(far);
        return this.#later(linger, () => reset(near));
      case "silence":
        return this.#later(linger, () => {
          reset(near);
          reset(far);
        });
      case "hangUp":
        near.end();
        far.end();
        return this.#later(linger, () => {
          near.destroy();
          far.destroy();
        });
      case "late": {
        const said: Uint8Array[] = rest === null ? [] : [rest];
        near.on("data", (bytes) => said.push(bytes));
        // Long enough that something is said, so short that nobody has noticed.
        this.#later(linger / 4, () => {
          reset(near);
          this.#later(linger, () => {
            for (const bytes of said) far.write(bytes);
            this.#later(20, () => reset(far));
          });
        });
      }
    }
  }

  /** From now on nothing happens to connections, and those that are being ended are over. */
  calm(): void {
    if (this.#calm) return;
    this.#calm = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) reset(socket);
  }

  /** Ends the proxy. */
  close(): Promise<void> {
    this.calm();
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Resets a connection. One that is just ending cannot be: Node 20 would fail with EINVAL and never let go of it. */
function reset(socket: net.Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

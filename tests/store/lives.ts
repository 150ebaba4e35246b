/**
 * One seeded life of a session in a store: servers die, hand over and come back, the store is slow and fails, the client is cut off and moves.
 *
 * Rules: the same seed, the same life, on every runtime.
 *
 * @module
 */

import { Random } from "../support/random.ts";
import type { Process } from "./processes.ts";
import { StoreWorld } from "./store_world.ts";

/** A life. */
export class Life {
  readonly world: StoreWorld;
  readonly seed: number;
  crashes = 0;
  moves = 0;
  /** Of each message, how far it was stored as finished, where it came again. */
  again = 0;
  #random: Random;
  /** Messages that were finished, by position, and what a claim found. */
  #positions: Map<string, number> = new Map();

  constructor(seed: number) {
    this.seed = seed;
    const random = this.#random = new Random(seed);
    const small = random.between(0, 2) === 0;
    const sizes = small ? { maxMessage: 900, window: 4_000, retention: 3_000, sendBuffer: 3_000 } : {};
    this.world = new StoreWorld(seed ^ 0x2545f491, 3, sizes, sizes);
    const { world } = this;
    world.latency = random.between(1, 8);
    world.thinking = random.between(0, 60);
    world.hold = random.between(0, 1) === 0 ? 0 : random.between(1, 40);
    world.onFinished = (_process, session, text, position) => {
      const known = this.#positions.get(text);
      this.#positions.set(text, position);
      if (known === undefined) return;
      // What was stored as finished when the session was claimed must not come.
      this.again++;
      const floor = this.#floors.get(session) ?? 0;
      if (known <= floor) this.#fail(`${text} comes again, though it was stored up to ${floor}`);
    };
    world.onRestored = (session, floor) => this.#floors.set(session, floor);
  }

  #floors: Map<unknown, number> = new Map();

  #fail(what: string): never {
    throw new Error(`seed ${this.seed}, ${this.world.now} ms: ${what}`);
  }

  /** Some actions, then peace; then everything must have come to rest. */
  run(actions = 60): this {
    const { world } = this;
    world.run(3_000, () => world.client.session?.resumable === true && world.store.table.size === 1);
    if (world.store.table.size !== 1) this.#fail("the session is not in the store");
    this.#turn();
    for (let i = 0; i < actions; i++) this.#act();
    this.#heal();
    return this;
  }

  #act(): void {
    const { world } = this;
    const random = this.#random;
    const draw = random.between(0, 99);
    const size = random.between(0, 20) === 0 ? 800 : 0;
    if (draw < 25) world.post(size);
    else if (draw < 32) world.ask();
    else if (draw < 37) {
      const { alive } = world;
      if (alive.length > 0) world.question(alive[random.between(0, alive.length - 1)]!);
    } else if (draw < 50) {
      const alive = world.alive;
      if (alive.length > 0) world.push(alive[random.between(0, alive.length - 1)]!, size);
    } else if (draw < 85) {
      world.run(random.between(0, 3) === 0 ? random.between(20, 400) : random.between(0, 20));
    } else this.#fault(draw);
  }

  #fault(draw: number): void {
    const { world } = this;
    const random = this.#random;
    if (draw < 90) {
      this.moves++;
      return world.cut(random.between(0, 1) === 0);
    }
    if (draw < 94) {
      this.crashes++;
      world.crash(this.#someone());
      world.begin();
      return;
    }
    if (draw < 96) {
      return this.#turn();
    }
    if (draw < 98) {
      // One leaves in order, and another comes.
      world.leave(this.#someone());
      world.begin();
      return;
    }
    // All of them at once.
    this.crashes++;
    for (const process of world.alive) world.crash(process);
    for (let i = 0; i < 3; i++) world.begin();
  }

  /** The store's weather changes. */
  #turn(): void {
    const random = this.#random;
    const delay = [0, 5, 40, 300][random.between(0, 3)]!;
    this.world.store.weather = { delay, lost: delay === 0 ? 0 : random.between(0, 40) };
  }

  #someone(): Process {
    const { world } = this;
    const alive = world.alive;
    const { where } = world;
    return where !== null && where.alive ? where : alive[this.#random.between(0, alive.length - 1)]!;
  }

  #heal(): void {
    const { world } = this;
    world.store.weather = { delay: 2, lost: 0 };
    world.run(60_000, () => world.quiet);
    const { answers, posted } = world;
    if (world.lost.length > 0) this.#fail(`lost: ${world.lost.slice(0, 5)}`);
    if (!world.quiet) {
      this.#fail(`not at rest: ${answers.length} of ${posted}, ${world.replies.size} of ${world.asked}`);
    }
    world.run(5_000);
    const names = answers.map((text) => text.replace(/\.*$/, ""));
    for (let i = 0; i < posted; i++) {
      if (names[i] !== `rc${i}`) this.#fail(`answer ${i} is ${names[i]}: ${names}`);
    }
    if (names.length !== posted) this.#fail(`${names.length} answers to ${posted}`);
    const got = new Set(world.received);
    if (got.size !== world.received.length) this.#fail("something came twice");
    for (const text of world.store.stored) {
      if (/^s\d/.test(text) && !got.has(text)) this.#fail(`${text.slice(0, 8)} was stored, and never came`);
    }
    if (world.replies.size !== world.asked) this.#fail("a request without an answer");
  }
}

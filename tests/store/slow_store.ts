/**
 * A store that is slow and fails: what it is asked is carried out after a delay and answered after another, a question or its answer may get lost, and
 * what was given up may be carried out long after.
 *
 * @module
 */

import type { StoreAnswer, StoreQuestion } from "../../core/store/questions.ts";
import { SessionTable } from "../../core/store/table.ts";
import type { Random } from "../support/random.ts";

const decoder = new TextDecoder();

/** How the store behaves. */
export interface Weather {
  /** Until a question is carried out, and until its answer comes, ms at most. */
  readonly delay: number;
  /** Of 100 questions so many get lost, or their answers. */
  readonly lost: number;
}

/** Whose time it is. */
interface Host {
  readonly now: number;
  later(wait: number, run: () => void): void;
  count(what: string): void;
}

/** The store. */
export class SlowStore {
  weather: Weather = { delay: 0, lost: 0 };
  readonly table: SessionTable;
  /** What was carried out for sending. */
  readonly stored: Set<string> = new Set();
  /** The serials of what was written, by session and generation. */
  readonly #serials: Map<string, number> = new Map();
  readonly #random: Random;
  readonly #world: Host;

  constructor(limit: number, random: Random, world: Host) {
    this.table = new SessionTable(limit);
    this.#random = random;
    this.#world = world;
  }

  /** A question goes to the store, and its answer comes back, if they do. */
  ask(question: StoreQuestion, answer: (answer: StoreAnswer) => void): void {
    const { delay, lost } = this.weather;
    const random = this.#random;
    const there = delay === 0 ? 0 : random.between(0, delay);
    const back = there + (delay === 0 ? 0 : random.between(0, delay));
    const fate = random.between(0, 99) < lost ? random.between(0, 2) : 3;
    const failed: StoreAnswer = { type: "failed", text: "no answer" };
    this.#world.count(fate === 3 ? question.type : "lost");
    if (fate === 0) return this.#world.later(back, () => answer(failed)); // lost on the way there
    if (fate === 1) {
      this.#world.later(there, () => void this.#carryOut(question)); // or on the way back
      return this.#world.later(back, () => answer(failed));
    }
    if (fate === 2) {
      this.#world.later(back, () => answer(failed)); // or it took too long
      return this.#world.later(back + random.between(0, 20 * delay), () => void this.#carryOut(question));
    }
    this.#world.later(there, () => {
      const result = this.#carryOut(question);
      this.#world.later(back - there, () => answer(result));
    });
  }

  #carryOut(question: StoreQuestion): StoreAnswer {
    const late = (question.type === "append" || question.type === "acknowledge") &&
      question.serial <= (this.#serials.get(`${question.session} ${question.generation}`) ?? 0);
    const result = this.table.answer(question, this.#world.now);
    this.#world.count(`${question.type} ${result.type}`);
    if (result.type === "failed") throw new Error(result.text);
    if ((question.type === "append" || question.type === "acknowledge") && result.type === "ok" && !late) {
      this.#serials.set(`${question.session} ${question.generation}`, question.serial);
    }
    if (question.type === "append" && result.type === "ok" && !late) {
      for (const chunk of question.chunks) this.stored.add(decoder.decode(chunk.subarray(1)));
    }
    return result;
  }
}

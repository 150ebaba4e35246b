/**
 * What is to be done at a time, on a virtual clock.
 *
 * @module
 */

/** Tasks in the order of their times. */
export class Tasks {
  #tasks: { at: number; run: () => void }[] = [];

  /** Does something at a time, behind what is to be done then already. */
  add(at: number, run: () => void): void {
    const before = this.#tasks.findIndex((task) => task.at > at);
    this.#tasks.splice(before < 0 ? this.#tasks.length : before, 0, { at, run });
  }

  /** When the next one is due; Infinity: none waits. */
  get next(): number {
    return this.#tasks[0]?.at ?? Infinity;
  }

  /** Does what is due. */
  run(now: number): void {
    while (this.next <= now) this.#tasks.shift()!.run();
  }
}

/**
 * What waits for being drained: events, and whatever else is gathered by one turn and taken by the next.
 *
 * Rules: the place of a burst is kept for the next one, for growing it anew costs a fifth of an event; it is let go of when few events come, so that an
 * idle connection holds next to nothing. What was taken is held no longer. An array whose `length` is set, or that is spliced, calls into the engine each time.
 *
 * @module
 */

/** Places that may always stay. */
const KEPT = 16;

/** No literal: V8 copies that when it is first written to, and then holds every store to be of any kind. */
function one<E>(): (E | null)[] {
  const places = new Array<E | null>(1);
  places[0] = null;
  return places;
}

/** A queue that is filled by an input and then drained to its end. */
export class EventQueue<E> {
  /** With one place: an empty array that is added to gets 17 of them. */
  #places: (E | null)[] = one();
  #next = 0;
  #count = 0;

  /** Adds one. */
  push(event: E): void {
    this.#places[this.#count++] = event;
  }

  /** Takes the next, or null. */
  take(): E | null {
    if (this.#next === this.#count) {
      if (this.#count > 0) this.#drained();
      return null;
    }
    const event = this.#places[this.#next]!;
    this.#places[this.#next++] = null;
    return event;
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#next === this.#count;
  }

  #drained(): void {
    if (this.#places.length > KEPT && this.#places.length > 4 * this.#count) this.#places = one();
    this.#next = this.#count = 0;
  }

  /** A copy. */
  clone(): EventQueue<E> {
    const copy = new EventQueue<E>();
    copy.#places = this.#places.slice(this.#next, this.#count);
    copy.#count = copy.#places.length;
    return copy;
  }
}

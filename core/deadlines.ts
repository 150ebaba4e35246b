/**
 * The earliest of many deadlines: a binary heap with lazy entries, so that one timer serves every connection of a server.
 *
 * A heartbeat moves a connection's deadline later with every packet. That must cost nothing, so an entry is moved only when its
 * deadline becomes earlier; one that turns out to be later is put back when it comes up.
 *
 * Rules: an item holds its own place (`index`), so the heap needs no map. The times lie in an array of their own, as plain numbers: one in an object
 * is an object again, 16 of the 42 bytes that a timer took on Node, and each comparison would fetch the item as well.
 *
 * @module
 */

/** Something with a deadline. `index` belongs to the heap; begin with -1. */
export interface Timed {
  /** Its place in the heap; -1 = not in it. */
  index: number;
}

/** The least room, and none. */
const LEAST_ROOM = 8;
const NO_TIMES = new Float64Array(0);

/** A heap of deadlines. */
export class Deadlines<T extends Timed> {
  #items: T[] = [];
  /** When each is looked at: never later than its deadline. As long as the room. */
  #times: Float64Array = NO_TIMES;

  /** The earliest time at which something may be due; Infinity = never. */
  next(): number {
    return this.#items.length === 0 ? Infinity : this.#times[0]!;
  }

  /** The deadline of `item` is now `at`. Short, so that engines put it where it is called: on Bun that halves what it costs. */
  update(item: T, at: number): void {
    const { index } = item;
    if (index < 0) this.#add(item, at);
    else if (at < this.#times[index]!) this.#up(item, index, at);
  }

  #add(item: T, at: number): void {
    if (at === Infinity) return;
    const end = this.#items.length;
    if (end === this.#times.length) this.#resize(Math.max(LEAST_ROOM, end + (end >> 1)));
    this.#items.push(item);
    this.#up(item, end, at);
  }

  /** Takes out an item that may be due, or null. Tell its deadline with {@link update} when it was looked at. */
  take(now: number): T | null {
    const top = this.#items[0];
    if (top === undefined || this.#times[0]! > now) return null;
    this.remove(top);
    return top;
  }

  /** Takes an item out. */
  remove(item: T): void {
    const { index } = item;
    if (index < 0) return;
    item.index = -1;
    const last = this.#items.pop()!;
    const end = this.#items.length;
    const at = this.#times[end]!;
    if (end >= LEAST_ROOM && end < this.#times.length >> 2) this.#resize(2 * end);
    if (last === item) return;
    if (index > 0 && this.#times[(index - 1) >> 1]! > at) this.#up(last, index, at);
    else this.#down(last, index, at);
  }

  #resize(room: number): void {
    const times = new Float64Array(room);
    times.set(this.#times.subarray(0, Math.min(room, this.#times.length)));
    this.#times = times;
  }

  /** Puts an item where it belongs, at `index` or above. */
  #up(item: T, index: number, at: number): void {
    const items = this.#items;
    const times = this.#times;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const time = times[above]!;
      if (time <= at) break;
      const parent = items[above]!;
      items[index] = parent;
      times[index] = time;
      parent.index = index;
      index = above;
    }
    items[index] = item;
    times[index] = at;
    item.index = index;
  }

  /** ... or below. */
  #down(item: T, index: number, at: number): void {
    const items = this.#items;
    const times = this.#times;
    const count = items.length;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= count) break;
      if (below + 1 < count && times[below + 1]! < times[below]!) below++;
      const time = times[below]!;
      if (time >= at) break;
      const child = items[below]!;
      items[index] = child;
      times[index] = time;
      child.index = index;
      index = below;
    }
    items[index] = item;
    times[index] = at;
    item.index = index;
  }
}

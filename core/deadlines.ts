/**
 * The earliest of many deadlines: a binary heap with lazy entries, so that one timer serves every connection of a server.
 *
 * A heartbeat moves a connection's deadline later with every packet. That must cost nothing, so an entry is moved only when its
 * deadline becomes earlier; one that turns out to be later is put back when it comes up.
 *
 * Rules: an item holds its own place (`at`, `index`), so the heap needs no map.
 *
 * @module
 */

/** Something with a deadline. `at` and `index` belong to the heap; begin with Infinity and -1. */
export interface Timed {
  /** When it is looked at: never later than its deadline. */
  at: number;
  /** Its place in the heap; -1 = not in it. */
  index: number;
}

/** A heap of deadlines. */
export class Deadlines<T extends Timed> {
  #items: T[] = [];

  /** The earliest time at which something may be due; Infinity = never. */
  next(): number {
    return this.#items.length === 0 ? Infinity : this.#items[0]!.at;
  }

  /** The deadline of `item` is now `at`. */
  update(item: T, at: number): void {
    if (item.index < 0) {
      if (at === Infinity) return;
      item.index = this.#items.length;
      this.#items.push(item);
    } else if (at >= item.at) {
      return;
    }
    item.at = at;
    this.#up(item);
  }

  /** Takes out an item that may be due, or null. Tell its deadline with {@link update} when it was looked at. */
  take(now: number): T | null {
    const top = this.#items[0];
    if (top === undefined || top.at > now) return null;
    this.remove(top);
    return top;
  }

  /** Takes an item out. */
  remove(item: T): void {
    const { index } = item;
    if (index < 0) return;
    item.index = -1;
    item.at = Infinity;
    const last = this.#items.pop()!;
    if (last === item) return;
    last.index = index;
    this.#items[index] = last;
    this.#up(last);
    this.#down(last);
  }

  #up(item: T): void {
    const items = this.#items;
    let { index } = item;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = items[above]!;
      if (parent.at <= item.at) break;
      items[index] = parent;
      parent.index = index;
      index = above;
    }
    items[index] = item;
    item.index = index;
  }

  #down(item: T): void {
    const items = this.#items;
    let { index } = item;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && items[below + 1]!.at < items[below]!.at) below++;
      const child = items[below]!;
      if (child.at >= item.at) break;
      items[index] = child;
      child.index = index;
      index = below;
    }
    items[index] = item;
    item.index = index;
  }
}

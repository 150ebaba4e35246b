/**
 * What copies and canonical keys of several machines share, so that a search can tell states apart (tests/search).
 *
 * A machine is copied with all that it owns, and what two of its parts share, their copies share, too: {@link Copies}. The key of a machine is
 * its state as text: times relative to now, counters to a base, and what is random renamed by its first appearance ({@link Names}), so that two
 * runs that differ only in what was drawn have equal keys. Equal keys step alike.
 *
 * Rules: what is only reported (statistics, reasons that were told) is in no key. Whoever adds a field to a machine adds it to `clone`, and to `key`
 * unless it is only reported; tests/machine/fields.test.ts holds a list of what is in neither, with the reason.
 *
 * @module
 */

import { bytesKey } from "./wire/bytes.ts";

/** The copies that were made of the parts of a machine. */
export class Copies {
  #made: Map<object, object> = new Map();

  /** The copy of a part: made when it is first asked for, the same from then on. */
  of<T extends object>(part: T, make: () => T): T {
    const known = this.#made.get(part);
    if (known !== undefined) return known as T;
    const copy = make();
    this.#made.set(part, copy);
    return copy;
  }

  /** The copy that was made of a part; null: none was. */
  made<T extends object>(part: T): T | null {
    return (this.#made.get(part) as T | undefined) ?? null;
  }
}

/** The names that a key gives to what is random, and the bases of what is counted. */
export class Names {
  /** What was named, in order. */
  readonly seen: Map<string, number> = new Map();
  /** The first value of each count. */
  readonly bases: Map<string, number> = new Map();

  /** The name of something random, equal for equal bytes. */
  of(random: Uint8Array | string): string {
    const raw = typeof random === "string" ? random : bytesKey(random);
    const known = this.seen.get(raw);
    const name = known ?? this.seen.size;
    if (known === undefined) this.seen.set(raw, name);
    return `#${name}`;
  }

  /** A counter relative to the first value of its kind that was asked for. */
  count(kind: string, value: number): number {
    const base = this.bases.get(kind);
    if (base === undefined) this.bases.set(kind, value);
    return value - (base ?? value);
  }
}

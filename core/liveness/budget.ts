/**
 * A server's heartbeat budget: so many PINGs a second may come from all its clients together, and never more.
 *
 * A client whose agreed interval is i sends at most 1 / (0.75 i) PINGs a second, for it draws each delay from U[0.75, 1] x i
 * (docs/PROTOCOL.md, section 5). The server can make i longer, by a greater `requiredRx`, as far as the NAT bound N: a NAT or firewall
 * forgets a connection that is silent for longer. So each client has a fastest interval, `base` = max(what it desires, what the
 * server takes), and a slowest, max(base, N); what desires to be slower than N is left alone. The most clients of base <= N that
 * a budget of B PINGs a second can hold is floor(0.75 x N x B).
 *
 * The invariant: the sum of the rates that clients *may* be using is at most B at every moment. A client counts with the faster of the
 * interval in force and the one offered to it: one that is slowed down counts with the old rate until it confirms, one that is
 * sped up with the new rate at once, a newcomer from before it is welcomed. (What is counted is the beat. Beside it each change
 * costs a client one PING, and so do an application's own.)
 *
 * The level: let T(l) = l clamped to [base, slowest] for each client, and S(l) the sum of the rates at T(l), newcomers that wait
 * included. S falls as l grows. The levels are N, N / sqrt 2, N / 2 ... rounded up to whole ms, and S is kept for each of them. Then
 *
 *   - S(N) > B: there is no room, whatever anybody gives up; the newcomer is refused at once;
 *   - the least l with S(l) <= B is what everybody may have to come down to. A newcomer is welcomed at T(l). Until there is room for
 *     it, the fastest are slowed down to T(l), as few as suffice;
 *   - the least l with S(l) <= 7/8 B is what all may rise to: the slowest are sped up level by level while nobody waits and the sum
 *     stays below 7/8 B. Between the two a client that comes and goes changes nothing: a wave needs an eighth of the load.
 *
 * Rules: the unit is 1/1,000,000 of the rate at N, and rates are rounded up to whole units, so that every sum is exact and the capacity
 * is met to the client. Every sum is a sum over clients of a function of the client's own state; to change a client is to
 * take it out, change it, and put it back, so nothing drifts. No step looks at all clients: an event costs O(levels), and
 * sends at most {@link STEPS} offers besides the welcomes.
 *
 * @module
 */

import { type Micros, NEVER } from "../time.ts";

/** The rate at the NAT bound, units. */
const UNITS = 1_000_000;

/** A newcomer waits for room so long, us; then it is refused. */
export const WAIT: Micros = 2_000_000;

/** An offer that is not confirmed for so long is not counted upon any more, us. */
export const PATIENCE: Micros = 1_000_000;

/** Who declined is left alone for so long, us. */
export const REST: Micros = 60_000_000;

/** Offers sent because of one event, at most; answers to them bring the next. */
export const STEPS = 32;

/** A place in a {@link Line}. */
class Place<T> {
  readonly owner: T;
  line: Line<T> | null = null;
  before: Place<T> | null = null;
  after: Place<T> | null = null;

  constructor(owner: T) {
    this.owner = owner;
  }

  leave(): void {
    const { line, before, after } = this;
    if (line === null) return;
    if (before === null) line.first = after;
    else before.after = after;
    if (after === null) line.last = before;
    else after.before = before;
    this.line = this.before = this.after = null;
  }
}

/** First come, first served; anybody may leave at once. */
class Line<T> {
  first: Place<T> | null = null;
  last: Place<T> | null = null;

  join(place: Place<T>): void {
    place.line = this;
    place.before = this.last;
    if (this.last === null) this.first = place;
    else this.last.after = place;
    this.last = place;
  }
}

/**
 * What a client is: it *waits* for room; has an *offered* interval (the welcome is one) or one that is *overdue*; is *settled*; *rests*
 * after it declined; or is *gone*.
 */
type State = "waiting" | "offered" | "overdue" | "settled" | "resting" | "gone";

/** One client's share of the budget. Changed by its {@link Budget} only. */
export class Seat<M> {
  /** Whose it is. */
  readonly member: M;
  /** The shortest interval that it may get, ms. */
  readonly base: number;
  /** The longest, ms. */
  readonly slowest: number;
  /** The interval in force, ms; while it waits, the longest. */
  interval: number;
  /** The interval offered to it, ms; `interval` when none is. */
  asked: number;
  /** What it is. */
  state: State = "gone";
  /** When its state is looked at again, us. */
  at: Micros = NEVER;
  /** Among those that wait, have an offer, rest, or can be slowed down. */
  readonly place: Place<Seat<M>>;
  /** Among those that can be sped up. */
  readonly spare: Place<Seat<M>>;

  /** A seat that nobody sits on. */
  constructor(member: M, base: number, slowest: number) {
    this.member = member;
    this.base = base;
    this.slowest = slowest;
    this.interval = this.asked = slowest;
    this.place = new Place<Seat<M>>(this);
    this.spare = new Place<Seat<M>>(this);
  }

  /** Whether it was told an interval and did not answer yet. */
  get open(): boolean {
    return this.state === "offered" || this.state === "overdue";
  }
}

/** What is to be told to a client: that it may come in, that there is no room for it, or another interval, ms. */
export type Decision<M> =
  | { readonly type: "welcome" | "retune"; readonly seat: Seat<M>; readonly interval: number }
  | { readonly type: "refuse"; readonly seat: Seat<M> };

/** The budget of one server. */
export class Budget<M> {
  /** How many clients that desire N or faster it can hold. */
  readonly capacity: number;
  readonly #minimum: number;
  readonly #bound: number;
  readonly #most: number;
  readonly #calm: number;
  /** From the fastest to N, ms. */
  readonly #levels: number[];
  /** S, and the part of it that is of those that wait. */
  readonly #sums: number[];
  readonly #waitingSums: number[];
  /** What clients may be sending now, and how much less once the offers that are under way are confirmed. */
  #counted = 0;
  #relief = 0;
  #waiting = 0;
  readonly #line: Line<Seat<M>> = new Line<Seat<M>>();
  readonly #offers: Line<Seat<M>> = new Line<Seat<M>>();
  readonly #rests: Line<Seat<M>> = new Line<Seat<M>>();
  /** The settled, by level: those whose interval is from this level to below the next and can be slowed down ... */
  readonly #fast: Line<Seat<M>>[];
  /** ... and those whose interval is above the level before up to this one and can be sped up. */
  readonly #slow: Line<Seat<M>>[];
  #decisions: Decision<M>[] = [];
  #read = 0;

  /**
   * A budget that nobody uses.
   *
   * @param budget PINGs a second
   * @param minimum the shortest interval that the server takes, whole ms
   * @param bound the NAT bound, whole ms
   */
  constructor(budget: number, minimum: number, bound: number) {
    this.#minimum = minimum;
    this.#bound = bound;
    // In units: B / (1 / (0.75 N / 1000)) x UNITS. A product that misses a whole number by rounding only is that number.
    const exact = budget * 0.75 * bound * (UNITS / 1_000);
    const nearest = Math.round(exact);
    this.#most = Math.abs(exact - nearest) < 0.01 ? nearest : Math.floor(exact);
    this.#calm = this.#most - Math.ceil(this.#most / 8);
    this.capacity = Math.floor(this.#most / UNITS);
    const levels = [bound];
    for (let divisor = 1; levels[0]! > minimum; divisor *= 2) {
      levels.unshift(Math.ceil(bound / (divisor * Math.SQRT2)));
      if (levels[0]! > minimum) levels.unshift(Math.ceil(bound / (2 * divisor)));
    }
    this.#levels = levels;
    this.#sums = levels.map(() => 0);
    this.#waitingSums = levels.map(() => 0);
    this.#fast = levels.map(() => new Line<Seat<M>>());
    this.#slow = levels.map(() => new Line<Seat<M>>());
  }

  /** PINGs a second that clients may be sending now. */
  get rate(): number {
    return this.#counted / (0.75 * this.#bound * (UNITS / 1_000));
  }

  /** Clients that wait for room. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * A client wants to come in; a decision follows, now or later.
   *
   * @param desired the interval that it desires, whole ms
   * @param longest no interval above it suits, ms; the NAT bound is heeded anyway
   */
  join(member: M, desired: number, longest: number, now: Micros): Seat<M> {
    const base = Math.max(desired, this.#minimum);
    const seat = new Seat(member, base, Math.max(base, Math.min(this.#bound, Math.floor(longest))));
    if (this.#sums.at(-1)! + this.#rate(seat.slowest) > this.#most) {
      this.#decisions.push({ type: "refuse", seat });
      return seat;
    }
    this.#turn(seat, "waiting", now + WAIT);
    this.#settle(now);
    return seat;
  }

  /** The client took the interval that it was told: it is open at it, or confirmed it. */
  confirmed(seat: Seat<M>, now: Micros): void {
    if (!seat.open) return;
    this.#turn(seat, "settled", NEVER, seat.asked, seat.asked);
    this.#settle(now);
  }

  /** The client does not take the interval that it was told: it stays at the one before, and is left alone for a while. */
  declined(seat: Seat<M>, now: Micros): void {
    if (!seat.open) return;
    this.#turn(seat, "resting", now + REST, seat.interval, seat.interval);
    this.#settle(now);
  }

  /** The client is gone, whatever it was. */
  left(seat: Seat<M>, now: Micros): void {
    if (seat.state === "gone") return;
    this.#turn(seat, "gone", NEVER);
    this.#settle(now);
  }

  /** The deadline may have come. */
  handleTimeout(now: Micros): void {
    for (let seat = due(this.#line, now); seat !== null; seat = due(this.#line, now)) {
      this.#turn(seat, "gone", NEVER);
      this.#decisions.push({ type: "refuse", seat });
    }
    for (let seat = due(this.#offers, now); seat !== null; seat = due(this.#offers, now)) {
      this.#turn(seat, "overdue", NEVER);
    }
    for (let seat = due(this.#rests, now); seat !== null; seat = due(this.#rests, now)) {
      this.#turn(seat, "settled", NEVER);
    }
    this.#settle(now);
  }

  /** When `handleTimeout` wants to be called, us. */
  deadline(): Micros {
    // Each line has one waiting time for all, so its first is the earliest.
    const first = (line: Line<Seat<M>>): Micros => line.first?.owner.at ?? NEVER;
    return Math.min(first(this.#line), first(this.#offers), first(this.#rests));
  }

  /** The next decision, or null. */
  nextDecision(): Decision<M> | null {
    const decision = this.#decisions[this.#read];
    if (decision !== undefined) {
      this.#read++;
      return decision;
    }
    this.#decisions.length = this.#read = 0;
    return null;
  }

  /** Units at an interval, rounded up. Exact: the quotient's error is below 1 / interval for all that options allow. */
  #rate(interval: number): number {
    return Math.ceil(UNITS * this.#bound / interval);
  }

  #at(seat: Seat<M>, level: number): number {
    return Math.min(Math.max(this.#levels[level]!, seat.base), seat.slowest);
  }

  /** The last level that is not above this interval. */
  #level(interval: number): number {
    let level = this.#levels.length - 1;
    while (level > 0 && this.#levels[level]! > interval) level--;
    return level;
  }

  /** The first level at which all would fit into so much; the last if none. */
  #fitting(most: number): number {
    const last = this.#levels.length - 1;
    let level = 0;
    while (level < last && this.#sums[level]! > most) level++;
    return level;
  }

  /** The only way in which a seat changes: out of every sum and line, and in again as what it is now. */
  #turn(seat: Seat<M>, state: State, at: Micros, interval = seat.interval, asked = seat.asked): void {
    this.#count(seat, -1);
    seat.place.leave();
    seat.spare.leave();
    seat.state = state;
    seat.at = at;
    seat.interval = interval;
    seat.asked = asked;
    this.#count(seat, 1);
    switch (state) {
      case "waiting":
        return this.#line.join(seat.place);
      case "offered":
        return this.#offers.join(seat.place);
      case "resting":
        return this.#rests.join(seat.place);
      case "settled": {
        const level = this.#level(interval);
        if (interval < seat.slowest) this.#fast[level]!.join(seat.place);
        const above = this.#levels[level]! < interval ? level + 1 : level;
        if (interval > seat.base) this.#slow[above]!.join(seat.spare);
      }
    }
  }

  #count(seat: Seat<M>, sign: 1 | -1): void {
    const { state } = seat;
    if (state === "gone") return;
    const waits = state === "waiting";
    const counted = waits ? 0 : this.#rate(Math.min(seat.interval, seat.asked));
    this.#counted += sign * counted;
    if (waits) this.#waiting += sign;
    if (state === "offered") this.#relief += sign * (counted - this.#rate(seat.asked));
    // Who does not answer, or said no, will not move.
    const fixed = state === "overdue" || state === "resting";
    for (let level = 0; level < this.#levels.length; level++) {
      const rate = fixed ? counted : this.#rate(this.#at(seat, level));
      this.#sums[level]! += sign * rate;
      if (waits) this.#waitingSums[level]! += sign * rate;
    }
  }

  #offer(seat: Seat<M>, interval: number, now: Micros): void {
    this.#turn(seat, "offered", now + PATIENCE, seat.interval, interval);
    this.#decisions.push({ type: "retune", seat, interval });
  }

  /** Makes of the present state what can be made of it. */
  #settle(now: Micros): void {
    this.#welcome(now);
    if (this.#waiting > 0) this.#slowDown(now);
    else this.#speedUp(now);
  }

  #welcome(now: Micros): void {
    for (let first = this.#line.first; first !== null; first = this.#line.first) {
      const seat = first.owner;
      const interval = this.#at(seat, this.#fitting(this.#most));
      if (this.#counted + this.#rate(interval) > this.#most) return;
      this.#turn(seat, "offered", now + PATIENCE, interval, interval);
      this.#decisions.push({ type: "welcome", seat, interval });
    }
  }

  /** The fastest first, until there will be room for all that wait. */
  #slowDown(now: Micros): void {
    const target = this.#fitting(this.#most);
    for (let level = 0, steps = 0; level < target; level++) {
      const line = this.#fast[level]!;
      for (let first = line.first; first !== null; first = line.first) {
        if (this.#counted - this.#relief + this.#waitingSums[target]! <= this.#most) return;
        if (++steps > STEPS) return;
        this.#offer(first.owner, this.#at(first.owner, target), now);
      }
    }
  }

  /** The slowest first, one level each. */
  #speedUp(now: Micros): void {
    const target = this.#fitting(this.#calm);
    for (let level = this.#levels.length - 1, steps = 0; level > target; level--) {
      const line = this.#slow[level]!;
      for (let first = line.first; first !== null; first = line.first) {
        const seat = first.owner;
        const interval = Math.max(seat.base, this.#levels[level - 1]!);
        if (this.#counted - this.#rate(seat.interval) + this.#rate(interval) > this.#calm) return;
        if (++steps > STEPS) return;
        this.#offer(seat, interval, now);
      }
    }
  }
}

/** Who is first in line and due, or null. */
function due<M>(line: Line<Seat<M>>, now: Micros): Seat<M> | null {
  const seat = line.first?.owner ?? null;
  return seat !== null && seat.at <= now ? seat : null;
}

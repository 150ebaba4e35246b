/**
 * A budget with many clients, virtual time between them, and books of its own.
 *
 * Rules: what clients may be sending is reckoned here from the decisions alone, in whole nano-PINGs a second rounded down: no code is
 * shared with the budget.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { Budget, type Seat } from "../../core/liveness/budget.ts";
import { Random } from "../support/random.ts";

/** us a ms. */
export const MS = 1_000;

/** What one client does about an offer. */
export type Answer = "confirm" | "decline" | "silence";

/** A client as the world sees it. */
export interface Member {
  readonly desired: number;
  seat: Seat<Member> | null;
  /** Intervals that it may be using, ms. */
  inForce: number;
  offered: number;
  told: "nothing" | "welcome" | "refused";
  gone: boolean;
}

/** At most so many PINGs a second come at this interval, in 1e-9. */
export function nano(interval: number): number {
  return interval === Infinity ? 0 : Math.floor(4e12 / (3 * interval));
}

/** A budget, its clients, and what lies between them. */
export class World {
  now = 0;
  readonly budget: Budget<Member>;
  readonly limit: number;
  readonly members: Set<Member> = new Set();
  sum = 0;
  greatest = 0;
  retunes = 0;
  /** The interval, ms, of each that was slowed down, in this order. */
  readonly order: number[] = [];
  slower = 0;
  refused = 0;
  /** How a client answers, and after how long, ms. */
  answer: (member: Member) => [Answer, number] = () => ["confirm", 0];
  #random: Random;
  #events: Map<number, (() => void)[]> = new Map();

  constructor(perSecond: number, minimum = 100, bound = 25_000, seed = 1) {
    this.budget = new Budget(perSecond, minimum, bound);
    this.limit = perSecond * 1e9;
    this.#random = new Random(seed);
  }

  get micros(): number {
    return this.now * MS;
  }

  join(desired: number, longest = Infinity): Member {
    const member: Member = {
      desired,
      seat: null,
      inForce: Infinity,
      offered: Infinity,
      told: "nothing",
      gone: false,
    };
    this.members.add(member);
    member.seat = this.budget.join(member, desired, longest, this.micros);
    this.decide();
    return member;
  }

  leave(member: Member): void {
    this.#use(member, Infinity, Infinity);
    member.gone = true;
    this.members.delete(member);
    this.budget.left(member.seat!, this.micros);
    this.decide();
  }

  /** The client takes the interval that it was offered. */
  confirm(member: Member): void {
    this.#use(member, member.offered, Infinity);
    this.budget.confirmed(member.seat!, this.micros);
    this.decide();
  }

  any(): Member {
    const members = [...this.members];
    return members[this.#random.between(0, members.length - 1)]!;
  }

  /** A client may be using the faster of the two from now on. */
  #use(member: Member, inForce: number, offered: number): void {
    this.sum -= nano(Math.min(member.inForce, member.offered));
    member.inForce = inForce;
    member.offered = offered;
    this.sum += nano(Math.min(inForce, offered));
    this.greatest = Math.max(this.greatest, this.sum);
    assertLessOrEqual(this.sum, this.limit);
  }

  decide(): void {
    const { budget } = this;
    for (let next = budget.nextDecision(); next !== null; next = budget.nextDecision()) {
      const { seat } = next;
      const { member } = seat;
      if (next.type === "refuse") {
        assertEquals(member.told, "nothing");
        member.told = "refused";
        this.refused++;
        this.members.delete(member);
        continue;
      }
      const { interval } = next;
      assert(Number.isInteger(interval) && interval >= member.desired, `${interval} for ${member.desired}`);
      if (next.type === "welcome") {
        assertEquals(member.told, "nothing");
        member.told = "welcome";
        this.#use(member, interval, Infinity);
        this.at(this.answer(member)[1], () => member.gone || budget.confirmed(seat, this.micros));
        continue;
      }
      assertEquals([member.told, member.offered, member.gone], ["welcome", Infinity, false]);
      assert(interval !== member.inForce);
      this.retunes++;
      if (interval > member.inForce) {
        this.slower++;
        this.order.push(member.inForce);
      } else {
        assertGreater(interval, member.inForce / Math.SQRT2 - 1); // one level
      }
      this.#use(member, member.inForce, interval);
      const [answer, after] = this.answer(member);
      if (answer === "silence") continue;
      this.at(after, () => {
        if (member.gone) return;
        this.#use(member, answer === "confirm" ? member.offered : member.inForce, Infinity);
        if (answer === "confirm") budget.confirmed(seat, this.micros);
        else budget.declined(seat, this.micros);
      });
    }
  }

  /** Does something in so many ms; 0 = when time moves next. */
  at(after: number, what: () => void): void {
    const time = this.now + after;
    const events = this.#events.get(time);
    if (events === undefined) this.#events.set(time, [what]);
    else events.push(what);
  }

  /** Lets so many ms pass. */
  run(span: number): void {
    for (const finish = this.now + span; this.now <= finish; this.now++) {
      if (this.#events.size === 0) {
        const next = Math.ceil(this.budget.deadline() / MS);
        this.now = Math.max(this.now, Math.min(next, finish));
      }
      if (this.budget.deadline() <= this.micros) {
        this.budget.handleTimeout(this.micros);
        assertGreater(this.budget.deadline(), this.micros);
        this.decide();
      }
      const events = this.#events.get(this.now) ?? [];
      for (let i = 0; i < events.length; i++) {
        events[i]!();
        this.decide();
      }
      this.#events.delete(this.now);
    }
    // The sum is what it is said to be: anew from every client, and as the budget sees it.
    let sum = 0;
    for (const member of this.members) sum += nano(Math.min(member.inForce, member.offered));
    assertEquals(sum, this.sum);
    assertLess(Math.abs(this.budget.rate * 1e9 - sum), 1 + sum / 1e3 + this.members.size);
  }
}

/** All that a world's clients have agreed to, ms. */
export function intervals(world: World): number[] {
  return [...world.members].map((member) => member.inForce);
}

/** Each value once, the least first. */
export function distinct(values: number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

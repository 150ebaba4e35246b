/**
 * Questions and their answers: which of ours wait for a reply, which of the peer's wait for ours.
 *
 * Each REQUEST gets exactly one REPLY, also one that was taken back; so an id is open until its reply came, and a reply to anything else is a
 * fault. Ids of a direction begin at 1 and grow by 1; they are unique in a session and go on over its connections.
 *
 * Rules: nothing here knows a connection's state or clock; who asks keeps the time and takes back what is too late. What is open is bounded on both
 * sides: by `maxRequests`, and by the credit that a request holds until it is answered.
 *
 * @module
 */

import type { Code } from "../codes.ts";
import { ById } from "./by_id.ts";

/** How a request ended. */
export const ReplyStatus = {
  /** The payload is the answer. */
  OK: 0,
  /** It had been taken back. */
  CANCELLED: 1,
  /** The application answers no requests. */
  NO_HANDLER: 2,
  /** Too many are open. */
  BUSY: 3,
  /** The application's handler failed. */
  FAILED: 4,
} as const;

/** From here on a status belongs to the application. */
export const APPLICATION_STATUS = 64;

/** One of ours. */
interface Asked {
  /** Its place in the order of messages and requests. */
  readonly order: number;
  /** Nobody waits for the reply any more. */
  cancelled: boolean;
}

/** The open requests of one session, of one side. */
export class Requests {
  /** So many may be open in each direction. */
  readonly most: number;
  #last = 0;
  #heard = 0;
  #asked: ById<Asked> | null = null;
  /** What each of the peer's holds of the credit. */
  #owed: ById<number> | null = null;
  /** Of the owed ones, those that were too many, and whose refusal waits for room. */
  #refused: number[] = [];
  // Of the chunks that are being put together: what stood in the first. 0: none are.
  #requestId = 0;
  /** The last of the peer's that was whole. */
  #arrived = 0;
  /** Of a session that was restored: up to these ids, another process asked, and was asked. */
  #askedBefore = 0;
  #heardBefore = 0;
  #heardAgain = 0;
  #remaining = 0;
  #replyId = 0;
  #status = 0;

  /** None is open. */
  constructor(most: number) {
    this.most = most;
  }

  /** How many of ours are open. */
  get asked(): number {
    return this.#asked?.size ?? 0;
  }

  /** How many of the peer's are open. */
  get owed(): number {
    return this.#owed?.size ?? 0;
  }

  /** The id for the next of ours. */
  get next(): number {
    return this.#last + 1;
  }

  /** It was accepted, with this place in the order. */
  accepted(order: number): void {
    (this.#asked ??= new ById()).set(++this.#last, { order, cancelled: false });
  }

  /** One of ours is taken back. Returns its place in the order, or -1: it is not open, or was taken back before. */
  cancel(id: number): number {
    const asked = this.#asked?.get(id);
    if (asked === undefined || asked.cancelled) return -1;
    asked.cancelled = true;
    return asked.order;
  }

  /** The last of the peer's that was whole has this id. */
  get heard(): number {
    return this.#arrived;
  }

  /** The last of ours has this id. */
  get last(): number {
    return this.#last;
  }

  /** Those of the peer's that are open. */
  get open(): number[] {
    return this.#owed === null ? [] : this.#owed.entries().map(([id]) => id);
  }

  /**
   * Goes on where another process ended. Answers to what that asked come to nobody. What it was asked may come again, and then it was given to
   * its application.
   */
  restore(asked: number, heard: number): void {
    this.#last = this.#askedBefore = asked;
    this.#heard = this.#arrived = this.#heardBefore = heard;
  }

  /** The first chunk of a request of the peer. Returns whether its id can be. */
  begins(id: number, remaining: number): boolean {
    if (id <= this.#heardBefore && id > this.#heardAgain && this.#heard === this.#heardBefore) {
      this.#requestId = this.#heardAgain = id;
      return true;
    }
    if (id !== this.#heard + 1) return false;
    this.#heard = this.#requestId = id;
    this.#remaining = remaining;
    return true;
  }

  /** It is whole. Returns its id; 0: another process had it. */
  arrived(cost: number): number {
    const id = this.#requestId;
    this.#requestId = 0;
    if (id <= this.#heardBefore) return 0;
    this.#arrived = id;
    (this.#owed ??= new ById()).set(id, cost);
    return id;
  }

  /** How long the peer waits for the answer to the one that is whole now, ms; 0: for ever. */
  get remaining(): number {
    return this.#remaining;
  }

  /** How many were too many, and are to be told so. */
  get refused(): number {
    return this.#refused.length;
  }

  /** This one of the peer's is one too many. */
  refuse(id: number): void {
    this.#refused.push(id);
  }

  /** The next one to be told that it was too many. */
  nextRefused(): number {
    return this.#refused.shift()!;
  }

  /** Whether this one of the peer's is open. */
  owes(id: number): boolean {
    return this.#owed?.get(id) !== undefined;
  }

  /** One of the peer's was answered. Returns what it held of the credit. */
  answered(id: number): number {
    return this.#owed!.take(id)!;
  }

  /** The peer takes one back. Returns what is wrong with that, or null. It may have been answered meanwhile. */
  takenBack(id: number): Code | null {
    return id < 1 || id > this.#heard ? "REQUEST_INVALID" : null;
  }

  /** The first chunk of a reply to one of ours. Returns whether that is open. */
  replies(id: number, status: number): boolean {
    if (this.#asked?.get(id) === undefined && !(id >= 1 && id <= this.#askedBefore)) return false;
    this.#replyId = id;
    this.#status = status;
    return true;
  }

  /** It is whole. Null: nobody waits for it. */
  replied(): { readonly id: number; readonly status: number } | null {
    const id = this.#replyId;
    const asked = this.#asked?.take(id);
    this.#replyId = 0;
    return asked === undefined || asked.cancelled ? null : { id, status: this.#status };
  }

  /** A copy. */
  clone(): Requests {
    const copy = new Requests(this.most);
    copy.#last = this.#last;
    copy.#heard = this.#heard;
    copy.#asked = this.#asked?.clone((asked) => ({ ...asked })) ?? null;
    copy.#owed = this.#owed?.clone((cost) => cost) ?? null;
    copy.#refused = this.#refused.slice();
    copy.#requestId = this.#requestId;
    copy.#arrived = this.#arrived;
    copy.#askedBefore = this.#askedBefore;
    copy.#heardBefore = this.#heardBefore;
    copy.#heardAgain = this.#heardAgain;
    copy.#remaining = this.#remaining;
    copy.#replyId = this.#replyId;
    copy.#status = this.#status;
    return copy;
  }

  /** The canonical form; places in the order relative to `accepted`. */
  key(accepted: number): string {
    const asked = (this.#asked?.entries() ?? []).map(([id, { order, cancelled }]) =>
      `${this.#last - id}:${accepted - order}${cancelled ? "!" : ""}`
    );
    const owed = (this.#owed?.entries() ?? []).map(([id, cost]) => `${this.#heard - id}:${cost}`);
    const refused = this.#refused.map((id) => this.#heard - id);
    const request = this.#requestId === 0 ? "" : `${this.#heard - this.#requestId}:${this.#remaining}`;
    const reply = this.#replyId === 0 ? "" : `${this.#last - this.#replyId}:${this.#status}`;
    return `${asked.join(" ")}|${owed.join(" ")}|${refused.join(" ")}|${request}|${reply}`;
  }
}

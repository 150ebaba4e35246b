/**
 * A machine in each of its states, against a crafted peer.
 *
 * @module
 */

import type { Role } from "../../core/phases.ts";
import * as craft from "./crafted.ts";
import { Subject } from "./crafted.ts";

/** Every state with each side that can be in it; `waiting` is closing, with CLOSE still behind chunks without credit. */
export const STATES: readonly (readonly [Role, string])[] = [
  ["client", "greeting"],
  ...["listening", "deciding", "welcomed"].map((state) => ["server", state] as const),
  ...["open", "closing", "waiting", "answering", "closed"].flatMap((state) =>
    [["client", state], ["server", state]] as const
  ),
];

/** A machine in a state, with one probe unanswered where there is a conversation; and how many chunks it has got. */
export function inState(role: Role, state: string): { subject: Subject; sent: number } {
  if (state === "greeting") return { subject: new Subject("client").give(craft.preface()), sent: 0 };
  if (role === "server" && ["listening", "deciding", "welcomed"].includes(state)) {
    const subject = new Subject("server", { accepts: state === "welcomed" }).give(craft.preface());
    return { subject: state === "listening" ? subject : subject.give(craft.hello()), sent: 0 };
  }
  const blocked = state === "waiting";
  const subject = Subject.open(role, { consumes: state !== "answering" }, blocked ? { credit: 64 } : {});
  if (role === "server") subject.act((connection, now) => connection.ping(now));
  if (state === "closing") subject.act((connection, now) => connection.close(0, "", now));
  if (blocked) {
    subject.act((connection, now) => connection.send(craft.text("beyond the credit"), now));
    subject.act((connection, now) => connection.close(0, "", now));
    if (subject.kinds.includes("close")) throw new Error("CLOSE went ahead of data");
  }
  if (state === "answering") subject.give(craft.data(0, "unfinished"), craft.close(1));
  if (state === "closed") subject.give(craft.error(49));
  const expected = blocked ? "closing" : state;
  if (subject.phase !== expected) throw new Error(`${subject.phase}, not ${expected}`);
  return { subject, sent: state === "answering" ? 1 : 0 };
}

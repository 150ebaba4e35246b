/**
 * Every frame in every state on both sides has the specified result (docs/PROTOCOL.md, section 8).
 *
 * Rules: the table below has no blank cells, and one row for each type that the protocol names; the rows of the document and those
 * of core are held against it. A frame is always right in itself: what is tested is whether the state allows it.
 */

import { describe, it } from "node:test";
import { readFileSync } from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { mayReceive, type Phase } from "../../core/phases.ts";
import type { FrameName } from "../../core/phases.ts";
import { FIRST, FrameType, LAST } from "../../core/wire/registry.ts";
import * as craft from "../support/crafted.ts";
import { inState } from "../support/states.ts";

/**
 * Cells: `.` taken, the state stays; a name: taken, and the state is that then; `!` UNEXPECTED_FRAME; `x` the same, not
 * for the state but because it confirms nothing; `%` REQUEST_INVALID, for no such request is open; `?` UNSUPPORTED; `#` UNKNOWN_FRAME; `-` dropped. `c/` is the client, `s/` the server;
 * `closing` has sent CLOSE, `waiting` has not yet.
 */
const TABLE = `
              c/greeting s/listening s/deciding s/welcomed open      closing waiting   answering closed
hello         !          deciding    !          !          !         !       !         !         -
challenge     ?          !           !          !          !         !       !         !         -
auth          !          !           !          !          !         !       !         !         -
welcome       open       !           !          !          !         !       !         !         -
reject        closed     !           !          !          !         !       !         !         -
ping          !          !           !          open       .         .       .         .         -
pong          !          !           !          !pong      .         .       .         .         -
params        !          !           !          open       .         .       .         !         -
paramsOk      !          !           !          x          x         x       x         !         -
ack           !          !           !          open       .         .       .         .         -
credit        !          !           !          open       .         .       .         .         -
goaway        !          !           !          open       .         .       .         !         -
close         !          !           !          closed     closed    closed  answering !         -
error         closed     closed      closed     closed     closed    closed  closed    closed    -
data          !          !           !          open       .         .       .         !         -
volatile      !          !           !          open       .         .       .         !         -
request       !          !           !          open       .         .       .         !         -
reply         !          !           !          %          %         %       %         !         -
cancel        !          !           !          %          %         %       %         !         -
mandatory     #          #           #          #          #         #       #         #         -
stream        #          #           #          #          #         #       #         #         -
ignorable     .          .           .          .          .         .       .         .         -
`;

const HEAD = TABLE.trim().split("\n")[0]!.trim().split(/\s+/);
const ROWS = TABLE.trim().split("\n").slice(1).map((line) => line.trim().split(/\s+/));

/** The frame of each row, right for a peer that has sent `sent` chunks. */
function frame(row: string, sent: number): Uint8Array {
  const payload = new Uint8Array(3);
  const flags = FIRST | LAST;
  switch (row) {
    case "hello":
      return craft.hello();
    case "welcome":
      return craft.welcome();
    case "challenge":
      return craft.control({ kind: "challenge", nonce: new Uint8Array(16), parameters: {} });
    case "auth":
      return craft.control({ kind: "auth", parameters: {} });
    case "reject":
      return craft.reject(32);
    case "ping":
      return craft.ping(2);
    case "pong":
    case "!pong":
      return craft.pong(1, { timestamp: 2 });
    case "params":
      return craft.control({ kind: "params", serial: 1, parameters: { desiredTx: 5_000 } });
    case "paramsOk":
      return craft.control({ kind: "paramsOk", serial: 1 });
    case "ack":
      return craft.ack(0, 0);
    case "credit":
      return craft.credit(craft.OFFER.credit!);
    case "goaway":
      return craft.goaway();
    case "close":
      return craft.close(sent);
    case "error":
      return craft.error(49);
    case "data":
      return craft.data(sent, "x");
    case "volatile":
      return craft.control({ kind: "volatile", payload });
    case "request":
      return craft.control({ kind: "request", flags, sequence: sent, id: 1, remaining: 0, payload });
    case "reply":
      return craft.control({ kind: "reply", flags, sequence: sent, id: 1, status: 0, payload });
    case "cancel":
      return craft.control({ kind: "cancel", sequence: sent, id: 1 });
    case "mandatory":
      return craft.raw(0x7f, [1, 2, 3]);
    case "stream":
      return craft.raw(0x60, [1, 2, 3]);
    case "ignorable":
      return craft.raw(0xff, [1, 2, 3]);
  }
  throw new Error(`no frame for the row ${row}`);
}

const FATAL: Record<string, string> = {
  "!": "UNEXPECTED_FRAME",
  "x": "UNEXPECTED_FRAME",
  "?": "UNSUPPORTED",
  "%": "REQUEST_INVALID",
  "#": "UNKNOWN_FRAME",
};

function check(role: "client" | "server", state: string, row: string, cell: string): void {
  const { subject, sent } = inState(role, state);
  const before = { phase: subject.phase, events: subject.events.length, told: subject.told.length };
  subject.give(frame(row, sent));
  const events = subject.events.slice(before.events);
  const code = FATAL[cell];
  if (code !== undefined) {
    const opened = state === "welcomed" && "?x%".includes(cell) ? ["open"] : [];
    assertEquals(events.map((event) => event.type), [...opened, "fault", "closed"]);
    const fault = events.at(-2)!;
    assert(fault.type === "fault" && fault.fatal && fault.code === code, JSON.stringify(fault));
    const { reason } = subject;
    assert(reason.kind === "fault" && reason.code === code, JSON.stringify(reason));
    assertEquals(
      subject.verdict,
      `${state === "listening" || state === "deciding" ? "reject" : "error"} ${code}`,
    );
    assertEquals(subject.actions, ["keep", "end"]);
    return;
  }
  if (cell === "-") {
    assertEquals(events, []);
    assertEquals(subject.told.length, before.told);
    assertEquals(subject.phase, "closed");
    return;
  }
  assertEquals(subject.phase, cell === "." ? before.phase : cell.replace("!pong", "open"));
  // A PONG to a server that has asked nothing is believed by nobody, but it is a frame, and opens.
  const faults = events.filter((event) => event.type === "fault").map((event) => event.code);
  assertEquals(faults, cell === "!pong" ? ["PONG_UNMATCHED"] : []);
  if (cell === "closed") assert(["closed", "refused", "error"].includes(subject.reason.kind));
}

/** The states that a column stands for, with their side. */
function column(head: string): { role: "client" | "server"; state: string }[] {
  const [side, state] = head.split("/");
  if (state === undefined) return [{ role: "client", state: head }, { role: "server", state: head }];
  return [{ role: side === "c" ? "client" : "server", state }];
}

describe("every frame in every state", () => {
  for (const [row, ...cells] of ROWS) {
    for (const [at, head] of HEAD.entries()) {
      for (const { role, state } of column(head)) {
        it(`${row} at a ${role} that is ${state}: ${cells[at]}`, () => check(role, state, row!, cells[at]!));
      }
    }
  }

  it("has no blank cell, and a row for each type of the registry", () => {
    for (const row of ROWS) assertEquals(row.length, HEAD.length + 1, row.join(" "));
    const names = Object.keys(FrameType).map((name) => name.toLowerCase().replace("_ok", "Ok"));
    assertEquals(ROWS.map((row) => row[0]!).slice(0, names.length).toSorted(), names.toSorted());
  });

  it("every form of DATA, REQUEST and REPLY meets the same rule as the whole one", () => {
    for (const role of ["client", "server"] as const) {
      for (let flags = 0; flags < 4; flags++) {
        const { subject: asked } = inState(role, "open");
        asked.give(craft.raw(0x48 | flags, [0, 0, 1, 1, 9]));
        const begins = (flags & FIRST) !== 0;
        assertEquals(asked.connection.reason?.code ?? null, begins ? null : "CHUNK_INVALID");
        const { subject: answered } = inState(role, "open");
        answered.give(craft.raw(0x4c | flags, [0, 0, 1, 1, 9]));
        assertEquals(answered.reason.code, begins ? "REQUEST_INVALID" : "CHUNK_INVALID");
        const { subject } = inState(role, "answering");
        subject.give(craft.data(1, "x", flags));
        assertEquals(subject.reason.code, "UNEXPECTED_FRAME");
      }
    }
  });

  it("every type that no one knows is refused, or skipped when it may be", () => {
    const known = new Set<number>(Object.values(FrameType));
    for (const base of [FrameType.DATA, FrameType.REQUEST, FrameType.REPLY]) {
      for (let flags = 0; flags < 4; flags++) known.add(base | flags);
    }
    for (let type = 0; type < 256; type++) {
      if (known.has(type)) continue;
      const { subject } = inState(type % 2 === 0 ? "client" : "server", "open");
      subject.give(craft.raw(type, [1, 2, 3]), craft.data(0, "behind"));
      if (type < 0x80) assertEquals(subject.reason.code, "UNKNOWN_FRAME", `${type}`);
      assertEquals(subject.messages, type < 0x80 ? [] : ["behind"], `${type}`);
    }
  });
});

describe("the document", () => {
  const page = readFileSync(new URL("../../docs/PROTOCOL.md", import.meta.url), "utf8");
  const rows = page.split("## 8. States")[1]!.split("## 9")[0]!.split("\n").filter((line) =>
    line.startsWith("|")
  )
    .slice(2).map((line) => line.split("|").map((cell) => cell.trim()));

  /** A row's state, its phase, and the frames that it names. */
  function names(cell: string): string[] {
    return [...cell.replace(/\(.*?\)/g, "").matchAll(/\b[A-Z]+(?:_[A-Z]+)?\b/g)].map(([name]) => name);
  }

  it("names the same frames for each state as the table of core", () => {
    const open = names(rows.find((row) => row[1] === "`open`")![2]!);
    const seen: string[] = [];
    for (const row of rows) {
      const phase = /`(\w+)`/.exec(row[1]!)![1] as Phase;
      seen.push(phase);
      const allowed = row[2]!.includes("what `open` may") ? open : names(row[2]!);
      for (const [name] of ROWS.slice(0, Object.keys(FrameType).length)) {
        const upper = name!.replace("Ok", "_Ok").toUpperCase();
        assertEquals(
          mayReceive(phase, name as FrameName),
          allowed.includes(upper),
          `${upper} while ${phase}`,
        );
      }
    }
    const phases = "greeting listening deciding welcomed open closing answering closed".split(" ");
    assertEquals(seen.toSorted(), phases.toSorted());
  });

  it("agrees with the cells above", () => {
    for (const [row, ...cells] of ROWS.slice(0, Object.keys(FrameType).length)) {
      for (const [at, head] of HEAD.entries()) {
        const phase = head.replace(/^[cs]\//, "").replace("waiting", "closing") as Phase;
        const refused = cells[at] === "!" || cells[at] === "-";
        assertEquals(mayReceive(phase, row as FrameName), !refused, `${row} ${head}`);
      }
    }
  });
});

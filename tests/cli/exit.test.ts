/**
 * Exit codes: each code of the library has one, and the right one.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type Code, CODES, type EndReason, HeartwireError } from "../../adapters/api.ts";
import { dialError, endError, listenError } from "../../adapters/failure.ts";
import { parseAddress } from "../../adapters/api.ts";
import { exitOf, exitOfReason, UsageError } from "../../cli/exit.ts";

const ADDRESS = parseAddress("127.0.0.1:1");

function system(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe("exit codes", () => {
  it("of usage are 2", () => {
    assertEquals(exitOf(new UsageError("", "")), 2);
    assertEquals(exitOf(new HeartwireError("OPTION", "")), 2);
  });

  it("of what no server answered are 3", () => {
    for (const code of ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "EACCES", "ESOMETHING"]) {
      const error = dialError(ADDRESS, system(code));
      assertEquals(exitOf(error), 3, code);
      assertEquals(exitOfReason({ kind: "dialFailed", code: "DIAL_FAILED", cause: error }), 3, code);
    }
    assertEquals(exitOf(listenError(ADDRESS, system("EADDRINUSE"))), 3);
  });

  it("of time limits are 5", () => {
    assertEquals(exitOf(dialError(ADDRESS, system("ETIMEDOUT"))), 5);
    assertEquals(exitOf(new HeartwireError("TIMEOUT", "")), 5);
    assertEquals(exitOfReason({ kind: "timeout", code: "HANDSHAKE_TIMEOUT" }), 5);
  });

  it("of ends are as the table of codes says, by error as by reason", () => {
    const expected: Partial<Record<Code, number>> = {
      ...{ NOT_HEARTWIRE: 4, VERSION_MISMATCH: 4, CHECKSUM: 4, UNAUTHORIZED: 4, CREDIT_EXCEEDED: 4 },
      ...{ BUSY: 3, PEER_LIMIT: 3, SHUTTING_DOWN: 3, HANDSHAKE_TIMEOUT: 5, CLOSE_TIMEOUT: 5 },
      ...{ ABORTED: 1, INTERNAL: 1, TRUNCATED: 1 },
    };
    for (const [code, exit] of Object.entries(expected) as [Code, number][]) {
      const reason: EndReason = { kind: "error", code, number: CODES[code].number, text: "" };
      assertEquals(exitOfReason(reason), exit, code);
      assertEquals(exitOf(endError(reason)), exit, code);
    }
    const times = { silentFor: 3, limit: 3, deferred: 0 };
    const evidence = { verdict: "INBOUND_SILENT", direction: "inbound", ...times } as const;
    assertEquals(exitOfReason({ kind: "dead", code: "DEAD", evidence }), 5);
    assertEquals(exitOfReason({ kind: "lost", code: "LOST", cause: null }), 1);
    const closed = { kind: "closed", code: "NONE", by: "peer", text: "" } as const;
    assertEquals(exitOfReason({ ...closed, closeCode: 0 }), 0);
    assertEquals(exitOfReason({ ...closed, closeCode: 7 }), 1);
  });

  it("exist for every code, and none is 0 or 2 that is neither success nor usage", () => {
    for (const code of Object.keys(CODES) as Code[]) {
      if (code === "NONE") continue;
      const exit = exitOf(new HeartwireError(code, ""));
      assert([1, 3, 4, 5].includes(exit), `${code}: ${exit}`);
    }
  });

  it("of a bug are 1", () => {
    assertEquals(exitOf(new TypeError("x")), 1);
    assertEquals(exitOf(undefined), 1);
  });
});

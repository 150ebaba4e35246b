/**
 * The table of codes in core is the one of the protocol (docs/PROTOCOL.md, section 9), number by number.
 *
 * Rules: the document is read, so neither can change alone.
 */

import { describe, it } from "node:test";
import { readFileSync } from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { type Code, codeFromNumber, CODES } from "../../core/codes.ts";

const page = readFileSync(new URL("../../docs/PROTOCOL.md", import.meta.url), "utf8");
const rows = page.split("## 9. Codes")[1]!.split("\n").filter((line) => /^\| \d/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()));

describe("codes", () => {
  it("has a row in the document for each code that travels, with its number and whether a retry can help", () => {
    const travelling = (Object.keys(CODES) as Code[]).filter((name) => CODES[name].number >= 0);
    assertEquals(rows.map((row) => row[2]!).toSorted(), travelling.toSorted());
    for (const [, number, name, retryable] of rows) {
      const info = CODES[name as Code];
      assertEquals(info.number, Number(number), name!);
      if (name !== "NONE") assertEquals(info.retryable, retryable === "yes", name!);
    }
  });

  it("no number stands twice, and each leads back to its name", () => {
    const numbers = rows.map((row) => Number(row[1]));
    assertEquals(new Set(numbers).size, numbers.length);
    for (const [, number, name] of rows) assertEquals(codeFromNumber(Number(number)), name);
    for (const number of [-1, 28, 31, 41, 51, 2 ** 32, NaN]) assertEquals(codeFromNumber(number), null);
  });

  it("says of each what a person can do", () => {
    for (const [name, { hint }] of Object.entries(CODES)) assert(hint.length > 8 && hint.endsWith("."), name);
  });

  it("names those that never travel", () => {
    for (const name of ["LOST", "DEAD"] as const) {
      assertEquals(CODES[name].number, -1);
      assert(page.split("never travel")[1]!.includes(name), name);
    }
  });
});

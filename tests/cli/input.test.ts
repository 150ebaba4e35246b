/**
 * Lines of stdin: the same however the bytes are cut into chunks, and never more memory than allowed.
 */

import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { lines, readAll } from "../../cli/input.ts";

async function* source(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array | string> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

async function read(most: number, ...chunks: (string | Uint8Array)[]): Promise<(string | null)[]> {
  const all: (string | null)[] = [];
  for await (const line of lines(source(...chunks), most)) {
    all.push(line === null ? null : new TextDecoder().decode(line));
  }
  return all;
}

/** All ways to cut a text in two, and into single characters. */
function cuts(text: string): string[][] {
  const two = Array.from({ length: text.length + 1 }, (_, at) => [text.slice(0, at), text.slice(at)]);
  return [...two, [...text]];
}

describe("lines", () => {
  it("are the same however they are cut", async () => {
    const cases: [string, number, (string | null)[]][] = [
      ["", 9, []],
      ["\n", 9, [""]],
      ["a\nb", 9, ["a", "b"]],
      ["a\r\nb\r\n", 9, ["a", "b"]],
      ["a\rb\n\n c ", 9, ["a\rb", "", " c "]],
      ["abcd\nabc\nabcd", 3, [null, "abc", null]],
      ["abc\r\nabcd\r\nx\n", 3, ["abc", null, "x"]],
      ["abcdefgh\nx", 3, [null, "x"]],
    ];
    for (const [text, most, expected] of cases) {
      for (const chunks of cuts(text)) assertEquals(await read(most, ...chunks), expected);
    }
  });

  it("keep bytes that are no text", async () => {
    const all: number[][] = [];
    for await (const line of lines(source(Uint8Array.of(0xff, 10, 0, 0xc3)), 9)) all.push([...line ?? []]);
    assertEquals(all, [[0xff], [0, 0xc3]]);
  });

  it("are copies: a runtime may use its buffer again", async () => {
    const buffer = new TextEncoder().encode("ab\ncd");
    async function* reusing(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(buffer);
      buffer.fill(120);
      yield buffer.subarray(0, 1);
    }
    const all: string[] = [];
    for await (const line of lines(reusing(), 9)) all.push(new TextDecoder().decode(line!));
    assertEquals(all, ["ab", "cdx"]);
  });
});

describe("all of stdin", () => {
  it("is read up to a limit", async () => {
    assertEquals(new TextDecoder().decode((await readAll(source("ab", "c\n"), 4))!), "abc\n");
    assertEquals(await readAll(source("ab", "cde"), 4), null);
    assertEquals(await readAll(source(), 0), new Uint8Array());
  });
});

/**
 * What the tests with Python programs share: finding Python, running the programs of tests/origin/, commanding our side.
 *
 * Rule: whatever was started is killed when its test or suite ends.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { after, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { testFile } from "./contract.ts";
import { fits, type Line, Program } from "./program.ts";
import { type Runtime, runtimeCommand } from "./runtimes.ts";

/** What a busy machine may add to a bound, ms. */
const SLACK = 400;

/** The interpreter itself, not a launcher that stands before it; null without Python 3.9 or later. */
function findPython(): string | null {
  const program = "import sys; print(sys.executable if sys.version_info >= (3, 9) else '')";
  for (const name of ["python3", "python"]) {
    const { status, stdout } = spawnSync(name, ["-c", program], { encoding: "utf8" });
    if (status === 0 && stdout.trim() !== "") return stdout.trim();
  }
  return null;
}

const python = findPython();
const NO_PYTHON = "python3 (3.9 or later) is not installed";
if (python === null) console.log(`report: tests with Python programs are skipped: ${NO_PYTHON}`);

/** What `it` gives to a test. */
export interface TestContext {
  after(cleanup: () => void): void;
}

/** A test that needs Python; without, it is skipped and says so. */
export function pythonTest(name: string, body: (test: TestContext) => Promise<void>): void {
  it(name, { skip: python === null ? NO_PYTHON : false }, body);
}

/** A program of tests/origin/; it is killed when the test ends. */
export function startPython(test: TestContext, name: string, ...args: readonly (string | number)[]): Program {
  const program = new Program([python!, "-B", testFile(`origin/${name}`), ...args.map(String)], name);
  test.after(() => program.kill());
  return program;
}

/** A client of tests/origin/, run to its end: what it told, in order. */
export async function runClient(
  test: TestContext,
  name: string,
  port: number,
  ...args: readonly (string | number)[]
): Promise<Line[]> {
  const program = startPython(test, name, "127.0.0.1", port, ...args);
  assertEquals([await program.ended(), program.stderr], [0, ""]);
  return program.lines;
}

/** A server of tests/origin/ on a free port. */
export async function startServer(
  test: TestContext,
  name: string,
  ...args: readonly (string | number)[]
): Promise<{ program: Program; port: number }> {
  const program = startPython(test, name, "127.0.0.1", 0, ...args);
  const { port } = await program.told({ event: "listening" });
  return { program, port: Number(port) };
}

/** The lines with these fields. */
export function linesWith(lines: readonly Line[], fields: Line): Line[] {
  return lines.filter((line) => fits(line, fields));
}

/** The last line. */
export function last(lines: readonly Line[]): Line {
  return lines.at(-1)!;
}

/** Codes of the faults told, one that ended the connection with "!". */
export function faultsIn(lines: readonly Line[]): string[] {
  return linesWith(lines, { event: "fault" }).map(({ code, fatal }) => `${code}${fatal ? "!" : ""}`);
}

/**
 * Fails unless a peer that was silent was held dead, for that, and inside the stated bound. `since` is when its silence began, ms since
 * 1970, read before its last bytes were sent; both programs read the machine's clock.
 */
export function assertFoundDead(closed: Line, since: number): void {
  assertEquals([closed["kind"], closed["code"], closed["verdict"]], ["dead", "DEAD", "INBOUND_SILENT"]);
  const [limit, bound] = [Number(closed["limit"]), Number(closed["bound"])];
  assert(bound >= limit && bound <= limit + 2, `a bound of ${bound} ms for a limit of ${limit} ms`);
  const took = Number(closed["at"]) - since;
  assert(took >= limit - 1, `held dead after ${took} ms, ${limit} ms are allowed`);
  assert(took <= bound + SLACK, `held dead only after ${took} ms, the bound is ${bound} ms`);
}

/** Waits for a Python program to fall silent; since when, ms. */
export async function silentSince(program: Program): Promise<number> {
  return Number((await program.told({ event: "silent" }))["at"]) * 1_000;
}

/** Our servers and clients on one runtime: tests/interop/origin_peer.ts. */
export class OriginPeer {
  readonly program: Program;
  #last = 0;

  constructor(runtime: Runtime) {
    this.program = new Program(
      runtimeCommand(runtime, testFile("interop/origin_peer.ts")),
      `peer on ${runtime}`,
    );
  }

  /** Ends everything; nothing may be left that keeps the process alive, and nothing may have been complained of. */
  async end(): Promise<void> {
    this.program.endInput();
    try {
      assertEquals([await this.program.ended(), this.program.stderr], [0, ""]);
    } finally {
      this.program.kill();
    }
  }

  command(command: Line): void {
    this.program.write(JSON.stringify(command) + "\n");
  }

  /** A server; with `upper` it answers in upper case. */
  async listen(options: object, upper = false): Promise<Party & { port: number }> {
    const party = this.#party();
    this.command({ id: party.id, do: "listen", options, upper });
    const { port } = await party.told({ event: "listening" });
    return Object.assign(party, { port: Number(port) });
  }

  /** A client, which may not be connected yet. */
  connect(port: number, options: object): Party {
    const party = this.#party();
    this.command({ id: party.id, do: "connect", port, options });
    return party;
  }

  #party(): Party {
    return new Party(String(++this.#last), this);
  }
}

/** One of our servers or clients. */
export class Party {
  readonly id: string;
  readonly #peer: OriginPeer;

  constructor(id: string, peer: OriginPeer) {
    this.id = id;
    this.#peer = peer;
  }

  /** What it told so far. */
  get lines(): Line[] {
    return linesWith(this.#peer.program.lines, { id: this.id });
  }

  /** Waits for the end of a session: what was told of it, the last being `closed`. */
  async story(session = 0): Promise<Line[]> {
    await this.told({ event: "closed", session });
    return linesWith(this.lines, { session });
  }

  /** Waits for a line with these fields: the `nth` of them. */
  told(fields: Line, nth = 0): Promise<Line> {
    return this.#peer.program.told({ id: this.id, ...fields }, nth);
  }

  send(text: string): void {
    this.#peer.command({ id: this.id, do: "send", text });
  }

  /** Ends the party, or one of its sessions. */
  end(how: "close" | "abort", session?: number): void {
    this.#peer.command({ id: this.id, do: how, ...(session === undefined ? {} : { session }) });
  }
}

/** Our side on a runtime, for all tests of the suite in which this is called. */
export function peerOn(runtime: Runtime): () => OriginPeer {
  let peer: OriginPeer | null = null;
  after(async () => await peer?.end());
  return () => peer ??= new OriginPeer(runtime);
}

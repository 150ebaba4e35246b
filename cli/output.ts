/**
 * What is written: data on stdout, all else on stderr.
 *
 * Rules:
 * - With `json`, stdout is NDJSON and nothing else, and stderr has errors only: whoever reads JSON has everything there.
 * - What a peer or a user chose never reaches a terminal unescaped.
 * - Nothing is lost at the end: `flush` waits for what was written. A reader of stdout that went away (EPIPE) is a reason to
 *   stop, not an error; a full disk is one.
 *
 * @module
 */

import { toPrintable, withoutColour } from "./text.ts";

/** What is needed of `process.stdout` and `process.stderr`. */
export interface Stream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error & { code?: unknown }) => void): unknown;
}

/** The colours, by what they are for. */
const COLOURS = { good: "32", warn: "33", bad: "31", faint: "2", strong: "1" } as const;
/** A colour's name. */
export type Colour = keyof typeof COLOURS;

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Whether a stream gets colours. FORCE_COLOR wins, as on Node and Deno; then NO_COLOR (no-color.org: set and not empty),
 * TERM=dumb, and whether it is a terminal.
 */
export function wantsColour(env: Env, isTTY: boolean): boolean {
  const force = env["FORCE_COLOR"];
  if (force !== undefined) return force !== "0" && force !== "false";
  if ((env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb") return false;
  return isTTY;
}

/** What {@link Output} is made from. */
export interface OutputOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly env: Env;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Nothing more can be written to stdout: nobody reads it any more (`quietly`), or it failed, which has been told. */
  readonly onClosed: (quietly: boolean) => void;
}

/** Writes. */
export class Output {
  readonly json: boolean;
  readonly #quiet: boolean;
  readonly #stdout: Stream;
  readonly #stderr: Stream;
  readonly #onClosed: (quietly: boolean) => void;
  readonly #stdoutColour: boolean;
  readonly #stderrColour: boolean;
  /** Whether the cursor of stdout can be moved. */
  readonly #movable: boolean;
  /** Lines of the last {@link redraw}. */
  #drawn = 0;
  #closed = false;
  /** Writes to stdout that are under way, and who waits for them. */
  #pending = 0;
  #waiting: (() => void)[] = [];

  constructor({ stdout, stderr, env, json, quiet, onClosed }: OutputOptions) {
    this.json = json;
    this.#quiet = quiet;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#stdoutColour = wantsColour(env, stdout.isTTY === true);
    this.#stderrColour = wantsColour(env, stderr.isTTY === true);
    this.#movable = stdout.isTTY === true && env["TERM"] !== "dumb" && !json;
    this.#onClosed = onClosed;
    stdout.on("error", (error) => this.#fail(error));
    stderr.on("error", () => {}); // nobody can be told
  }

  /** Whether stdout is a terminal. */
  get terminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#settle();
    const quietly = (error as { code?: unknown } | null)?.code === "EPIPE";
    if (!quietly) {
      this.error(`cannot write to stdout: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#onClosed(quietly);
  }

  #write(chunk: string | Uint8Array): void {
    if (this.#closed) return;
    this.#pending++;
    try {
      this.#stdout.write(chunk, (error) => {
        if (error) this.#fail(error);
        else if (--this.#pending === 0) this.#settle();
      });
    } catch (error) { // Node writes to files at once, and throws
      this.#fail(error);
    }
  }

  /** Resolves when all that was written to stdout is out, or can never be. Waiting for it after each write is back-pressure. */
  flush(): Promise<void> {
    if (this.#pending === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A line of text on stdout. Not with `json`. */
  line(text: string): void {
    if (!this.json) this.#write(`${this.#stdoutColour ? text : withoutColour(text)}\n`);
  }

  /** Whether stdout is a terminal on which so much can be drawn in place. */
  drawable(columns: number, rows: number): boolean {
    return this.#movable && (this.#stdout.columns ?? 0) >= columns && (this.#stdout.rows ?? 0) >= rows;
  }

  /** Lines on stdout in the place of those of the last call, if there are {@link drawable}. */
  redraw(lines: readonly string[]): void {
    const back = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r\x1b[J`;
    this.#drawn = lines.length;
    const shown = lines.map((line) => this.#stdoutColour ? line : withoutColour(line));
    this.#write(`${back}${shown.join("\n")}\n`);
  }

  /** A message on stdout as it came, ended as a line. Not with `json`. A terminal gets no control characters of it. */
  message(bytes: Uint8Array): void {
    if (this.json) return;
    if (this.terminal) {
      const text = new TextDecoder().decode(bytes);
      return this.#write(`${toPrintable(text.endsWith("\n") ? text.slice(0, -1) : text, true)}\n`);
    }
    if (bytes.at(-1) === 10) return this.#write(bytes.slice());
    const line = new Uint8Array(bytes.length + 1);
    line.set(bytes);
    line[bytes.length] = 10;
    this.#write(line);
  }

  /** A part of a stream on stdout as it came, with nothing added. Not with `json`. A terminal gets no control characters of it. */
  bytes(bytes: Uint8Array): void {
    if (this.json) return;
    this.#write(this.terminal ? toPrintable(new TextDecoder().decode(bytes), true) : bytes.slice());
  }

  /** An object on stdout. Only with `json`. Times are rounded to whole microseconds. */
  record(type: string, fields: Readonly<Record<string, unknown>>): void {
    if (!this.json) return;
    const text = JSON.stringify(
      { type, ...fields },
      (_key, value) =>
        typeof value === "number" && !Number.isInteger(value) ? Math.round(value * 1_000) / 1_000 : value,
    );
    this.#write(`${text}\n`);
  }

  #tell(text: string): void {
    this.#stderr.write(`${this.#stderrColour ? text : withoutColour(text)}\n`);
  }

  /** A line on stderr about what goes on. Not with `json` or `quiet`. */
  note(text: string): void {
    if (!this.json && !this.#quiet) this.#tell(text);
  }

  /** What went wrong, and what can be done, on stderr. Always. */
  error(message: string, hint = ""): void {
    this.#tell(`${paint("heartwire:", "bad")} ${toPrintable(message)}`);
    if (hint !== "") this.#tell(toPrintable(hint));
  }
}

/** Gives a text a colour, which is taken away again where it is not wanted. */
export function paint(text: string, colour: Colour): string {
  return `\x1b[${COLOURS[colour]}m${text}\x1b[0m`;
}

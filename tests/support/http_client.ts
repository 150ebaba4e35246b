/**
 * A bare HTTP/1.1 client over one TCP connection, so that a test knows which connection an answer came over and when that ended.
 *
 * Rules: nothing is dialled again behind the test's back. Every wait is bounded.
 */

import { connect as dial, type Socket } from "node:net";

/** A wait that is longer is a failure, ms. */
const PATIENCE = 15_000;

/** An answer. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One connection. */
export class HttpConnection {
  /** Resolves when the connection has ended, with the time of `performance.now()`. */
  readonly ended: Promise<number>;
  readonly #socket: Socket;
  #text = "";
  #over = false;
  #look: () => void = () => {};

  constructor(host: string, port: number) {
    this.#socket = dial({ host, port });
    this.#socket.setEncoding("latin1").on("data", (text: string) => {
      this.#text += text;
      this.#look();
    });
    this.#socket.on("error", () => {}); // "close" comes too
    this.ended = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("the connection does not end")), PATIENCE);
      this.#socket.on("close", () => {
        clearTimeout(late);
        this.#over = true;
        this.#look();
        resolve(performance.now());
      });
    });
    this.ended.catch(() => {}); // a test may not ask
  }

  /** Whether the connection has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Sends bytes as they are. */
  write(text: string): void {
    this.#socket.write(text);
  }

  /** Asks, and reads the answer. */
  ask(path: string, method = "GET", headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const lines = Object.entries({ host: "localhost", ...headers }).map(([name, value]) =>
      `${name}: ${value}`
    );
    this.write(`${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    return this.answer(method === "HEAD");
  }

  /** Reads the next answer; one to HEAD has a length and no body. */
  async answer(bodiless = false): Promise<Answer> {
    const until = performance.now() + PATIENCE;
    for (;;) {
      const found = this.#take(bodiless);
      if (found !== null) return found;
      if (this.#over) {
        throw new Error(`the connection ended without an answer: ${JSON.stringify(this.#text)}`);
      }
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("no answer in time")), until - performance.now());
        this.#look = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  #take(bodiless: boolean): Answer | null {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return null;
    const [first, ...lines] = this.#text.slice(0, end).split("\r\n");
    const status = /^HTTP\/1\.1 (\d{3}) ?/.exec(first!);
    if (status === null) throw new Error(`no status line: ${JSON.stringify(first)}`);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line)!;
      headers[name!.toLowerCase()] = value!;
    }
    let rest = this.#text.slice(end + 4);
    let body = "";
    if (!bodiless && /chunked/i.test(headers["transfer-encoding"] ?? "")) {
      for (;;) {
        const size = /^([0-9a-f]+)\r\n/i.exec(rest);
        if (size === null) return null;
        const from = size[0].length;
        const length = parseInt(size[1]!, 16);
        if (rest.length < from + length + 2) return null;
        body += rest.slice(from, from + length);
        rest = rest.slice(from + length + 2);
        if (length === 0) break;
      }
    } else if (!bodiless) {
      const length = Number(headers["content-length"] ?? 0);
      if (rest.length < length) return null;
      body = rest.slice(0, length);
      rest = rest.slice(length);
    }
    this.#text = rest;
    return { status: Number(status[1]), headers, body };
  }

  close(): void {
    this.#socket.destroy();
  }
}

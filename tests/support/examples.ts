/**
 * The examples of a document, as programs: a TypeScript block whose first line names a file is one, and runs on each runtime
 * as it stands, with only the import and the port exchanged.
 *
 * Rules: what is started here is ended here, by its own handle. Waits are for output, never for time.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, type Runtime, runtimeCommand } from "./runtimes.ts";

/** A program that runs, and what it says. */
export interface Run {
  /** The process. */
  readonly child: ChildProcess;
  /** Both of its outputs, so far. */
  output: string;
  /** Resolves with its exit code. */
  readonly exit: Promise<number | null>;
  /** Resolves when the output matches. */
  seen(pattern: RegExp): Promise<void>;
}

/** The examples of one document. */
export class Examples {
  /** The document. */
  readonly text: string;
  /** By name, without the line that names them. */
  readonly sources: ReadonlyMap<string, string>;
  readonly #folder: string;
  readonly #running = new Set<ChildProcess>();

  /** @param path of the document, from the root */
  constructor(path: string) {
    this.text = readFileSync(join(ROOT, path), "utf8");
    this.sources = new Map(
      [...this.text.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map((match) => [match[1]!, match[2]!]),
    );
    this.#folder = mkdtempSync(join(tmpdir(), "heartwire-examples-"));
    writeFileSync(join(this.#folder, "package.json"), '{ "type": "module" }');
  }

  /** Blocks of TypeScript, examples or not. */
  get blocks(): number {
    return this.text.match(/^```ts/gm)?.length ?? 0;
  }

  /** Ends what still runs, and removes what was written. */
  close(): void {
    for (const child of this.#running) child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Writes an example for a runtime and returns its path. */
  write(name: string, runtime: Runtime, port: number): string {
    let source = this.sources.get(name)!.replaceAll("7433", String(port))
      .replaceAll("heartwire/node", `heartwire/${runtime}`);
    // The package's names resolve inside a clone only: the files lie in a folder of their own, so name the sources.
    const modules = { heartwire: "core/mod.ts", [`heartwire/${runtime}`]: `adapters/${runtime}/mod.ts` };
    for (const [specifier, module] of Object.entries(modules)) {
      source = source.replaceAll(`from "${specifier}"`, `from ${JSON.stringify(join(ROOT, module))}`);
    }
    const file = join(this.#folder, `${runtime}-${port}-${name}`);
    writeFileSync(file, source);
    return file;
  }

  /** Runs an example on a runtime. */
  run(name: string, runtime: Runtime, port: number): Run {
    const [command, ...args] = runtimeCommand(runtime, this.write(name, runtime, port));
    return this.follow(
      spawn(command!, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] }),
      `${name} on ${runtime}`,
    );
  }

  /** Collects what a process says, and knows when it has ended. */
  follow(child: ChildProcess, what: string): Run {
    this.#running.add(child);
    const listeners = new Set<() => void>();
    const self: Run = {
      child,
      output: "",
      exit: new Promise((resolve) => {
        child.on("close", (code) => {
          this.#running.delete(child);
          for (const listener of listeners) listener();
          resolve(code);
        });
      }),
      seen: (pattern) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (pattern.test(self.output)) resolve();
            else if (child.exitCode !== null) reject(new Error(`${what} ended:\n${self.output}`));
            else return;
            listeners.delete(look);
          };
          listeners.add(look);
          look();
        }),
    };
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        self.output += text;
        for (const listener of listeners) listener();
      });
    }
    return self;
  }
}

/** A port that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** Waits until something listens. */
export async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nothing listens on ${port}`);
}

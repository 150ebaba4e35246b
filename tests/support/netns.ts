/**
 * A second host on this machine: a network namespace joined by a pair of virtual links, whose traffic can be dropped.
 *
 * A dropped packet is what a pulled cable, a dead host or a forgetful firewall looks like: no reset, no error, silence on both sides.
 *
 * Rules: needs Linux, root, `ip` and `nft`; `missing()` says what lacks, by name. Names carry the process id, so that runs do not meet.
 * Whatever is made is taken away by `remove`.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";

/** Why there can be no second host here, or null. */
export function missing(): string | null {
  if (process.platform !== "linux") return "network namespaces need Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  for (const tool of ["ip", "nft"]) {
    if (spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0) return `${tool} is not installed`;
  }
  const probe = `hwprobe${process.pid}`;
  if (spawnSync("ip", ["netns", "add", probe]).status !== 0) return "network namespaces are not allowed here";
  spawnSync("ip", ["netns", "del", probe]);
  return null;
}

function run(...command: string[]): void {
  const { status, stderr } = spawnSync(command[0]!, command.slice(1), { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}

/** Which packets of the other host are dropped. */
export type Cut = "both" | "to" | "from";

/** The other host. */
export class OtherHost {
  /** Its address. */
  readonly address: string;
  readonly #name: string;
  readonly #link: string;

  /** @param index tells hosts of one process apart, 0 to 60 */
  constructor(index: number) {
    this.#name = `hw${process.pid}x${index}`;
    this.#link = `hw${index}p${process.pid % 100_000}`;
    const net = `10.${200 + process.pid % 50}.${index}`;
    this.address = `${net}.2`;
    run("ip", "netns", "add", this.#name);
    run("ip", "link", "add", this.#link, "type", "veth", "peer", "name", "up0", "netns", this.#name);
    run("ip", "address", "add", `${net}.1/24`, "dev", this.#link);
    run("ip", "link", "set", this.#link, "up");
    this.#inside("ip", "address", "add", `${this.address}/24`, "dev", "up0");
    this.#inside("ip", "link", "set", "up0", "up");
    this.#inside("ip", "link", "set", "lo", "up");
  }

  /** The command that runs another on that host. */
  command(command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.#name, ...command];
  }

  #inside(...command: string[]): void {
    run(...this.command(command));
  }

  /** Drops what is sent to it, what it sends, or both. Nobody is told. */
  cut(which: Cut): void {
    this.#inside("nft", "add table inet cut");
    const chain = (hook: string): void =>
      this.#inside(
        "nft",
        `add chain inet cut ${hook} { type filter hook ${hook} priority 0 ; policy drop ; }`,
      );
    if (which !== "from") chain("input");
    if (which !== "to") chain("output");
  }

  /** Lets everything pass again. */
  heal(): void {
    this.#inside("nft", "delete table inet cut");
  }

  /** Takes it away. The link goes first: a namespace lives on while a process in it does, and would keep its address. */
  remove(): void {
    spawnSync("ip", ["link", "del", this.#link]);
    spawnSync("ip", ["netns", "del", this.#name]);
  }
}

/**
 * What the codec costs next to those of others: decoding and encoding of messages of 16 B to 64 KiB, in chunks of 64 KiB and of 1 to 7 bytes.
 *
 * Rules: same payloads, same chunks, same process. Subjects take turns round by round; CPU time of the whole process, so that the
 * collector's threads count. Each group of subjects that are compared has processes of its own, so that the types and the garbage of one
 * do not weigh on the next. Every subject delivers each message whole, as bytes of its own or a view, to a function that looks at it.
 *
 * heartwire checks a CRC of every frame, in both directions; nobody else checks one. What that and the view of a message
 * cost alone stands beside it, as the limit. What a client of ws sends is masked, so that is what a server's receiver gets; what a server sends is
 * not, so ws stands here twice. When it encodes without a mask, ws leaves the payload to the socket and copies nothing; heartwire copies it once,
 * and then writes once for many messages.
 *
 * @module
 */

import { versionOf } from "./peers/packages.ts";
import { Program } from "./process.ts";
import type { Measured } from "./programs/codec.ts";
import type { Mark } from "./report.ts";
import { type Context, reportOf, Rounds, type Suite } from "./suite.ts";

const OURS = "heartwire";
const BARE = "ws, not masked";
const LIMIT = "its view and CRC alone";
const TINY = "in chunks of 1 to 7 bytes";

/** Processes for each group: how an engine compiles and lays out the same program differs by a fifth from start to start. */
function plan({ quick }: Context): { processes: number; rounds: number; ms: number } {
  return quick ? { processes: 1, rounds: 2, ms: 1 } : { processes: 2, rounds: 5, ms: 15 };
}

function marksOf({ runtime }: Context, kept: Rounds): Mark[] {
  const node = runtime === "node";
  const small = { node: 1.8, deno: 2.5, bun: 3.5 }[runtime];
  const times = (what: string): number => kept.ratio(what, BARE, OURS);
  const tiny = (size: string): string => `decode, ${size} ${TINY}`;
  const perByte = kept.median(tiny("64 KiB"), OURS) / kept.median(tiny("1 KiB"), OURS) / 64;
  const ws = "ws, not masked, takes so many times as long";
  const against = (number: number, size: string, limit: number): Mark[] => {
    const what = `decode, ${size}`;
    const least = kept.ratio(what, BARE, LIMIT);
    return [
      { number, what: `${what}: ${ws}`, value: times(what), bound: "at least", limit, least },
      { number, what: `${what}: the limit, its view and CRC alone; ${ws}`, value: least, bound: "at least" },
    ];
  };
  return [
    ...against(1, "16 B", small),
    ...against(1, "64 B", small),
    ...against(2, "1 KiB", node ? 1.1 : 2),
    {
      number: 3,
      what: `decode ${TINY}: a byte of a 64 KiB message costs so many times one of 1 KiB`,
      value: perByte,
      bound: "at most",
      limit: 1.2,
    },
    {
      number: 3,
      what: `decode, 64 KiB ${TINY}: ${ws}`,
      value: times(tiny("64 KiB")),
      bound: "at least",
      ...(node ? { limit: 30 } : {}),
    },
  ];
}

/** The suite. */
export const codec: Suite = {
  name: "codec",
  async run(context) {
    const { processes, rounds, ms } = plan(context);
    const kept = new Rounds();
    let runtime = "";
    /** Measures the groups `from` .. `to` - 1 in one process; says how many there are. */
    const measure = async (from: number, to: number): Promise<number> => {
      const program = Program.start(context.folder, context.runtime, "codec", [], null);
      try {
        runtime = await program.call<string>("runtime");
        const groups = await program.call<number>("groups");
        for (let group = from; group < Math.min(to, groups); group++) {
          for (const { what, name, us } of await program.call<Measured[]>("measure", { group, rounds, ms })) {
            kept.add(what, name, "us a message", us);
          }
        }
        return groups;
      } finally {
        await program.stop();
      }
    };
    if (context.quick) await measure(0, Infinity);
    else {
      for (let group = 0, groups = 1; group < groups; group++) {
        for (let count = 0; count < processes; count++) groups = await measure(group, group + 1);
      }
    }
    const against = `${versionOf("ws")} with bufferutil, ${versionOf("rsocket-core")}, ` +
      `${versionOf("@chainsafe/libp2p-yamux")}`;
    return reportOf("codec", runtime, processes * rounds, kept, marksOf(context, kept), against);
  },
};

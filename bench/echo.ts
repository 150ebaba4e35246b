/**
 * What a message costs a server: echo of 64 bytes and of 64 KiB, by CPU time of the server's process.
 *
 * Rules: one connection; a burst of 200 small messages is on its way, the next when all are back, or two of four large ones. No more small
 * ones, because heartwire drops a volatile message behind which 16 KiB wait. Clients write a burst at once, so that every server is
 * woken alike; those of rsocket-js and socket.io are their own and write message by message. The servers of all subjects are there
 * all the time, in processes of their own, and take turns.
 *
 * @module
 */

import type { Mark } from "./report.ts";
import { Contest, type Context, reportOf, Rounds, type Suite } from "./suite.ts";
import type { Ran } from "./programs/load.ts";

const SMALL = "echo, 64 B";
const LARGE = "echo, 64 KiB";
const UNIT = "us a message";

interface Work {
  readonly what: string;
  readonly size: number;
  readonly burst: number;
  readonly bursts: number;
  /** Messages after which the engine has compiled what it will. */
  readonly warmth: number;
  readonly subjects: readonly string[];
}

const WORK: readonly Work[] = [
  {
    what: SMALL,
    size: 64,
    burst: 200,
    bursts: 1,
    warmth: 300_000,
    subjects: [
      "heartwire, volatile",
      "heartwire, session",
      "heartwire, session, each send awaited",
      "heartwire",
      "raw socket",
      "framed by hand",
      "framed by hand, CRC",
      "ws, corked by hand",
      "ws",
      "rsocket-js",
      "socket.io",
    ],
  },
  {
    what: LARGE,
    size: 65_536,
    burst: 4,
    bursts: 2,
    warmth: 8_000,
    subjects: [
      "heartwire",
      "heartwire, session",
      "heartwire, no checksum",
      "raw socket",
      "framed by hand",
      "framed by hand, CRC",
      "ws",
    ],
  },
];

/** How long and how often. */
function plan({ quick }: Context): { ms: number; rounds: number; warm: number } {
  return quick ? { ms: 15, rounds: 2, warm: 0 } : { ms: 120, rounds: 7, warm: 250 };
}

async function measure(
  context: Context,
  work: Work,
  kept: Rounds,
): Promise<{ runtime: string; absent: string[] }> {
  const { what, size, burst, bursts, warmth, subjects } = work;
  const { ms, rounds, warm } = plan(context);
  const contest = Contest.start(context);
  try {
    const groups = new Map<string, number>();
    const load = (name: string, span: number, least = 0): Promise<Ran> =>
      contest.load.call<Ran>("run", { group: groups.get(name), ms: span, least, burst, bursts, together: 1 });
    await Promise.all(subjects.map((name) => contest.serve(name)));
    const inOrder = (): typeof contest.contestants =>
      contest.contestants.toSorted((a, b) => subjects.indexOf(a.name) - subjects.indexOf(b.name));
    for (const { name, port } of inOrder()) {
      try {
        groups.set(name, await contest.load.call<number>("open", { name, port, size, count: 1 }));
        await load(name, warm, context.quick ? 0 : warmth);
      } catch (error) {
        contest.drop(name, error);
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const { name, server } of inOrder()) {
        const before = await server.call<number>("cpu");
        const { messages, wall } = await load(name, ms);
        const cpu = await server.call<number>("cpu") - before;
        kept.add(what, name, UNIT, cpu / messages);
        kept.add(`${what}, wall time`, name, UNIT, 1_000 * wall / messages);
      }
    }
    return { runtime: contest.contestants[0]!.runtime, absent: contest.absent };
  } finally {
    await contest.stop();
  }
}

function marksOf({ runtime }: Context, kept: Rounds): Mark[] {
  const node = runtime === "node";
  const volatile = "heartwire, volatile";
  const ratio = (other: string): number => kept.ratio(SMALL, other, volatile);
  const marks: Mark[] = [
    {
      number: 4,
      what: `${SMALL}, volatile: us of the server's CPU a message`,
      value: kept.median(SMALL, volatile),
      bound: "at most",
      limit: node ? 0.8 : 0.7,
    },
    {
      number: 4,
      what: `${SMALL}, volatile: ws takes so many times as much`,
      value: ratio("ws"),
      bound: "at least",
      ...(node ? { limit: 8 } : {}),
    },
    {
      number: 4,
      what: `${SMALL}, volatile: ws corked by hand takes so many times as much`,
      value: ratio("ws, corked by hand"),
      bound: "at least",
      ...(node ? { limit: 2.5, least: kept.ratio(SMALL, "ws, corked by hand", "framed by hand, CRC") } : {}),
    },
    {
      number: 5,
      what: `${SMALL}, session: times that of volatile messages`,
      value: kept.ratio(SMALL, "heartwire, session", volatile),
      bound: "at most",
      limit: 1.25,
    },
    {
      number: 5,
      what: `${SMALL}, session: us of the server's CPU a message; nats-server's was 0.75`,
      value: kept.median(SMALL, "heartwire, session"),
      bound: "at most",
    },
    {
      number: 7,
      what: `${LARGE}, without a checksum: times a raw socket's`,
      value: kept.ratio(LARGE, "heartwire, no checksum", "raw socket"),
      bound: "at most",
      limit: 1.1,
      least: kept.ratio(LARGE, "framed by hand", "raw socket"),
    },
    {
      number: 7,
      what: `${LARGE}: times a raw socket's`,
      value: kept.ratio(LARGE, "heartwire", "raw socket"),
      bound: "at most",
      limit: node ? 1.7 : 1.5,
      least: kept.ratio(LARGE, "framed by hand, CRC", "raw socket"),
    },
    {
      number: 7,
      what: `${LARGE}: the limit, framed by hand without a checksum, times a raw socket's`,
      value: kept.ratio(LARGE, "framed by hand", "raw socket"),
      bound: "at most",
    },
    {
      number: 7,
      what: `${LARGE}: the limit, framed by hand with a CRC, times a raw socket's`,
      value: kept.ratio(LARGE, "framed by hand, CRC", "raw socket"),
      bound: "at most",
    },
  ];
  return marks.filter(({ value }) => !Number.isNaN(value));
}

/** The suite. */
export const echo: Suite = {
  name: "echo",
  async run(context) {
    const kept = new Rounds();
    const notes: string[] = [];
    let runtime = "";
    for (const work of WORK) {
      const ran = await measure(context, work, kept);
      runtime = ran.runtime;
      notes.push(...ran.absent);
    }
    const against =
      `the server's CPU time; clients on Node; in brackets how many times heartwire's, and quartiles`;
    return reportOf("echo", runtime, plan(context).rounds, kept, marksOf(context, kept), against, [
      ...new Set(notes),
    ]);
  },
};

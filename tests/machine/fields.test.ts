/**
 * Every field of a machine stands in its `clone` and in its `key`, or here with the reason why not.
 *
 * The source is read, for private fields cannot be listed at run time. A field that only a copy or only a key misses would show in a search
 * sooner or later, as states that are one and should not be; this shows it at once.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../support/runtimes.ts";

/** A class, and which of its fields are not copied, or in no key, and why. */
interface Subject {
  readonly file: string;
  readonly name: string;
  /** Methods that copy, and that make the key, besides `clone` and `key`. */
  readonly copies?: readonly string[];
  readonly keys?: readonly string[];
  /** The file of a function that makes the key. */
  readonly keyFile?: string;
  /** Not named where it is copied. */
  readonly notCopied: Readonly<Record<string, string>>;
  readonly notInKey: Readonly<Record<string, string>>;
}

const FIXED = "given at construction, and never changes";
const DRAINED = "what waits to be drained is left behind";
const COUNTED = "only reported";
const STORED = "for a server with a store, which has no copy and no key";

const SUBJECTS: readonly Subject[] = [
  {
    file: "core/client.ts",
    name: "Client",
    notCopied: {
      "#connectionOptions": FIXED,
      "#environment": FIXED,
      "#redial": "the constructor copies it",
      "#out": DRAINED,
    },
    notInKey: {
      "#options": FIXED,
      "#connectionOptions": FIXED,
      "#environment": FIXED,
      "#now": "keys are relative to a time that is given",
      "#dials": "what `#attempt` is counted from",
      "#out": DRAINED,
    },
  },
  {
    file: "core/server.ts",
    name: "Server",
    notCopied: {
      "#keeper": STORED,
      "#leaveAt": STORED,
      "#options": FIXED,
      "#connectionOptions": FIXED,
      "#environment": FIXED,
      "#places": "the constructor copies it",
      "#dirty": DRAINED,
      "#over": DRAINED,
      "#budget": "there must be none",
    },
    notInKey: {
      "#keeper": STORED,
      "#leaveAt": STORED,
      "#options": FIXED,
      "#connectionOptions": FIXED,
      "#environment": FIXED,
      "#places": "follows from the entries",
      "#deadlines": "follows from the entries; what it holds too early changes nothing",
      "#dirty": DRAINED,
      "#over": DRAINED,
      "#tally": COUNTED,
      "#budget": "there must be none",
    },
  },
  {
    file: "core/sessions.ts",
    name: "Sessions",
    copies: ["constructor", "copyOf"],
    notCopied: {
      "#ending": STORED,
      "#restored": STORED,
      "#moved": STORED,
      "#over": DRAINED,
    },
    notInKey: {
      "#ending": STORED,
      pumps: STORED,
      "#restored": STORED,
      "#moved": STORED,
      "#options": FIXED,
      "#environment": FIXED,
      "#decoy": "random, and right for nobody",
      "#over": DRAINED,
      "#resumed": COUNTED,
      "#expired": COUNTED,
    },
  },
  {
    file: "core/redial.ts",
    name: "Redial",
    keys: ["get handshakeTimeout"],
    notCopied: {},
    notInKey: {},
  },
  {
    file: "core/session.ts",
    name: "Session",
    notCopied: { pump: STORED, fate: STORED },
    notInKey: { pump: STORED, fate: STORED },
  },
  {
    file: "core/flow/inbound.ts",
    name: "Inbound",
    notCopied: { message: "lent until the next input", messageCost: "goes with `message`" },
    notInKey: {
      durable: STORED,
      "#headless": STORED,
      message: "lent until the next input",
      messageCost: "goes with `message`",
      "#maxMessage": FIXED,
      "#window": FIXED,
      "#base": "what the peer's count is relative to",
    },
  },
  {
    file: "core/flow/outbound.ts",
    name: "Outbound",
    notCopied: { "#environment": FIXED },
    notInKey: {
      durable: STORED,
      reordered: STORED,
      accepted: "in `end`",
      "#environment": FIXED,
      "#buffer": FIXED,
      "#retentionLimit": FIXED,
    },
  },
  {
    file: "core/flow/requests.ts",
    name: "Requests",
    notCopied: {},
    notInKey: {
      "#arrived": STORED,
      "#askedBefore": STORED,
      "#heardBefore": STORED,
      "#heardAgain": STORED,
      most: FIXED,
    },
  },
  { file: "core/flow/reassembly.ts", name: "Reassembly", notCopied: {}, notInKey: { "#most": FIXED } },
  {
    file: "core/flow/retention.ts",
    name: "Retention",
    notCopied: {},
    notInKey: {
      bytes: "follows from what is kept",
      "#segments": "in `views`",
      "#segment": "follows from what is left of the replay",
      "#at": "follows from what is left of the replay",
    },
  },
  {
    file: "core/flow/transmit.ts",
    name: "Transmit",
    notCopied: {},
    notInKey: { flushed: "what questions wait for is relative to it", total: COUNTED },
  },
  {
    file: "core/flow/session_state.ts",
    name: "SessionState",
    keys: ["name"],
    notCopied: {},
    notInKey: {},
  },
  {
    file: "core/link.ts",
    name: "Link",
    keyFile: "core/link_key.ts",
    // All fields are assigned; those that hold a state of their own must be named besides.
    notCopied: {},
    notInKey: {
      options: FIXED,
      environment: FIXED,
      measures: "what decides of it stands in the key of liveness",
      patience: "follows from the terms",
      events: DRAINED,
    },
  },
];

/** The body of a class, without what comes before and behind it. */
function bodyOf(source: string, name: string): string {
  const begin = source.indexOf(`class ${name} `);
  assert(begin >= 0, name);
  return source.slice(begin, source.indexOf("\n}\n", begin));
}

/** Fields that are declared in a class body. */
function fieldsOf(body: string): string[] {
  const found = body.matchAll(/^ {2}(?:readonly )?(#?\w+)(?:: [^=(;]+)?(?: = [^;]+)?;$/gm);
  return Array.from(found, ([, name]) => name!);
}

/** A method of a class body. */
function methodOf(body: string, name: string): string {
  const begin = body.search(new RegExp(`^  ${name}\\(`, "m"));
  assert(begin >= 0, name);
  return body.slice(begin, body.indexOf("\n  }\n", begin));
}

function names(text: string, field: string): boolean {
  return new RegExp(`(^|[^\\w#])${field}(?!\\w)`).test(text);
}

describe("fields of machines", () => {
  for (const subject of SUBJECTS) {
    const source = readFileSync(join(ROOT, subject.file), "utf8");
    const body = bodyOf(source, subject.name);
    const fields = fieldsOf(body);

    it(`${subject.name}: each is copied, or here with the reason`, () => {
      const copies = ["clone", ...subject.copies ?? []].map((name) => methodOf(body, name)).join("\n");
      const all = /Object\.assign\([^;]*, this\)/.test(copies);
      const missing = fields.filter((field) => !names(copies, field) && !(all && !holdsState(body, field)));
      assertEquals(missing.filter((field) => subject.notCopied[field] === undefined), []);
      assertEquals(Object.keys(subject.notCopied).filter((field) => !missing.includes(field)), []);
    });

    it(`${subject.name}: each is in the key, or here with the reason`, () => {
      const made = subject.keyFile === undefined
        ? ["key", ...subject.keys ?? []].map((name) => methodOf(body, name)).join("\n")
        : readFileSync(join(ROOT, subject.keyFile), "utf8");
      const missing = fields.filter((field) => !names(made, field));
      assertEquals(missing.filter((field) => subject.notInKey[field] === undefined), []);
      assertEquals(Object.keys(subject.notInKey).filter((field) => !missing.includes(field)), []);
    });
  }

  it("are found", () => {
    const body = "class A {\n  readonly a: B<C>;\n  #b = 1;\n  c: D | null = null;\n  d(): void {\n  }\n";
    assertEquals(fieldsOf(body), ["a", "#b", "c"]);
  });
});

/** Whether a field holds an object with a state, which assigning would share. */
function holdsState(body: string, field: string): boolean {
  return new RegExp(`^  (?:readonly )?${field}(?:: [^=;]+)? = new `, "m").test(body) ||
    new RegExp(`^    this\\.${field} = [^;]*new `, "m").test(body);
}

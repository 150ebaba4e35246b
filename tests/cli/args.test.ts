/**
 * The arguments: what they mean, and what is said when they mean nothing.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { type Invocation, readArguments, type Run } from "../../cli/args.ts";
import { UsageError } from "../../cli/exit.ts";
import { helpText } from "../../cli/help.ts";
import { pingIntervals, protocolOptions } from "../../cli/command.ts";
import { type CommandName, COMMANDS, DETECTORS, PRESET_NAMES } from "../../cli/spec.ts";
import { nearest } from "../../cli/suggest.ts";
import { PRESETS } from "../../core/liveness/presets.ts";
import { resolveConnection } from "../../core/resolve.ts";

const NAMES = Object.keys(COMMANDS) as CommandName[];

function run(...args: string[]): Run {
  const invocation: Invocation = readArguments(args);
  assert(invocation.kind === "run", `${args.join(" ")}: ${invocation.kind}`);
  return invocation;
}

function refused(...args: string[]): UsageError {
  const error = assertThrows(() => readArguments(args));
  assertInstanceOf(error, UsageError);
  return error;
}

describe("arguments", () => {
  it("have defaults", () => {
    for (const name of NAMES) {
      const { command, address, values, message } = run(name);
      assertEquals(command, name);
      assertEquals(address.url, "heartwire://127.0.0.1:7433");
      assertEquals(message, null);
      assertEquals([values.json, values.quiet, values.profile], [false, false, "heartwire"]);
      assertEquals([values.interval, values.multiplier, values.count], [undefined, undefined, undefined]);
    }
    assertEquals(run("serve").values.handler, "echo");
    assertEquals(run("send").values.expect, 1);
  });

  it("name an address in any form", () => {
    const cases: [string, string][] = [
      ["example.net:80", "heartwire://example.net:80"],
      [":9000", "heartwire://127.0.0.1:9000"],
      ["9000", "heartwire://127.0.0.1:9000"],
      ["[::1]:9000", "heartwire://[::1]:9000"],
      ["heartwire://h:1", "heartwire://h:1"],
      ["/tmp/s", "heartwire+unix:///tmp/s"],
    ];
    for (const [given, url] of cases) assertEquals(run("ping", given).address.url, url);
    assertEquals(run("serve", "0").address.url, "heartwire://127.0.0.1:0");
  });

  it("may stand in any order", () => {
    for (
      const args of [
        ["ping", "--count", "3", "9000", "--json"],
        ["--json", "ping", "9000", "--count=3"],
        ["--count", "3", "--json", "ping", "9000"],
        ["ping", "-c", "3", "--json", "--", "9000"],
        ["ping", "-c3", "--json", "9000"],
      ]
    ) {
      const { values, address } = run(...args);
      assertEquals([values.count, values.json, address.url], [3, true, "heartwire://127.0.0.1:9000"]);
    }
    assertEquals(run("send", ":1", "--", "--expect").message, "--expect");
    assertEquals(run("send", ":1", "two words").message, "two words");
  });

  it("ask for help and version", () => {
    assertEquals(readArguments(["--help"]), { kind: "help", command: null });
    assertEquals(readArguments(["help"]), { kind: "help", command: null });
    assertEquals(readArguments(["-h"]), { kind: "help", command: null });
    assertEquals(readArguments(["--version"]), { kind: "version" });
    for (const command of NAMES) {
      assertEquals(readArguments([command, "--help"]), { kind: "help", command });
      assertEquals(readArguments(["help", command]), { kind: "help", command });
    }
  });

  it("are refused with what would be right", () => {
    const cases: [string[], string, string][] = [
      [[], "a command is missing", "serve, connect, send, ping, bench"],
      [["pign"], 'no command "pign"', "Did you mean ping?"],
      [["zzzzz"], 'no command "zzzzz"', "There are: serve"],
      [["ping", "--cuont", "3"], "no option --cuont", "Did you mean --count?"],
      [["ping", "--frobnicate"], "no option --frobnicate", "heartwire ping --help"],
      [["ping", "-x"], "no option -x", "heartwire ping --help"],
      [["serve", "--count", "3"], "serve has no option --count", "It belongs to ping, bench."],
      [["--count", "3"], "--count stands without a command", "heartwire --help"],
      [["ping", "--count"], "--count needs a value", "--count N"],
      [["ping", "--count="], "--count needs a value", "--count N"],
      [["ping", "--count", "0"], '"0" is not a whole number from 1', "--count"],
      [["ping", "--count", "-1"], '"-1" is not a whole number', "--count"],
      [["ping", "--count", "1e3"], '"1e3" is not a whole number', "--count"],
      [["ping", "--interval", "9"], "from 10 to 3600000", "--interval"],
      [["ping", "--interval", "3600001"], "from 10 to 3600000", "--interval"],
      [["ping", "--multiplier", "256"], "from 1 to 255", "--multiplier"],
      [["ping", "--json=yes"], "--json takes no value", "--json"],
      [["serve", "--handler", "ecko"], 'no handler "ecko"', "Did you mean echo?"],
      [["serve", "--handler", "zzz"], 'no handler "zzz"', "echo, upper, discard, chat"],
      [["ping", "a:1", "b:2"], '"b:2" is one argument too many', "heartwire ping [ADDRESS]"],
      [["send", "a:1", "two", "words"], '"words" is one argument too many', "quote what has spaces"],
      [["ping", "0"], "ping cannot dial port 0", "serve takes port 0"],
      [["ping", "a:b"], '"b" is not a port', "0 to 65535"],
      [["ping", "http://a"], 'the scheme "http" is not known', "heartwire://"],
      [["ping", "heartwires://a"], "is not offered by this version", "heartwire://"],
    ];
    for (const [args, message, hint] of cases) {
      const error = refused(...args);
      assertStringIncludes(error.message, message);
      assertStringIncludes(error.hint, hint);
    }
  });

  it("name profiles that exist when one does not", () => {
    const error = refused("ping", "--profile", "nonsense");
    assertStringIncludes(error.message, '"nonsense"');
    assertStringIncludes(error.hint, "heartwire");
  });

  it("survive names that every object has", () => {
    for (const name of ["constructor", "__proto__", "toString"]) {
      refused(name);
      refused("ping", `--${name}`);
      refused("serve", "--handler", name);
    }
  });
});

describe("heartbeats", () => {
  const heartbeat = (...args: string[]): unknown => {
    const { values } = run(...args);
    return protocolOptions(values, args[0] === "ping" ? pingIntervals(values).beat : values.interval)
      .heartbeat;
  };

  it("are the library's unless something is said, and what is given overrides a preset", () => {
    for (const name of ["serve", "connect", "send"]) {
      assertEquals(heartbeat(name), {});
      assertEquals(heartbeat(name, "--preset", "mobile"), { preset: "mobile" });
      assertEquals(heartbeat(name, "--detector", "accrual", "--multiplier", "5"), {
        ...{ detector: "accrual", multiplier: 5 },
      });
      // Who asks for a fast heartbeat accepts one, too.
      assertEquals(heartbeat(name, "--preset", "mobile", "--interval", "2000"), {
        ...{ preset: "mobile", interval: 2_000, minimumInterval: 2_000 },
      });
      assertEquals(heartbeat(name, "--interval", "20"), { interval: 20, minimumInterval: 20 });
    }
    assertStringIncludes(refused("serve", "--detector", "phi").hint, "There are: fixed, accrual.");
    assertStringIncludes(refused("ping", "--preset", "lna").hint, "Did you mean lan?");
  });

  it("of ping are a third slower than its questions, but not in the historical format", () => {
    const intervals = (...args: string[]): number[] =>
      Object.values(pingIntervals(run("ping", ...args).values));
    assertEquals(intervals(), [1_000, 1_333]);
    assertEquals(intervals("--interval", "200"), [200, 266]);
    assertEquals(intervals("--interval", "3600000"), [3_600_000, 3_600_000]);
    assertEquals(intervals("--profile", "classic", "--interval", "50"), [50, 50]);
    assertEquals(intervals("--preset", "lan"), [135, 180]);
    assertEquals(intervals("--preset", "lan", "--interval", "300"), [300, 400]);
    assertEquals(heartbeat("ping"), { interval: 1_333, minimumInterval: 100 });
    assertEquals(heartbeat("ping", "--preset", "wan"), {
      ...{ preset: "wan", interval: 2_000, minimumInterval: 500 },
    });
  });

  it("have every preset and detector that the library has", () => {
    assertEquals([...PRESET_NAMES].sort(), Object.keys(PRESETS).sort());
    for (const detector of DETECTORS) resolveConnection({ heartbeat: { detector } });
  });
});

describe("the nearest name", () => {
  it("forgives a slip, not more", () => {
    assertEquals(nearest("conect", NAMES), "connect");
    assertEquals(nearest("PING", NAMES), "ping");
    assertEquals(nearest("pnig", NAMES), "ping");
    assertEquals(nearest("con", NAMES), "connect");
    assertEquals(nearest("listen", NAMES), null);
    assertEquals(nearest("", NAMES), null);
    assertEquals(nearest("x".repeat(1e5), NAMES), null);
  });
});

describe("help", () => {
  it("has every command and option, and fits 80 columns", () => {
    for (const command of [null, ...NAMES]) {
      const text = helpText(command, "1.2.3");
      for (const line of text.split("\n")) assert(line.length <= 80, line);
      assertStringIncludes(text, "exit status:");
    }
    for (const name of NAMES) {
      assertStringIncludes(helpText(null, "1.2.3"), `  ${name} `);
      for (const option of COMMANDS[name].options) {
        assertStringIncludes(helpText(name, "1.2.3"), `--${option.name}`);
      }
    }
  });

  it("has examples of which every one is understood", () => {
    for (const name of NAMES) {
      assert(COMMANDS[name].examples.length > 0);
      for (const example of COMMANDS[name].examples) {
        const [, args] = /heartwire (.*)$/.exec(example)!;
        const words = [...args!.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!);
        assertEquals(run(...words).command, name);
      }
    }
  });
});

/**
 * The help, made from the tables of spec.ts.
 *
 * @module
 */

import { type CommandName, COMMANDS, GLOBAL_OPTIONS, type OptionSpec } from "./spec.ts";

/** The help is made to fit terminals of this width. */
const WIDTH = 80;

const ADDRESS =
  "An ADDRESS is host:port, :port, a port, the path of a Unix socket, or a URL (heartwire://host:port, " +
  "heartwire+unix:///path).";
const DEFAULT = "Without one it is 127.0.0.1:7433.";
const FREE_PORT = "Port 0 takes a free one.";
const OWN = "Without one a server is started in this process.";

/** What an ADDRESS is, for one command. */
function addressHelp(command: CommandName | null): string {
  if (command === "bench") return `${ADDRESS} ${OWN}`;
  return command === "serve" ? `${ADDRESS} ${DEFAULT} ${FREE_PORT}` : `${ADDRESS} ${DEFAULT}`;
}

const EXITS = [
  "exit status:",
  "  0 ok; 1 no reply, or something lost; 2 wrong usage; 3 refused, or no such",
  "  host; 4 handshake or protocol; 5 timeout, or the peer is dead; 130 SIGINT;",
  "  143 SIGTERM (serve: 0)",
];

/** Breaks a text into lines of at most `width`. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function optionLines(options: readonly OptionSpec[]): string[] {
  const labels = options.map(({ name, short, value }) =>
    `${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`
  );
  const indent = Math.max(...labels.map((label) => label.length)) + 4;
  return options.flatMap(({ help }, i) =>
    wrap(help, WIDTH - indent).map((line, at) => (at === 0 ? `  ${labels[i]}` : "").padEnd(indent) + line)
  );
}

/** The help of one command, or of all. */
export function helpText(command: CommandName | null, version: string): string {
  const lines: string[] = [];
  if (command === null) {
    lines.push(`heartwire ${version}: long-lived connections that know when they are dead`, "");
    lines.push("usage: heartwire COMMAND [ADDRESS] [options]", "");
    lines.push("commands:");
    for (const [name, { summary }] of Object.entries(COMMANDS)) lines.push(`  ${name.padEnd(9)}${summary}`);
    lines.push("", "options:", ...optionLines(GLOBAL_OPTIONS));
    lines.push("", ...wrap(addressHelp(null), WIDTH));
    lines.push("", "Try: heartwire demo", "Or: heartwire serve, and in a second terminal: heartwire ping");
    lines.push("More: heartwire COMMAND --help");
  } else {
    const { summary, operands, description, options, examples } = COMMANDS[command];
    lines.push(`heartwire ${command}: ${summary}`, "");
    lines.push(`usage: heartwire ${command} ${operands === "" ? "" : `${operands} `}[options]`, "");
    lines.push(...wrap(description.join(" "), WIDTH), "");
    if (operands !== "") lines.push(...wrap(addressHelp(command), WIDTH), "");
    lines.push("options:", ...optionLines(options), "");
    lines.push("examples:", ...examples.map((example) => `  ${example}`));
  }
  return [...lines, "", ...EXITS].join("\n");
}

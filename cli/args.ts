/**
 * From the arguments to what is wanted.
 *
 * Rules: `parseArgs` only cuts the arguments into tokens; what may stand where is decided here, for its own complaints differ
 * between runtimes and suggest nothing. Whatever is wrong is a {@link UsageError} that says what would be right.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type Address, HeartwireError, parseAddress } from "../adapters/api.ts";
import { UsageError } from "./exit.ts";
import { type CommandName, COMMANDS, DEFAULTS, optionsOf, type OptionSpec, type Values } from "./spec.ts";
import { nearest } from "./suggest.ts";

/** Where to if nothing is said. */
export const DEFAULT_ADDRESS = "127.0.0.1:7433";

/** A command that is to be run. */
export interface Run {
  readonly kind: "run";
  readonly command: CommandName;
  readonly address: Address;
  /** Whether the address was named; if not, it is the default. */
  readonly named: boolean;
  /** The message of `send`; null: it comes from stdin. */
  readonly message: string | null;
  readonly values: Readonly<Values>;
}

/** What is wanted. */
export type Invocation =
  | Run
  | { readonly kind: "help"; readonly command: CommandName | null }
  | { readonly kind: "version" };

const NAMES = Object.keys(COMMANDS) as CommandName[];

/** All options of all commands, by name: whether an option takes a value is the same everywhere. */
const ALL: ReadonlyMap<string, OptionSpec> = new Map(
  NAMES.flatMap((name) => COMMANDS[name].options).map((option) => [option.name, option]),
);

type ParseConfig = NonNullable<Parameters<typeof parseArgs>[0]>;

function parserOptions(): NonNullable<ParseConfig["options"]> {
  const options: NonNullable<ParseConfig["options"]> = {};
  for (const { name, short, value } of ALL.values()) {
    options[name] = {
      type: value === undefined ? "boolean" : "string",
      ...(short === undefined ? {} : { short }),
    };
  }
  return options;
}

function isCommand(name: string): name is CommandName {
  return (NAMES as string[]).includes(name);
}

function suggestion(name: string, known: readonly string[], prefix = ""): string {
  const near = nearest(name, known);
  return near === null ? `There are: ${known.join(", ")}.` : `Did you mean ${prefix}${near}?`;
}

function helpOf(command: CommandName | null): string {
  return `See: heartwire ${command === null ? "" : `${command} `}--help`;
}

/** The command's name among the operands; null when there is none. */
function readCommand(name: string | undefined): CommandName | null {
  if (name === undefined) return null;
  if (isCommand(name)) return name;
  throw new UsageError(`no command ${JSON.stringify(name)}`, suggestion(name, [...NAMES, "help"]));
}

function readOption(command: CommandName | null, name: string, rawName: string): OptionSpec {
  const options = optionsOf(command);
  const option = options.find((one) => one.name === name);
  if (option !== undefined) return option;
  const where = NAMES.filter((one) => optionsOf(one).some((other) => other.name === name));
  if (where.length > 0) {
    throw command === null
      ? new UsageError(`${rawName} stands without a command`, helpOf(null))
      : new UsageError(`${command} has no option ${rawName}`, `It belongs to ${where.join(", ")}.`);
  }
  const known = (command === null ? [...ALL.values()] : options).map((one) => one.name);
  const near = nearest(name, known);
  throw new UsageError(
    `no option ${rawName}`,
    near === null ? helpOf(command) : `Did you mean --${near}? ${helpOf(command)}`,
  );
}

function readValue(option: OptionSpec, rawName: string, text: string | undefined): string | number | boolean {
  if (option.value === undefined) {
    if (text !== undefined) throw new UsageError(`${rawName} takes no value`, `Write ${rawName} alone.`);
    return true;
  }
  if (text === undefined || text === "") {
    throw new UsageError(`${rawName} needs a value`, `Write ${rawName} ${option.value}.`);
  }
  if (option.choices !== undefined) {
    if (option.choices.includes(text)) return text;
    const [only, ...more] = option.choices;
    throw new UsageError(
      `${rawName}: no ${option.name} ${JSON.stringify(text)}`,
      more.length === 0 ? `There is only ${only}.` : suggestion(text, option.choices),
    );
  }
  const [min, max] = option.range!;
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(number >= min && number <= max)) {
    throw new UsageError(
      `${rawName}: ${JSON.stringify(text)} is not a whole number from ${min} to ${max}`,
      `Write for example ${rawName} ${Math.min(Math.max(min, 1_000), max)}.`,
    );
  }
  return number;
}

function readAddress(command: CommandName, text: string): Address {
  let address: Address;
  try {
    address = parseAddress(text);
  } catch (error) {
    if (error instanceof HeartwireError) throw new UsageError(error.message, error.hint);
    throw error;
  }
  if (address.kind === "tcp" && address.port === 0 && command !== "serve") {
    throw new UsageError(
      `${command} cannot dial port 0`,
      "Name the port that the server listens on; only serve takes port 0, for a free one.",
    );
  }
  return address;
}

/**
 * Reads the arguments behind the script's name.
 *
 * @throws {UsageError}
 */
export function readArguments(args: readonly string[]): Invocation {
  const { tokens } = parseArgs({
    args: [...args],
    options: parserOptions(),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const operands: string[] = [];
  for (const token of tokens) if (token.kind === "positional") operands.push(token.value);

  const helpAsked = operands[0] === "help";
  if (helpAsked) operands.shift();
  const command = readCommand(operands.shift());

  const values: Values = { ...DEFAULTS };
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const option = readOption(command, token.name, token.rawName);
    Object.assign(values, { [option.name]: readValue(option, token.rawName, token.value) });
  }

  if (helpAsked || values.help) return { kind: "help", command };
  if (values.version) return { kind: "version" };
  if (command === null) throw new UsageError("a command is missing", suggestion("", NAMES));
  const { most, operands: wanted } = COMMANDS[command];
  if (operands.length > most) {
    throw new UsageError(
      `${command}: ${JSON.stringify(operands[most])} is one argument too many`,
      `Write: heartwire ${command} ${wanted}; quote what has spaces.`,
    );
  }
  const address = readAddress(command, operands[0] ?? DEFAULT_ADDRESS);
  return {
    ...{ kind: "run", command, address, named: operands[0] !== undefined },
    ...{ message: operands[1] ?? null, values },
  };
}

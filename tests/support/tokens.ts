/**
 * Splits TypeScript into tokens, just far enough to look for names and imports without being fooled by comments,
 * strings, templates and regular expressions.
 *
 * Rule: no grammar here; what a sequence of tokens means is decided by the one who looks (purity.ts).
 * @module
 */

/** One token. The text of strings and templates is their content, without quotes. */
export interface Token {
  kind: "word" | "number" | "string" | "regex" | "punctuation" | "comment";
  text: string;
  line: number;
}

const WORD = /[\p{ID_Start}$_#][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /\d[\w.]*|\.\d\w*/y;
const PUNCTUATION = /\.\.\.|\?\.(?!\d)|\*\*=?|=>|[{}()[\];,<>+\-*/%&|^!~?:=.@]/y;

/** After these words a slash begins a regular expression; after other words it divides. */
const BEFORE_REGEX = new Set(
  ["return", "typeof", "case", "in", "of", "do", "else", "void", "delete", "throw", "new", "yield", "await"],
);

/** Splits source text. Throws on what is not TypeScript, so that nothing goes unseen. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const templates: number[] = []; // open braces of each template expression we are inside of
  let at = 0;
  let line = 1;
  let before: Token | undefined; // the last token that is not a comment

  const take = (kind: Token["kind"], end: number, text = source.slice(at, end)): void => {
    const token: Token = { kind, text, line };
    tokens.push(token);
    if (kind !== "comment") before = token;
    for (let i = at; i < end; i++) if (source.charCodeAt(i) === 10) line++;
    at = end;
  };
  const match = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    return found === null ? -1 : at + found[0].length;
  };
  const endOf = (close: string, from: number): number => {
    const end = source.indexOf(close, from);
    if (end < 0) throw new Error(`line ${line}: no ${JSON.stringify(close)} follows`);
    return end;
  };
  /** The characters of a template from `at` (a backtick or the brace that ends an expression) on. */
  const template = (): void => {
    let end = at + 1;
    for (;; end++) {
      if (end >= source.length) throw new Error(`line ${line}: the template has no end`);
      if (source[end] === "\\") end++;
      else if (source[end] === "`") return take("string", end + 1, source.slice(at + 1, end));
      else if (source.startsWith("${", end)) {
        templates.push(0);
        return take("string", end + 2, source.slice(at + 1, end));
      }
    }
  };

  while (at < source.length) {
    const char = source[at] ?? "";
    const braces = templates.at(-1);
    if (/\s/.test(char)) {
      if (char === "\n") line++;
      at++;
    } else if (source.startsWith("//", at)) {
      const end = source.indexOf("\n", at);
      take("comment", end < 0 ? source.length : end);
    } else if (source.startsWith("/*", at)) take("comment", endOf("*/", at + 2) + 2);
    else if (source.startsWith("#!", at)) take("comment", endOf("\n", at));
    else if (char === '"' || char === "'") {
      let end = at + 1;
      while (source[end] !== char) {
        if (end >= source.length || source[end] === "\n") {
          throw new Error(`line ${line}: the string has no end`);
        }
        end += source[end] === "\\" ? 2 : 1;
      }
      take("string", end + 1, source.slice(at + 1, end));
    } else if (char === "`") template();
    else if (char === "}" && braces === 0) {
      templates.pop();
      template();
    } else if (char === "/" && startsRegex(before)) take("regex", regexEnd(source, at, line));
    else {
      const word = match(WORD);
      const number = word < 0 ? match(NUMBER) : -1;
      const punctuation = word < 0 && number < 0 ? match(PUNCTUATION) : -1;
      if (word >= 0) take("word", word);
      else if (number >= 0) take("number", number);
      else if (punctuation >= 0) {
        if (braces !== undefined && char === "{") templates[templates.length - 1] = braces + 1;
        if (braces !== undefined && char === "}") templates[templates.length - 1] = braces - 1;
        take("punctuation", punctuation);
      } else throw new Error(`line ${line}: unexpected ${JSON.stringify(char)}`);
    }
  }
  if (templates.length > 0) throw new Error(`line ${line}: a template expression has no end`);
  return tokens;
}

/** Whether a slash after this token begins a regular expression. */
function startsRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "word") return BEFORE_REGEX.has(before.text);
  if (before.kind === "punctuation") return !/^[)\]}]$/.test(before.text);
  return false;
}

function regexEnd(source: string, start: number, line: number): number {
  let inClass = false;
  for (let at = start + 1; at < source.length && source[at] !== "\n"; at++) {
    const char = source[at];
    if (char === "\\") at++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) {
      at++;
      while (/[a-z]/.test(source[at] ?? "")) at++;
      return at;
    }
  }
  throw new Error(`line ${line}: the regular expression has no end`);
}

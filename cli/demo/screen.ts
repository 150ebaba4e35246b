/**
 * What `heartwire demo` looks like: lines for what happened, and a table of both clients.
 *
 * Rule: pure functions of what is known. No line is longer than {@link WIDTH}.
 *
 * @module
 */

import { paint } from "../output.ts";
import { count, evidenceText, reasonText, withoutColour } from "../text.ts";
import { EVERY, type Happening, held, type Scene } from "./stage.ts";

/** Columns that it needs. */
export const WIDTH = 80;

const LEFT = 13;
const COLUMN = 32;

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** What happened, in a line. */
export function happeningLine(happening: Happening): string {
  const [sign, what] = happeningText(happening);
  return `${seconds(happening.at).padStart(8)}  ${sign} ${what}`;
}

function happeningText(happening: Happening): readonly [sign: string, what: string] {
  switch (happening.what) {
    case "connected":
      return [
        paint("+", "good"),
        `both are connected, and send ${1_000 / EVERY} messages a second that come back`,
      ];
    case "cut":
      return [paint("x", "bad"), "the links are cut: nothing passes, and nobody is told"];
    case "suspect":
      return [paint("?", "warn"), `heartwire: ${evidenceText(happening.evidence)}`];
    case "ended": {
      const { reason, after } = happening;
      const what = reason.kind === "dead" ? `found dead, ${reason.evidence.verdict}` : reasonText(reason);
      return [paint("!", "bad"), `heartwire: ${what}, ${milliseconds(after ?? 0)} after the cut`];
    }
    case "mended":
      return [paint("+", "good"), "the links are mended, for new connections"];
    case "resumed":
      return [
        paint("+", "good"),
        `heartwire: resumed; ${count(happening.waiting, "message")} that waited follow`,
      ];
    case "lost":
      return [paint("!", "bad"), "heartwire: the session could not go on"];
    case "plainEnded":
      return [paint("!", "bad"), `plain TCP: ${happening.error}`];
  }
}

function row(title: string, own: string, plain: string): string {
  const visible = withoutColour(own).length;
  return `  ${title.padEnd(LEFT)}${own}${" ".repeat(Math.max(1, COLUMN - visible))}${plain}`;
}

/** Both clients side by side. */
export function tableLines(scene: Scene): string[] {
  const { plain, detected, state } = scene;
  const colour = state === "live" ? "good" : state === "suspect" ? "warn" : "bad";
  const cut = scene.link !== "whole";
  return [
    row("", paint("heartwire", "strong"), paint("plain TCP", "strong")),
    row("state", paint(state, colour), plain.open ? paint("open", "good") : paint("closed", "bad")),
    row("sent", count(scene.sent, "message"), count(plain.sent, "message")),
    row("came back", String(scene.back), String(plain.back)),
    row(
      "the cut",
      !cut ? "-" : detected === null ? "not yet noticed" : `found after ${milliseconds(detected)}`,
      !cut ? "-" : plain.noticed ?? "has noticed nothing",
    ),
    row("", `stated: within ${milliseconds(scene.bound)}`, `${plain.intoNothing} bytes into nothing`),
  ];
}

/** The whole screen. */
export function screenLines(scene: Scene, happened: readonly Happening[], rows: number): string[] {
  const link =
    { whole: paint("whole", "good"), cut: paint("CUT", "bad"), mended: paint("mended", "good") }[scene.link];
  const lines = ["", `  the links are ${link}, ${seconds(scene.at)}`, "", ...tableLines(scene), ""];
  for (const happening of happened) lines.push(happeningLine(happening));
  while (lines.length < rows) lines.push("");
  return lines;
}

/** What it came to. */
export function conclusion(scene: Scene): string[] {
  const { detected, bound, stood, resumedAfter, sent, missing, doubled, disordered, plain } = scene;
  const late = detected !== null && detected > bound
    ? `; ${milliseconds(stood)} of it this process stood still`
    : "";
  return [
    detected === null
      ? "  heartwire did not find the cut."
      : `  heartwire found the cut after ${milliseconds(detected)}; stated: within ${
        milliseconds(bound)
      }${late}.`,
    resumedAfter === null
      ? "  The session did not go on."
      : `  The session went on ${milliseconds(resumedAfter)} after the links were mended.`,
    `  ${count(sent, "message")} sent: ${missing} lost, ${doubled} doubled, ${disordered} out of order.`,
    plain.open
      ? `  Plain TCP is still open and has noticed nothing: ${
        plain.sent - plain.back
      } of ${plain.sent} never came back.`
      : `  Plain TCP: ${plain.noticed}.`,
    ...(held(scene) ? [] : [`  ${paint("Not all of this is as it should be.", "bad")}`]),
  ];
}

function milliseconds(ms: number): string {
  return `${Math.round(ms)} ms`;
}

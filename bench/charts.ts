/**
 * Bar charts as SVG, from nothing but the figures: one panel for each runtime, side by side, one bar for each subject.
 *
 * Rules: a viewer that knows no style sheet shows the same; light ground of its own, so that it can be read on a dark page. The scale is
 * logarithmic where the longest bar is more than twenty times the shortest, and says so.
 *
 * @module
 */

import { digits, type Figure, type Report } from "./report.ts";

/** A picture and where it belongs. */
export interface Chart {
  readonly suite: string;
  readonly what: string;
  readonly file: string;
}

const PANEL = 330;
const NAMES = 250;
const BAR = 16;
const STEP = 22;
const TOP = 62;
const GAP = 26;
/** Thousandths of the bar's length that the least value gets on a logarithmic scale. */
const LEAST = 60;

function text(x: number, y: number, content: string, rest = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${rest}>${escaped}</text>`;
}

function color(subject: string): string {
  if (subject.startsWith("heartwire")) return "#c2185b";
  return subject.startsWith("raw") ? "#555" : "#5b8dc9";
}

/** Where a value ends, as a share of the panel. */
function scale(figures: readonly Figure[]): { share: (value: number) => number; logarithmic: boolean } {
  const values = figures.flatMap(({ value, high }) => [value, high]).filter((value) => value > 0);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (most < 20 * least) return { share: (value) => value / most, logarithmic: false };
  const share = (value: number): number =>
    (LEAST + (1_000 - LEAST) * Math.log(Math.max(value, least) / least) / Math.log(most / least)) / 1_000;
  return { share, logarithmic: true };
}

/** The picture of what several reports say of one thing; null: nobody says anything. */
export function picture({ suite, what }: Chart, reports: readonly Report[], note: string): string | null {
  const panels = reports.filter((report) => report.suite === suite)
    .map(({ runtime, figures }) => ({ runtime, figures: figures.filter((figure) => figure.what === what) }))
    .filter(({ figures }) => figures.length > 0);
  const all = panels.flatMap(({ figures }) => figures);
  if (all.length === 0) return null;
  const { share, logarithmic } = scale(all);
  const subjects = [...new Set(all.map(({ subject }) => subject))];
  const width = NAMES + panels.length * (PANEL + GAP);
  const height = TOP + subjects.length * STEP + 34;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<!-- ${note} -->`,
    `<title>${what}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(10, 20, what, 'font-size="15" font-weight="bold"'),
    text(
      10,
      36,
      `${all[0]!.unit}, less is better${logarithmic ? "; logarithmic" : ""}; lines: quartiles`,
      'fill="#555"',
    ),
    ...subjects.map((subject, at) => text(NAMES - 8, TOP + at * STEP + 12, subject, 'text-anchor="end"')),
  ];
  const full = PANEL - 44;
  for (const [column, { runtime, figures }] of panels.entries()) {
    const left = NAMES + column * (PANEL + GAP);
    lines.push(text(left, TOP - 8, runtime, 'font-weight="bold"'));
    for (const { subject, value, low, high } of figures) {
      const top = TOP + subjects.indexOf(subject) * STEP;
      const end = full * share(value);
      lines.push(
        `<rect x="${left}" y="${top}" width="${end.toFixed(1)}" height="${BAR}" fill="${color(subject)}"/>`,
        `<path d="M${(left + full * share(low)).toFixed(1)} ${top + BAR / 2}H${
          (left + full * share(high)).toFixed(1)
        }" stroke="#111"/>`,
        text(left + full * share(Math.max(value, high)) + 5, top + 12, digits(value)),
      );
    }
  }
  lines.push(text(10, height - 10, note, 'fill="#555"'), "</svg>", "");
  return lines.join("\n");
}

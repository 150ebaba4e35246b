/**
 * Plots as SVG, from nothing but the data.
 *
 * One panel for each network, side by side and one below the other: detection time to the right, false convictions upwards on a
 * logarithmic scale. Better is nearer to the lower left corner.
 *
 * Rules: a viewer that knows no style sheet shows the same; light ground of its own, so that it can be read on a dark page.
 *
 * @module
 */

import type { Point } from "./contest.ts";
import { SECOND } from "./models.ts";

/** One detector's line. */
export interface Curve {
  readonly name: string;
  readonly color: string;
  /** Drawn thick, and above the others. */
  readonly own: boolean;
  readonly points: readonly Point[];
  /** Its usual setting, drawn as a dot. */
  readonly usual: Point | null;
}

/** One network's panel. */
export interface Panel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

const COLUMNS = 3;
const WIDTH = 300;
const HEIGHT = 210;
const LEFT = 46;
const TOP = 28;
const GAP_X = 62;
const GAP_Y = 62;

/** From few to many a million; what never happened is drawn on the lowest line. */
const RATES: readonly number[] = [1, 10, 100, 1_000, 10_000, 100_000];
const NONE = 1;

function text(x: number, y: number, content: string, rest = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${rest}>${escaped}</text>`;
}

function y(rate: number): number {
  const most = Math.log10(RATES.at(-1)!);
  return HEIGHT * (1 - Math.min(most, Math.log10(Math.max(NONE, rate))) / most);
}

/** Round times between `from` and `to`, us. */
function steps(from: number, to: number): number[] {
  return [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200].map((s) => s * SECOND).filter((s) =>
    s >= from && s <= to
  );
}

function panel({ title, curves }: Panel, left: number, top: number, from: number, to: number): string {
  const x = (time: number): number =>
    WIDTH * Math.log(Math.min(to, Math.max(from, time)) / from) / Math.log(to / from);
  const lines = [`<g transform="translate(${left},${top})">`, text(0, -8, title, 'font-weight="bold"')];
  for (const rate of RATES) {
    lines.push(`<path d="M0 ${y(rate).toFixed(1)}H${WIDTH}" stroke="#ddd"/>`);
    const label = rate === NONE ? "0 .. 1" : rate.toLocaleString("en");
    lines.push(text(-4, y(rate) + 4, label, 'text-anchor="end" fill="#555"'));
  }
  for (const time of steps(from, to)) {
    lines.push(`<path d="M${x(time).toFixed(1)} 0V${HEIGHT}" stroke="#ddd"/>`);
    lines.push(text(x(time), HEIGHT + 14, `${time / SECOND} s`, 'text-anchor="middle" fill="#555"'));
  }
  for (const { points, color, own, usual } of curves.toSorted((a, b) => Number(a.own) - Number(b.own))) {
    // What is out of the panel is left out, but for the first point behind its edge.
    const shown = points.filter((point, index) =>
      point.mean >= from && ((points[index - 1]?.mean ?? 0) <= to) && point.rate < 200_000
    );
    const path = shown.map(({ mean, rate }, index) =>
      `${index === 0 ? "M" : "L"}${x(mean).toFixed(1)} ${y(rate).toFixed(1)}`
    ).join("");
    if (path !== "") {
      lines.push(`<path d="${path}" fill="none" stroke="${color}" stroke-width="${own ? 3 : 1.5}"/>`);
    }
    if (usual !== null && usual.mean <= to && usual.rate <= RATES.at(-1)!) {
      lines.push(
        `<circle cx="${x(usual.mean).toFixed(1)}" cy="${y(usual.rate).toFixed(1)}" r="4.5" fill="${color}"/>`,
      );
    }
  }
  lines.push("</g>");
  return lines.join("\n");
}

/** The picture. `note` says how it was made; it is in the picture, and in its first comment. */
export function picture(
  title: string,
  note: string,
  panels: readonly Panel[],
  from: number,
  to: number,
): string {
  const rows = Math.ceil((panels.length + 1) / COLUMNS);
  const width = COLUMNS * (WIDTH + GAP_X) + 10;
  const height = rows * (HEIGHT + GAP_Y) + TOP + 24;
  const place = (index: number): [number, number] => [
    LEFT + 6 + index % COLUMNS * (WIDTH + GAP_X),
    TOP + 34 + Math.floor(index / COLUMNS) * (HEIGHT + GAP_Y),
  ];
  const [legendX, legendY] = place(panels.length);
  const legend = panels[0]!.curves.map(({ name, color, own }, index) => {
    const line = legendY + 6 + index * 18;
    return `<path d="M${legendX} ${line}h26" stroke="${color}" stroke-width="${own ? 3 : 1.5}"/>` +
      `<circle cx="${legendX + 13}" cy="${line}" r="4" fill="${color}"/>` +
      text(legendX + 34, line + 4, name);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<!-- ${note} -->`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(10, 20, title, 'font-size="15" font-weight="bold"'),
    text(
      10,
      36,
      "to the right: mean time from a cut to the conviction; upwards: false convictions in a million beats",
      'fill="#555"',
    ),
    ...panels.map((each, index) => panel(each, ...place(index), from, to)),
    ...legend,
    text(
      legendX,
      legendY + 14 + panels[0]!.curves.length * 18,
      "dots: as they come, without a setting",
      'fill="#555"',
    ),
    text(10, height - 8, note, 'fill="#555"'),
    "</svg>",
    "",
  ].join("\n");
}

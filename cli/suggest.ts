/**
 * "Did you mean ...?": the known name that is nearest to a misspelt one.
 *
 * @module
 */

/** How many insertions, deletions, replacements and swaps of neighbours lead from `a` to `b`. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, before[j - 2]! + 1);
      }
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

/** The nearest of `known`, or null when none is near: at most a third of the letters may be wrong, or it begins so. */
export function nearest(name: string, known: readonly string[]): string | null {
  const wanted = name.toLowerCase().slice(0, 64);
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const candidate of known) {
    const begun = wanted.length >= 2 && candidate.startsWith(wanted);
    const far = begun ? 0.5 : distance(wanted, candidate);
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3));
    if (far <= allowed && far < bestDistance) {
      best = candidate;
      bestDistance = far;
    }
  }
  return best;
}

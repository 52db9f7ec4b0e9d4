/**
 * The nearest of some words to a mistyped one, for "did you mean". Optimal string alignment distance: one step is a
 * letter too many, too few, another, or two neighbours swapped.
 */

/** Steps from `a` to `b`. */
export function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const cell = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let steps = Math.min(cell(i - 1, j) + 1, cell(i, j - 1) + 1, cell(i - 1, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        steps = Math.min(steps, cell(i - 2, j - 2) + 1);
      row.push(steps);
    }
  }
  return cell(a.length, b.length);
}

/** The nearest of `words` (not empty). */
export function nearest(word: string, words: readonly string[]): string {
  const scored = words.map((candidate) => ({ candidate, steps: distance(word, candidate) }));
  return scored.sort((a, b) => a.steps - b.steps)[0]?.candidate ?? '';
}

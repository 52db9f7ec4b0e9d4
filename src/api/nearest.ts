/**
 * Finds what somebody probably meant: the valid word with the smallest edit distance (Damerau–Levenshtein, optimal
 * string alignment) to the one that was given. Nothing is suggested when nothing is near.
 */

/** Longer words are not compared: the work stays bounded whatever comes in. */
const lengthMax = 64;

/** Insertions, deletions, replacements and swaps of neighbours that make `left` into `right`. */
function distance(left: string, right: string): number {
  const width = right.length + 1;
  let before: number[] = [];
  let above = Array.from({ length: width }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column < width; column++) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = above;
    above = current;
  }
  return above[right.length] ?? 0;
}

/** The candidate nearest to `word`, at most a third of its letters (at least one) away; null when there is none. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  if (word.length > lengthMax) return null;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    if (candidate.length > lengthMax) continue;
    const found = distance(word.toLowerCase(), candidate.toLowerCase());
    if (found < bestDistance) {
      best = candidate;
      bestDistance = found;
    }
  }
  return best;
}

/** `; did you mean "x"?`, or '' when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const found = nearest(word, candidates);
  return found === null ? '' : `; did you mean "${found}"?`;
}

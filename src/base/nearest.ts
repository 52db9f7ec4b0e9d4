/**
 * What somebody probably meant: the valid word with the smallest edit distance (Damerau–Levenshtein, optimal string
 * alignment: one step is a letter too many, too few, another, or two neighbours swapped) to the one that was given.
 */

/** Longer words are not compared: the work stays bounded whatever comes in. */
const lengthMax = 64;

/** Steps from `left` to `right`. */
export function distance(left: string, right: string): number {
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

/** The word nearest to `word`, however far; '' when there are no words. */
export function nearest(word: string, words: Iterable<string>): string {
  return nearestWithin(word, words, Number.POSITIVE_INFINITY) ?? '';
}

function nearestWithin(word: string, words: Iterable<string>, stepsMax: number): string | null {
  let best: string | null = null;
  let bestSteps = stepsMax;
  for (const candidate of words) {
    if (candidate.length > lengthMax) continue;
    const steps = distance(word.slice(0, lengthMax).toLowerCase(), candidate.toLowerCase());
    if (best === null ? steps <= bestSteps : steps < bestSteps) {
      best = candidate;
      bestSteps = steps;
    }
  }
  return best;
}

/** The word that is probably meant, at most a third of its letters (at least one) away; null when none is near. */
export function meant(word: string, words: Iterable<string>): string | null {
  if (word === '' || word.length > lengthMax) return null;
  return nearestWithin(word, words, Math.max(1, Math.floor(word.length / 3)));
}

/** `The nearest is "x".`, as `quoted` writes it, with a space before it; '' when nothing is near. */
export function nearestIs(word: string, words: Iterable<string>, quoted = (found: string) => `"${found}"`): string {
  const found = meant(word, words);
  return found === null ? '' : ` The nearest is ${quoted(found)}.`;
}

/** `; did you mean "x"?`, or '' when nothing is near. */
export function didYouMean(word: string, words: Iterable<string>): string {
  const found = meant(word, words);
  return found === null ? '' : `; did you mean "${found}"?`;
}

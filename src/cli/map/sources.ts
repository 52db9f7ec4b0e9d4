/**
 * Where the arguments of `map` come from, by the words of its command line: `:::` words, `::::` files, `:::+` and `::::+`
 * linked to the source before, `-a` files in front of all. Only the words; nothing is read here.
 * See parallel(1), "::: arguments", ":::+ arguments", ":::: argfiles".
 */

/** Where arguments come from: given on the line, or in the records of a file (`-`: standard input). */
export type ArgumentSource =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file'; readonly path: string };

/** Sources that go side by side: one row takes one argument of each. */
export type SourceGroup = readonly ArgumentSource[];

const separator = /^:{3,4}\+?$/;

/** Parts the words of `map`: the command, then the sources; `files` are those of `-a`. */
export function splitSources(
  words: readonly string[],
  files: readonly string[] = [],
): { readonly command: readonly string[]; readonly groups: readonly SourceGroup[] } {
  const groups: ArgumentSource[][] = files.map((path) => [{ kind: 'file', path }]);
  const first = words.findIndex((word) => separator.test(word));
  if (first < 0) return { command: words, groups };
  for (let at = first; at < words.length; ) {
    const rest = words.slice(at + 1);
    const next = rest.findIndex((word) => separator.test(word));
    const given = next < 0 ? rest : rest.slice(0, next);
    const sort = words[at] ?? '';
    const sources: ArgumentSource[] = sort.startsWith('::::')
      ? given.map((path) => ({ kind: 'file', path }))
      : [{ kind: 'words', words: given }];
    const before = groups.at(-1);
    if (sort.endsWith('+') && before !== undefined) before.push(...sources);
    else groups.push(...sources.map((source) => [source]));
    at += given.length + 1;
  }
  return { command: words.slice(0, first), groups };
}

/** Every combination of one row of each list, as one row; the last list changes fastest. */
export function* combinations(lists: readonly (readonly (readonly string[])[])[]): Generator<readonly string[]> {
  const [first, ...others] = lists;
  if (first === undefined) {
    yield [];
    return;
  }
  for (const row of first) {
    for (const rest of combinations(others)) yield [...row, ...rest];
  }
}

/** Rows of lists that go side by side: as many as the shortest has; `wrapped`: as the longest, the others begin anew. */
export function sideBySide(lists: readonly (readonly (readonly string[])[])[], wrapped: boolean): string[][] {
  const lengths = lists.map((list) => list.length);
  const length = lengths.length === 0 || lengths.includes(0) ? 0 : Math[wrapped ? 'max' : 'min'](...lengths);
  return Array.from({ length }, (_, index) => lists.flatMap((list) => list[index % list.length] ?? []));
}

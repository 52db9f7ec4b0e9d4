/**
 * Which files below a task directory are asked for.
 *
 * A path without special characters names one file, or a directory and all below it. Otherwise, as `Bun.Glob` has it: `*` and
 * `?` stay within a part, `**` goes over any number of parts, `{a,b}` is either, `[ab]` and `[a-z]` one character of those,
 * `[!ab]` one of none. A directory that a glob matches is taken like one that is named, with all below it; only globs
 * that end in `**` or `**` and `*` match each file by itself. Names that begin with a dot are matched only by a part of
 * a glob that begins with one. A pattern that begins with `!` takes out what it matches, of all others; with none but
 * such everything else is asked for.
 */

import { isLiteral, pathProblem } from '../core/files.ts';

interface Glob {
  readonly whole: Bun.Glob;
  readonly parts: readonly string[];
  /** A directory that it matches is taken with all below it. */
  readonly takesDirectories: boolean;
}

export class OutputPatterns {
  readonly #literals: readonly string[];
  readonly #globs: readonly Glob[];
  readonly #excluded: readonly Bun.Glob[];
  /** Patterns that name no place below the directory, as sentences. */
  readonly problems: readonly string[];

  constructor(patterns: readonly string[]) {
    const problems: string[] = [];
    const literals: string[] = [];
    const globs: Glob[] = [];
    const excluded: Bun.Glob[] = [];
    for (const given of patterns) {
      const isExcluding = given.startsWith('!');
      const pattern = (isExcluding ? given.slice(1) : given).replace(/^(\.\/)+|\/+$/g, '');
      const problem = pathProblem(isLiteral(pattern) ? pattern : pattern.replaceAll('\\', ''));
      if (problem !== null) problems.push(`"${given}" was not looked for: it ${problem}.`);
      else if (isExcluding) excluded.push(new Bun.Glob(pattern));
      else if (isLiteral(pattern)) literals.push(pattern);
      else globs.push(globOf(pattern));
    }
    if (globs.length + literals.length + problems.length === 0 && excluded.length > 0) globs.push(globOf('**'));
    this.problems = problems;
    this.#literals = literals;
    this.#globs = globs;
    this.#excluded = excluded;
  }

  /** Paths that were asked for by name. */
  get literals(): readonly string[] {
    return this.#literals;
  }

  /** The file at `path` is asked for. */
  wants(path: string): boolean {
    if (this.#excluded.some((glob) => glob.match(path))) return false;
    if (this.#literals.some((literal) => path === literal || path.startsWith(`${literal}/`))) return true;
    return this.#globs.some((glob) => matches(glob, path)) || this.#liesInMatched(path);
  }

  /** Something below the directory at `path` may be asked for. */
  mayHold(path: string): boolean {
    const isOnTheWay = (literal: string): boolean =>
      literal === path || literal.startsWith(`${path}/`) || path.startsWith(`${literal}/`);
    if (this.#literals.some(isOnTheWay) || this.#globs.some((glob) => leadsInto(glob, path))) return true;
    return this.#liesInMatched(`${path}/`);
  }

  /** A directory above `path` is one that a glob matches and nothing takes out. */
  #liesInMatched(path: string): boolean {
    const globs = this.#globs.filter(({ takesDirectories }) => takesDirectories);
    if (globs.length === 0) return false;
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
      const directory = path.slice(0, end);
      if (!globs.some((glob) => matches(glob, directory))) continue;
      if (!this.#excluded.some((glob) => glob.match(directory))) return true;
    }
    return false;
  }
}

function globOf(pattern: string): Glob {
  const parts = pattern.split('/');
  const takesDirectories = !/(^|\/)\*\*(\/\*)?$/.test(pattern);
  return { whole: new Bun.Glob(pattern), parts, takesDirectories };
}

function matches(glob: Glob, path: string): boolean {
  return glob.whole.match(path) && showsHidden(glob, path);
}

/** Every part of `path` that begins with a dot is matched by a part that begins with one. */
function showsHidden({ parts }: Glob, path: string): boolean {
  if (!path.startsWith('.') && !path.includes('/.')) return true;
  const hidden = path.split('/').filter((name) => name.startsWith('.'));
  return hidden.every((name) => parts.some((part) => part.startsWith('.') && new Bun.Glob(part).match(name)));
}

function leadsInto(glob: Glob, path: string): boolean {
  if (!showsHidden(glob, path)) return false;
  const { parts } = glob;
  for (const [index, name] of path.split('/').entries()) {
    const part = parts[index];
    // From here on anything goes: any depth, or alternatives that were cut in two at a slash.
    if (part === undefined) return false;
    if (part.includes('**') || /[{}]/.test(part)) return true;
    if (index === parts.length - 1 || !new Bun.Glob(part).match(name)) return false;
  }
  return true;
}

/**
 * GNU parallel's replacement strings: from a command with `{}` and a combination of arguments to the command of a job.
 * `{}` all arguments, `{.}` without extension, `{/}` without directory, `{//}` the directory, `{/.}` the name without
 * both, `{#}` the job's number; `{2}`, `{2/.}` … one argument. What is put in is quoted for the shell, as data; in names of
 * files, which no shell sees, it stands as it is.
 */

/** `text` as one word of `/bin/sh`. */
export function shellQuote(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const placeholder = /\{([1-9][0-9]*)?(\.|\/\/|\/\.|\/|#)?\}/g;

const withoutExtension = (text: string): string => text.replace(/\.[^/.]*$/, '');
const withoutDirectory = (text: string): string => text.slice(text.lastIndexOf('/') + 1);

function directoryOf(text: string): string {
  const at = text.lastIndexOf('/');
  if (at < 0) return '.';
  return at === 0 ? '/' : text.slice(0, at);
}

function shape(text: string, form: string): string {
  if (form === '.') return withoutExtension(text);
  if (form === '/') return withoutDirectory(text);
  if (form === '//') return directoryOf(text);
  return form === '/.' ? withoutExtension(withoutDirectory(text)) : text;
}

/**
 * The command of job `number` (from 1). A template without a placeholder gets ` {}` at its end; an empty one stands for
 * the arguments themselves, as commands. Placeholders of arguments that are not there stay as they are.
 */
export function expand(template: string, args: readonly string[], number: number): string {
  if (template === '') return args.join(' ');
  const whole = template.search(placeholder) < 0 ? `${template} {}` : template;
  return fill(whole, args, number, (words) => words.map(shellQuote).join(' '));
}

function fill(
  template: string,
  args: readonly string[],
  number: number,
  asData: (words: readonly string[], at: number) => string,
): string {
  return template.replace(placeholder, (text: string, position: string | undefined, form = '', at = 0) => {
    if (form === '#') return position === undefined ? String(number) : text;
    const chosen = position === undefined ? args : args.slice(Number(position) - 1, Number(position));
    return chosen.length === 0
      ? text
      : asData(
          chosen.map((arg) => shape(arg, form)),
          at,
        );
  });
}

/** A name of a file with its placeholders replaced, for job `number`. */
export function expandPath(template: string, args: readonly string[], number: number): string {
  return fill(template, args, number, (words) => words.join(' '));
}

/** A pattern of files with its placeholders replaced; what is put in matches itself alone. */
export function expandPattern(template: string, args: readonly string[], number: number): string {
  return fill(template, args, number, (words, at) => {
    const literal = words.join(' ').replace(/[*?[{]/g, '[$&]');
    return at === 0 ? literal.replace(/^!/, '{!,!}') : literal;
  });
}

/** Where arguments come from: given on the line, or in the lines of a file (`-`: standard input). */
export type ArgumentSource =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file'; readonly path: string };

/** Parts the words of `map`: the command, then `:::` arguments and `::::` files, any number of times. */
export function splitSources(words: readonly string[]): {
  readonly command: readonly string[];
  readonly sources: readonly ArgumentSource[];
} {
  const first = words.findIndex((word) => word === ':::' || word === '::::');
  if (first < 0) return { command: words, sources: [] };
  const sources: ArgumentSource[] = [];
  for (let at = first; at < words.length; ) {
    const rest = words.slice(at + 1);
    const next = rest.findIndex((word) => word === ':::' || word === '::::');
    const group = next < 0 ? rest : rest.slice(0, next);
    if (words[at] === ':::') sources.push({ kind: 'words', words: group });
    else sources.push(...group.map((path) => ({ kind: 'file' as const, path })));
    at += group.length + 1;
  }
  return { command: words.slice(0, first), sources };
}

/** Every combination of one argument of each list; the last list changes fastest. */
export function* combinations(lists: readonly (readonly string[])[]): Generator<readonly string[], void, undefined> {
  const [first, ...others] = lists;
  if (first === undefined) {
    yield [];
    return;
  }
  for (const arg of first) {
    for (const rest of combinations(others)) yield [arg, ...rest];
  }
}

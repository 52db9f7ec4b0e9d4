/**
 * GNU parallel's replacement strings: from a command with `{}` and the arguments of a job to the job's command line.
 * `{}` all arguments, `{.}` without extension, `{/}` without directory, `{//}` the directory, `{/.}` the name without
 * both, `{#}` the job's number, `{%}` its slot; `{2}`, `{2/.}` … one argument, `{-1}` counted from the end, `{name}` the
 * column of that name. An argument that is not there is nothing.
 *
 * What is put into a command is quoted for `/bin/sh`, as data; in names of files, which no shell sees, it stands as it is.
 * A command that begins with an argument is made of it: nothing in it is quoted then. Arguments are never looked at again: a
 * `{}` in one of them stays what it is. See parallel(1), "{}".
 */

/** `text` as one word of `/bin/sh`, as GNU parallel writes it. */
export function shellQuote(text: string): string {
  if (text === '') return "''";
  if (/^[A-Za-z0-9_.+/-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'"'"'`)}'`.replace(/^''/, '').replace(/''$/, '');
}

const withoutExtension = (text: string): string => text.replace(/\.[^/.]*$/, '');
const withoutDirectory = (text: string): string => text.slice(text.lastIndexOf('/') + 1);

/** As dirname(1). */
function directoryOf(text: string): string {
  const path = text.replace(/\/+$/, '');
  const at = path.lastIndexOf('/');
  if (at < 0) return path === text ? '.' : path === '' ? '/' : '.';
  return path.slice(0, at).replace(/\/+$/, '') || '/';
}

function shape(text: string, form: string): string {
  if (form === '.') return withoutExtension(text);
  if (form === '/') return withoutDirectory(text);
  if (form === '//') return directoryOf(text);
  return form === '/.' ? withoutExtension(withoutDirectory(text)) : text;
}

/** What a job brings to its command. */
export interface JobFacts {
  readonly args: readonly string[];
  /** From 1, in the order of the arguments. */
  readonly number: number;
  /** From 1: no other job of this `map` has it at the same time. */
  readonly slot: number;
}

export interface Replacing {
  /** What stands for all arguments: `{}`, or what `-I` says. */
  readonly whole: string;
  /** Names of the arguments, in order; none without `--header`. */
  readonly names: readonly string[];
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
/** What GNU parallel replaces in some of its modes, or a `{0}` that looks so; not of the shell, as `${0}`. */
const foreignPattern = /(?<!\$)\{(?:=.*?=|\.{2,3}|\+[/.]{1,4}|0|:|uniq|hgrp|sep|host|sshlogin|wd)\}/s;

/** The first in `text` that looks like a replacement string and is none; null when there is none. */
export function foreignPlaceholder(text: string): string | null {
  return foreignPattern.exec(text)?.[0] ?? null;
}

/** Between arguments while they are filled in: none of them can hold it. */
const seam = '\0';

const forms = '(\\.|//|/\\.|/)?';

/** Replaces in the texts of one `map`. */
export class Placeholders {
  private readonly pattern: RegExp;
  private readonly names: readonly string[];

  constructor({ whole, names }: Replacing = { whole: '{}', names: [] }) {
    this.names = names;
    const places = ['-?[1-9][0-9]*', ...names.map(escaped)].join('|');
    const all = whole === '{}' ? `\\{\\}|\\{${forms}\\}` : `${escaped(whole)}|\\{(\\.|//|/\\.|/)\\}`;
    this.pattern = new RegExp(`${all}|\\{(${places})${forms}\\}|\\{([#%])\\}`, 'g');
  }

  /** Whether anything in `text` would be replaced. */
  has(text: string): boolean {
    return text.search(this.pattern) >= 0;
  }

  /** The command of a job. An empty template stands for the arguments themselves, as commands. */
  command(template: string, job: JobFacts): string {
    if (template === '') return job.args.join(' ');
    return this.fill(template, job, (words) => words.map(this.quotedIn(template)).join(' '));
  }

  /** As `command`, but a word of the template around all arguments comes once for each: `x{}` is `xa xb`. */
  commandByWords(template: string, job: JobFacts): string {
    if (template === '') return job.args.join(' ');
    const quote = this.quotedIn(template);
    return this.byWords(template, job, (words) => words.map(quote).join(' '), ' ');
  }

  /** A word of the template as words of the shell, whatever is in it: cut between the arguments, and nowhere else. */
  quotedWord(word: string, job: JobFacts, { repeating }: { readonly repeating: boolean }): string {
    const apart = (words: readonly string[]): string => words.join(seam);
    const filled = repeating ? this.byWords(word, job, apart, seam) : this.fill(word, job, apart);
    return filled.split(seam).map(shellQuote).join(' ');
  }

  private byWords(
    template: string,
    job: JobFacts,
    asData: (words: readonly string[]) => string,
    between: string,
  ): string {
    return template.replace(/\S+/g, (word) => {
      const isAround = [...word.matchAll(this.pattern)].some(
        ([, , place, , counter]) => (place ?? counter) === undefined,
      );
      const turns = isAround ? job.args.map((arg) => [arg]) : [job.args];
      return turns.map((all) => this.fill(word, job, asData, all)).join(between);
    });
  }

  /** How arguments are put into this command: as they are where it begins with one, and so is one. */
  private quotedIn(template: string): (text: string) => string {
    const at = template.search(this.pattern);
    return at === 0 || (at === 1 && /^["']/.test(template)) ? (text) => text : shellQuote;
  }

  /** A text with its placeholders replaced, not quoted. */
  text(template: string, job: JobFacts): string {
    return this.fill(template, job, (words) => words.join(' '));
  }

  /** A pattern of files with its placeholders replaced; what is put in matches itself alone. */
  filePattern(template: string, job: JobFacts): string {
    return this.fill(template, job, (words, at) => {
      const literal = words.join(' ').replace(/[*?[{]/g, '[$&]');
      return at === 0 ? literal.replace(/^!/, '{!,!}') : literal;
    });
  }

  private fill(
    template: string,
    job: JobFacts,
    asData: (words: readonly string[], at: number) => string,
    all = job.args,
  ): string {
    return template.replace(this.pattern, (...match: unknown[]) => {
      const [, wholeForm, place, form, counter] = match as (string | undefined)[];
      if (counter !== undefined) return String(counter === '#' ? job.number : job.slot);
      const chosen = place === undefined ? all : this.argumentAt(place, job.args);
      const at = match.findLast((one) => typeof one === 'number') as number;
      return asData(
        chosen.map((arg) => shape(arg, wholeForm ?? form ?? '')),
        at,
      );
    });
  }

  private argumentAt(place: string, args: readonly string[]): readonly string[] {
    const named = this.names.indexOf(place);
    const number = named < 0 ? Number(place) : named + 1;
    const arg = args.at(number < 0 ? number : number - 1);
    return arg === undefined ? [] : [arg];
  }
}

export interface CommandWords {
  /** The words of the command line, joined by spaces as they are. */
  readonly words: readonly string[];
  /** `-q`: each word is one word of the job's command too, whatever is in it. */
  readonly quoted: boolean;
  /** `-N`: several arguments repeat the word they stand in. */
  readonly repeating: boolean;
  /** What is put at the end of a command without a placeholder. */
  readonly whole: string;
}

/** The function from a job to its command line. */
export function commandOf(placeholders: Placeholders, { words, quoted, repeating, whole }: CommandWords) {
  const template = words.join(' ');
  const isComplete = template === '' || placeholders.has(template);
  const all = isComplete ? words : [...words, whole];
  if (!quoted || template === '') {
    const complete = all.join(' ');
    return (job: JobFacts): string => placeholders[repeating ? 'commandByWords' : 'command'](complete, job);
  }
  return (job: JobFacts): string => all.map((word) => placeholders.quotedWord(word, job, { repeating })).join(' ');
}

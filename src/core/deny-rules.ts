/**
 * One rule of the deny list: what it says, and whether one command fits it. Rules are data, so that people can edit them;
 * how commands are found in a text is not told here.
 */

import { expressionOf, placeOf } from './shell-places.ts';
import type { Redirection, Word } from './shell-words.ts';

/** What must hold of one simple command, all of it; an empty list and null ask for nothing. */
export interface CommandRule {
  readonly kind: 'command';
  /** Any of these, by name without a directory; `*` and `?` as in names of files. */
  readonly programs: readonly string[];
  /** All of these; each may be several spellings of one option: `-r|-R|--recursive`. */
  readonly options: readonly string[];
  /** Any of these is among the operands: places, `*` stands within one part of a path and `**` over parts. */
  readonly operands: readonly string[];
  /** Regular expression on the arguments, joined by one space each. */
  readonly arguments: string | null;
  /** Any of these is written to by a redirection; places as for `operands`. */
  readonly redirectTo: readonly string[];
}

/** Hits wherever its regular expression is found in the text of the command, in quotes and comments too. */
export interface TextRule {
  readonly kind: 'text';
  readonly pattern: string;
}

/** Hits a function that calls itself at least twice, in a pipe or in the background. */
export interface ForkBombRule {
  readonly kind: 'fork-bomb';
}

/** `name` is what a refusal calls it by, `reason` completes "refused, since this …". */
export type DenyRule = { readonly name: string; readonly reason: string } & (CommandRule | TextRule | ForkBombRule);

/** Longest part of a command a refusal repeats, in characters. */
const shownLengthMax = 100;
const writing = /^(?:&>>?|>>?|>\||>&|<>)$/;

/** A program with its arguments; what rules ask for is worked out when the first asks. */
export class Invocation {
  readonly #words: readonly Word[];
  readonly #directory: string | null;
  #parts: { readonly options: readonly string[]; readonly places: readonly string[] } | null = null;
  #line: string | null = null;

  /** `words[0]` is the program; `directory` is where it runs, null = not known. */
  constructor(words: readonly Word[], directory: string | null) {
    this.#words = words;
    this.#directory = directory;
  }

  /** One of the spellings is among the options. */
  has(spellings: readonly string[]): boolean {
    return this.#split().options.some((word) => spellings.some((spelling) => isOption(word, spelling)));
  }

  names(places: RegExp): boolean {
    return this.#split().places.some((place) => places.test(place));
  }

  /** The arguments, joined by one space each. */
  get line(): string {
    this.#line ??= joined(this.#words.slice(1));
    return this.#line;
  }

  #split() {
    if (this.#parts !== null) return this.#parts;
    const options: string[] = [];
    const places: string[] = [];
    let isOver = false;
    for (const word of this.#words.slice(1)) {
      const mayBeOption = !isOver && word.text.length > 1;
      if (mayBeOption && word.text === '--') isOver = true;
      else if (mayBeOption && /^[-/]\w|^--/.test(word.text)) options.push(word.text);
      if (isOver || !word.text.startsWith('-')) places.push(placeOf(word, this.#directory));
    }
    this.#parts = { options, places };
    return this.#parts;
  }
}

/** `word` is this option: alone, in a cluster (`-rf`), with a value (`--all=x`), or a long one cut short. */
function isOption(word: string, spelling: string): boolean {
  if (word === spelling) return true;
  if (/^-\w$/.test(spelling)) return /^-\w/.test(word) && word.includes(spelling.slice(1));
  if (!spelling.startsWith('--')) return word.toLowerCase() === spelling.toLowerCase();
  return word.startsWith(`${spelling}=`) || (word.length > 4 && spelling.startsWith(word));
}

/** A rule for commands, ready to be asked. */
export class CompiledRule {
  readonly name: string;
  readonly reason: string;
  /** Names of programs without a pattern; null = any program, or none. */
  readonly programs: readonly string[] | null;
  readonly #patterns: RegExp | null;
  readonly #options: readonly (readonly string[])[];
  readonly #operands: RegExp | null;
  readonly #arguments: RegExp | null;
  readonly #redirectTo: RegExp | null;

  /** Throws `SyntaxError` when `arguments` is no regular expression. */
  constructor(rule: CommandRule & { readonly name: string; readonly reason: string }) {
    const names = rule.programs.map((name) => name.toLowerCase());
    const isPattern = (name: string): boolean => /[*?]/.test(name);
    this.name = rule.name;
    this.reason = rule.reason;
    this.programs = names.length === 0 ? null : names.filter((name) => !isPattern(name));
    this.#patterns = expressionOf(names.filter(isPattern));
    this.#options = rule.options.map((option) => option.split('|'));
    this.#operands = expressionOf(rule.operands);
    this.#arguments = rule.arguments === null ? null : new RegExp(rule.arguments);
    this.#redirectTo = expressionOf(rule.redirectTo);
  }

  /** Some of its programs are named by a pattern. */
  get hasPatterns(): boolean {
    return this.#patterns !== null;
  }

  /** Asks for a redirection that writes. */
  get asksForTarget(): boolean {
    return this.#redirectTo !== null;
  }

  /** Has a pattern that a program's name fits. */
  matches(program: string): boolean {
    return this.#patterns?.test(program) === true;
  }

  /** All that the rule asks for beside the program's name holds; `targets` are the places written to. */
  fits(invocation: Invocation, targets: readonly string[]): boolean {
    const to = this.#redirectTo;
    return (
      (to === null || targets.some((target) => to.test(target))) &&
      this.#options.every((spellings) => invocation.has(spellings)) &&
      (this.#operands === null || invocation.names(this.#operands)) &&
      (this.#arguments === null || this.#arguments.test(invocation.line))
    );
  }
}

/** The places redirections write to. */
export function targetsOf(redirections: readonly Redirection[], directory: string | null): readonly string[] {
  if (redirections.length === 0) return [];
  const written = redirections.filter(({ operator }) => writing.test(operator));
  return written.map(({ target }) => placeOf(target, directory));
}

/** Words as one line. */
export function joined(words: readonly Word[]): string {
  return words.map(({ text }) => text).join(' ');
}

/** What a refusal says: the rule, why it is there, and what of the command hit it. */
export function describe({ name, reason }: Pick<DenyRule, 'name' | 'reason'>, hit: string): string {
  const line = hit.slice(0, shownLengthMax + 1).replaceAll(/\p{Cc}+/gu, ' ');
  return `rule "${name}" (${reason}): ${line.length > shownLengthMax ? `${line.slice(0, shownLengthMax)}…` : line}`;
}

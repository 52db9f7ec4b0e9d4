/**
 * Finds options and words on a command line, by a table. POSIX and GNU: `-p7878`, `-p 7878`, `-vq`, `--port 7878`,
 * `--port=7878`, `--`; booleans also `--x=true|false` and `--no-x`, and `--x true|false` where no word can be meant.
 *
 * Not commander: an option here has several long names, a value for when it stands alone, one parser shared with
 * environment and file, and errors that name the nearest; that table is needed anyway, and walking it is all there is.
 */

import { OctasklyError } from '../base/errors.ts';
import { nearestIs } from '../base/nearest.ts';
import type { Option, OptionTable } from './option.ts';

/** One value as it was written, and where: `--port`, `OCTASKLY_PORT`, `port in /x/config.toml`. */
export interface Given {
  readonly text: string;
  readonly source: string;
}

/**
 * Where options end. `anywhere`: only `--` ends them. `first word`: what follows the first word belongs to it.
 * `unquoted word`: likewise, unless that word holds a space and so is a whole command by itself.
 */
export type OptionsEnd = 'anywhere' | 'first word' | 'unquoted word';

/**
 * How a boolean takes its value: `separate`: `--x true` too; `attached`: only `--x=true`, since a word behind it may be the
 * command that is to run (`run --rm true`).
 */
export type BooleanValues = 'separate' | 'attached';

/** Options of another program that people know, without dashes, and what to do instead. */
export type ForeignOptions = Readonly<Record<string, string>>;

export interface LineRules {
  readonly foreign?: ForeignOptions | undefined;
  /** Default `separate`. */
  readonly booleans?: BooleanValues;
  /** Further long options that can be meant, which the caller takes by itself. */
  readonly further?: readonly string[];
}

export interface ParsedLine {
  readonly given: ReadonlyMap<string, readonly Given[]>;
  readonly words: readonly string[];
  readonly help: boolean;
}

export function usage(message: string): OctasklyError {
  return new OctasklyError('usage', message);
}

/** The error for a word too many; `line` is how it should be. `isShown`: the word may be repeated, and is no secret. */
export function tooMuch(word: string, line: string, isShown = true): OctasklyError {
  // What stands behind # in a line of the documentation is for people, and for zsh words when it is typed.
  const comment = word === '#' ? ' Leave out the comment; zsh does so after: setopt interactive_comments.' : '';
  return usage(`${isShown ? `"${word}"` : 'A word'} is too much: ${line}.${comment}`);
}

/** Whether the word after a flag that can stand alone is its value. */
function isValueOf(option: Option<unknown>, word: string | undefined, booleans: BooleanValues): word is string {
  if (word === undefined || (option.boolean && (option.repeatable || booleans === 'attached'))) return false;
  // Free text can be told from the next word only by the one form such an option has.
  if (option.repeatable) return /^[\w./-]+=\S*$/.test(word);
  return 'value' in option.parse(word);
}

class Line {
  private readonly given = new Map<string, Given[]>();
  private readonly words: string[] = [];
  private help = false;
  private readonly queue: string[];
  private readonly table: OptionTable;
  private readonly ends: OptionsEnd;
  private readonly foreign: ForeignOptions;
  private readonly booleans: BooleanValues;
  private readonly further: readonly string[];

  constructor(
    line: readonly string[],
    table: OptionTable,
    ends: OptionsEnd,
    { foreign = {}, booleans, further = [] }: LineRules,
  ) {
    this.further = further;
    this.foreign = foreign;
    this.booleans = booleans ?? 'separate';
    this.queue = [...line];
    this.table = table;
    this.ends = ends;
  }

  read(): ParsedLine {
    for (let word = this.queue.shift(); word !== undefined; word = this.queue.shift()) {
      if (word === '--') {
        this.words.push(...this.queue.splice(0));
      } else if (word.startsWith('--')) this.long(word);
      else if (word.startsWith('-') && word !== '-') this.shorts(word);
      else {
        this.words.push(word);
        const whole = this.ends === 'unquoted word' && /\s/.test(word);
        if (this.ends !== 'anywhere' && !whole) this.words.push(...this.queue.splice(0));
        // The sources of arguments hold anything, also what looks like an option.
        else if (/^:::/.test(word)) this.words.push(...this.queue.splice(0));
      }
    }
    return { given: this.given, words: this.words, help: this.help };
  }

  private long(word: string): void {
    const at = word.indexOf('=');
    const name = at < 0 ? word.slice(2) : word.slice(2, at);
    const attached = at < 0 ? null : word.slice(at + 1);
    if (name === 'help') {
      if (attached !== null) throw usage('--help takes no value.');
      this.help = true;
      return;
    }
    const entry = this.find((option) => option.flag === name || option.aliases.includes(name));
    if (entry !== null) {
      this.take(entry, `--${name}`, attached);
      return;
    }
    const negated = name.startsWith('no-')
      ? this.find((option) => option.boolean && `no-${option.flag}` === name)
      : null;
    if (negated !== null && attached === null) this.add(negated[0], { text: 'false', source: `--${name}` });
    else throw this.unknown(`--${name}`);
  }

  private shorts(word: string): void {
    for (let i = 1; i < word.length; i++) {
      const letter = word[i] ?? '';
      const rest = word.slice(i + 1);
      const entry = this.find((option) => option.short === letter);
      if (entry === null && letter === 'h') {
        this.help = true;
      } else if (entry === null) {
        // Longer than a few letters it may be the value of an option whose second dash is missing.
        const long = word.replace(/=.*$/s, '');
        const isLong = long.length > 2 && this.find(({ flag }) => `-${flag}` === long) !== null;
        if (isLong) throw usage(`There is no option ${long}. The nearest is -${long}. See --help for all.`);
        throw this.unknown(/^-\w{2,3}$/.test(word) ? `-${letter} (in ${word})` : `-${letter}`);
      } else if (!entry[1].boolean && rest !== '') {
        this.take(entry, `-${letter}`, rest.startsWith('=') ? rest.slice(1) : rest);
        return;
      } else if (rest !== '') {
        this.add(entry[0], { text: 'true', source: `-${letter}` });
      } else {
        this.take(entry, `-${letter}`, null);
      }
    }
  }

  private take([key, option]: readonly [string, Option<unknown>], source: string, attached: string | null): void {
    let text = attached;
    const isNext = option.bare === null || isValueOf(option, this.queue[0], this.booleans);
    if (text === null && isNext) text = this.queue.shift() ?? null;
    text ??= option.bare;
    if (text === null) throw usage(`${source} needs a value: ${source} ${option.placeholder}.`);
    this.add(key, { text, source });
  }

  private add(key: string, given: Given): void {
    this.given.set(key, [...(this.given.get(key) ?? []), given]);
  }

  private find(fits: (option: Option<unknown>) => boolean): readonly [string, Option<unknown>] | null {
    return Object.entries(this.table).find(([, option]) => fits(option)) ?? null;
  }

  private unknown(word: string): OctasklyError {
    const instead = new Map(Object.entries(this.foreign)).get(word.replace(/^-+/, '').replace(/ .*/, ''));
    if (instead !== undefined) return usage(`There is no option ${word}: ${instead}.`);
    const names = Object.values(this.table).flatMap((option) => [option.flag, ...option.aliases]);
    const name = word.startsWith('--') ? word.slice(2) : '';
    const similar = nearestIs(name, ['help', ...this.further, ...names], (found) => `--${found}`);
    return usage(`There is no option ${word}.${name === '' ? '' : similar} See --help for all.`);
  }
}

/** Throws `usage` for an unknown option or a missing value. Values are not looked at yet. */
export function parseLine(
  line: readonly string[],
  table: OptionTable,
  ends: OptionsEnd,
  rules: LineRules = {},
): ParsedLine {
  return new Line(line, table, ends, rules).read();
}

/**
 * Where in a command line somebody is: which command, which option waits for its value, which word comes next.
 * Follows the same tables as `parse.ts`, but a line that is being typed is never wrong. Pure.
 */

import type { Command } from '../command.ts';
import type { Option, OptionTable } from '../option.ts';
import type { Given } from '../parse.ts';

export type Position =
  /** The name of a command, or an option before it. */
  | { readonly kind: 'command' }
  | { readonly kind: 'option'; readonly command: Command | null }
  /** `typed` is the beginning of the value; `prefix` stands before it in the same word (`--status=`). */
  | { readonly kind: 'value'; readonly option: Option<unknown>; readonly prefix: string; readonly typed: string }
  /** The words before it, without options; the first of them is at place 0. */
  | { readonly kind: 'word'; readonly command: Command; readonly before: readonly string[] };

export interface Place {
  readonly position: Position;
  /** What the line says of options so far. */
  readonly given: ReadonlyMap<string, readonly Given[]>;
  /** The beginning of the word that is typed. */
  readonly current: string;
}

class Walk {
  readonly given = new Map<string, Given[]>();
  readonly words: string[] = [];
  command: Command | null = null;
  /** An option that waits for its value. */
  pending: readonly [string, Option<unknown>] | null = null;
  private hasEnded = false;
  private readonly commands: readonly Command[];
  private readonly before: OptionTable;

  constructor(commands: readonly Command[], before: OptionTable) {
    this.commands = commands;
    this.before = before;
  }

  get table(): OptionTable {
    return this.command?.options ?? this.before;
  }

  /** No options follow. */
  get isOver(): boolean {
    return this.hasEnded;
  }

  take(word: string): void {
    if (this.pending !== null) {
      this.add(this.pending[0], word);
      this.pending = null;
    } else if (!this.hasEnded && word === '--') this.hasEnded = true;
    else if (!this.hasEnded && word.startsWith('-') && word !== '-') this.option(word);
    else if (this.command === null) this.command = this.find(word);
    else {
      this.words.push(word);
      const ends = this.command.optionsEnd ?? 'anywhere';
      if (ends === 'first word' || (ends === 'unquoted word' && !/\s/.test(word))) this.hasEnded = true;
    }
  }

  private find(word: string): Command | null {
    return this.commands.find(({ name, aliases }) => name === word || aliases?.includes(word)) ?? null;
  }

  private option(word: string): void {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    const found = optionOf(this.table, name);
    if (found === null) return;
    if (at >= 0) this.add(found[0], word.slice(at + 1));
    else if (found[1].bare === null) this.pending = found;
  }

  private add(key: string, text: string): void {
    this.given.set(key, [...(this.given.get(key) ?? []), { text, source: 'the line' }]);
  }
}

/** The option a word names: `--status`, or letters in one, of which the last counts. */
function optionOf(table: OptionTable, word: string): readonly [string, Option<unknown>] | null {
  const name = word.replace(/^--/, '');
  const letter = /^-\w+$/.test(word) ? word.at(-1) : null;
  return (
    Object.entries(table).find(([, option]) =>
      word.startsWith('--') ? option.flag === name || option.aliases.includes(name) : option.short === letter,
    ) ?? null
  );
}

/** `words`: those of the line behind the program's name, the last of which is being typed. */
export function placeIn(words: readonly string[], commands: readonly Command[], before: OptionTable): Place {
  const walk = new Walk(commands, before);
  const current = words.at(-1) ?? '';
  for (const word of words.slice(0, -1)) walk.take(word);
  return { position: positionOf(walk, current), given: walk.given, current };
}

function positionOf(walk: Walk, current: string): Position {
  const { command, pending, table } = walk;
  if (pending !== null) return { kind: 'value', option: pending[1], prefix: '', typed: current };
  const at = current.indexOf('=');
  if (!walk.isOver && current.startsWith('--') && at > 0) {
    const found = optionOf(table, current.slice(0, at));
    const [prefix, typed] = [current.slice(0, at + 1), current.slice(at + 1)];
    if (found !== null) return { kind: 'value', option: found[1], prefix, typed };
  }
  if (!walk.isOver && current.startsWith('-')) return { kind: 'option', command };
  return command === null ? { kind: 'command' } : { kind: 'word', command, before: walk.words };
}

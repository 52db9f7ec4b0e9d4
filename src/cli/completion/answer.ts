/**
 * What a line may go on with, for the scripts of `octaskly completion`: one candidate a line with a tab and what it is,
 * or `:file`, `:directory` where the shell knows better.
 *
 * Some candidates come from the dispatcher, and so from whoever may submit tasks. A shell puts them into a line that is
 * run: those that hold anything a shell could understand are left out.
 */

import { harmless } from '../../base/harmless.ts';
import type { Command } from '../command.ts';
import type { Completes, Option, OptionTable } from '../option.ts';
import { reachOptions } from '../shared-options.ts';
import { placeIn } from './position.ts';
import { type Candidate, fetchCandidates, type Knowledge } from './sources.ts';

export interface CompletionContext extends Pick<Knowledge, 'connect'> {
  readonly commands: readonly Command[];
  /** Names of the pages of the documentation. */
  pages(): Promise<readonly string[]>;
}

/** Characters of what stands behind a candidate. */
const aboutMax = 60;
/** Beyond these nobody chooses with the Tab key. */
const candidatesMax = 200;
const safe = /^[\p{L}\p{N}_@%+=:,./-]+$/u;

/** Lines of the answer. `words` are those behind the program's name; a first `--` is left out. Rejects when what is asked for cannot be known. */
export async function completionLines(words: readonly string[], context: CompletionContext): Promise<string[]> {
  const line = words[0] === '--' ? words.slice(1) : words;
  const { position, given, current } = placeIn(line, context.commands, reachOptions);
  switch (position.kind) {
    case 'command':
      return shown(commandNames(context.commands), current, '');
    case 'option':
      return shown(optionNames(position.command?.options ?? reachOptions), current, '');
    case 'value': {
      const { option, prefix, typed } = position;
      return answer(option.completes, { prefix, typed, before: [] });
    }
    case 'word': {
      const { command, before } = position;
      const kinds = command.completes ?? [];
      return answer(kinds[before.length] ?? kinds.at(-1) ?? null, { prefix: '', typed: current, before });
    }
  }

  async function answer(
    kind: Completes | null,
    { prefix, typed, before }: { readonly prefix: string; readonly typed: string; readonly before: readonly string[] },
  ): Promise<string[]> {
    if (kind === null) return [];
    if (kind === 'file' || kind === 'directory') return [`:${kind}`];
    if (kind === 'command') return shown(commandNames(context.commands), typed, prefix);
    if (kind === 'page') {
      const pages = (await context.pages()).map((name): Candidate => [name, 'page']);
      return shown([...commandNames(context.commands), ...pages], typed, prefix);
    }
    if (typeof kind !== 'string') {
      return shown(
        kind.map((word): Candidate => [word, '']),
        typed,
        prefix,
      );
    }
    const found = await fetchCandidates(kind, { connect: () => context.connect(given), typed, before });
    return shown(
      found.filter(([word]) => safe.test(word) && !word.startsWith('-')),
      typed,
      prefix,
    );
  }
}

function commandNames(commands: readonly Command[]): Candidate[] {
  return [...commands.map(({ name, summary }): Candidate => [name, summary]), ['help', 'explain a command']];
}

function optionNames(table: OptionTable): Candidate[] {
  const names = (option: Option<unknown>): Candidate[] => {
    const isOn = option.boolean && option.default === true;
    const flags = [option.flag, ...option.aliases, ...(isOn ? [`no-${option.flag}`] : [])];
    return flags.map((flag): Candidate => [`--${flag}`, option.help]);
  };
  return [...Object.values(table).flatMap(names), ['--help', 'explain this']];
}

function shown(candidates: readonly Candidate[], typed: string, prefix: string): string[] {
  const seen = new Map<string, string>();
  for (const [word, about] of candidates) {
    if (word.startsWith(typed) && !seen.has(word)) seen.set(word, about);
  }
  return [...seen].slice(0, candidatesMax).map(([word, about]) => {
    const text = harmless(about).slice(0, aboutMax);
    return `${prefix}${word}${text === '' ? '' : `\t${text}`}`;
  });
}

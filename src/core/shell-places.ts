/**
 * Which place in the file system a word of a command names, as one spelling out of many, and patterns for such places.
 *
 *   /  //  /.  /tmp/..  /*  /.*        all name  /
 *   ~  $HOME  "${HOME}"/  ~/*          all name  ~
 *
 * A pattern for everything in a directory names the directory: what is done to all of it is done to it. Nothing is looked
 * up: links, mounts and other variables than HOME are not known here. Invariants: total, linear in the word.
 */

import type { Word } from './shell-words.ts';

/** Longer words name no place any system would take. */
const placeLengthMax = 4096;
const home = /^\$(?:HOME(?!\w)|\{HOME(?:[^\w}][^}]{0,64})?\})/;
const everything = /^(?:[?*]{1,64}|\*\.\*|\.\*|\.\?\?\*|\.\[[!^]\.\]\*|\{\*,\.[^}]{1,8}\})$/;
/** Operands such as `of=/dev/sda`. */
const keyed = /^([a-z]{1,32}=)(\/.*)$/s;

/** The place `word` names for a program that runs in `directory` (null = not known); any other word as it is. */
export function placeOf({ text, expands }: Word, directory: string | null): string {
  if (text.length > placeLengthMax) return text;
  // Taken literally these are names of files, not homes.
  if (!expands && /^[~$]/.test(text)) return `./${text}`;
  const path = expands ? text.replace(home, '~') : text;
  const [, key, value] = keyed.exec(path) ?? [];
  if (key !== undefined && value !== undefined) return key + normalised(value);
  if (path.startsWith('/') || path.startsWith('~')) return normalised(path);
  return directory === null || path.startsWith('$') ? path : normalised(`${directory}/${path}`);
}

/** The directory after `cd word`; null = not known. */
export function directoryAfter(word: Word | undefined, directory: string | null): string | null {
  const place = word === undefined ? '~' : placeOf(word, directory);
  return place.startsWith('/') || place.startsWith('~') ? place : null;
}

function normalised(path: string): string {
  const [root = '', ...names] = path.split('/');
  const kept: string[] = [];
  for (const name of names) {
    if (name === '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  }
  while (everything.test(kept.at(-1) ?? '')) kept.pop();
  return root === '' ? `/${kept.join('/')}` : [root, ...kept].join('/');
}

/**
 * One expression for several patterns of names or places: `?` is one character and `*` any number within a part, `**` any
 * number over parts. Null when there are none.
 */
export function expressionOf(patterns: readonly string[]): RegExp | null {
  if (patterns.length === 0) return null;
  return new RegExp(`^(?:${patterns.map(sourceOf).join('|')})$`, 's');
}

function sourceOf(pattern: string): string {
  return pattern.replaceAll(/\*+|\?|[\\^$.|+()[\]{}]/g, (found) => {
    if (found === '*') return '[^/]*';
    if (found.startsWith('*')) return '.*';
    return found === '?' ? '[^/]' : `\\${found}`;
  });
}

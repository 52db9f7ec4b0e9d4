/**
 * Words that a room may not say: what touches the machine outside `runtime/` and the composition root, what waits in the
 * pure rooms; and what no file may have: default exports, an opening without a comment, notes to self.
 */

import { SyntaxKind } from 'typescript/unstable/ast';
import { importsOf, roomOf } from './imports.ts';
import type { SourceFile, Token } from './source.ts';

const pureRooms = ['base', 'core', 'wire', 'discovery', 'ports'];
const machineRooms = ['runtime', 'main', 'roles'];
/** Rooms that run in any JavaScript runtime and so may use what all of them have. */
const webRooms = ['client', 'library', 'dashboard', 'tui'];
/** Files outside those rooms that are the machine's side of a library, or of the launcher, which loads nothing else. */
const machineFiles = ['tui/blessed-static.ts', 'src/confine/calls.ts', 'src/confine/exec.ts'];

/** Always written `name(`, `name.` or `new Name()`: what touches clock, timers, chance and console. */
const machineWords = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'Date.now',
  'Math.random',
  'performance.now',
  'crypto.getRandomValues',
  'crypto.randomUUID',
  'console',
];
const runtimeWords = ['Bun', 'process', 'require', '__dirname', 'import.meta', 'Deno'];

/** Finds names used as such: not as the name of a property, of a field or of a variable of one's own. */
function uses(tokens: readonly Token[], name: string): Token[] {
  const [first = '', second] = name.split('.');
  return tokens.filter((token, place) => {
    if (token.text !== first) return false;
    const before = tokens[place - 1]?.text;
    const after = tokens[place + 1]?.text;
    if (before === '.' || before === '?.') return false;
    if (second !== undefined) return after === '.' && tokens[place + 2]?.text === second;
    return after === '.' || after === '(' || after === '[';
  });
}

/** `new Date()` reads the clock; `new Date(ms)` does not. */
function clockReads(tokens: readonly Token[]): Token[] {
  return tokens.filter(({ text }, place) => {
    const next = tokens.slice(place + 1, place + 4).map((token) => token.text);
    return text === 'new' && next[0] === 'Date' && (next[1] !== '(' || next[2] === ')');
  });
}

export function impureWords(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const room = roomOf(file.path);
    if (room === '' || machineRooms.includes(room) || machineFiles.includes(file.path)) return [];
    const words = webRooms.includes(room) ? runtimeWords : [...machineWords, ...runtimeWords];
    const said = words.flatMap((word) => uses(file.tokens, word).map(({ line }) => ({ word, line })));
    if (!webRooms.includes(room))
      said.push(...clockReads(file.tokens).map(({ line }) => ({ word: 'new Date()', line })));
    const findings = said.map(({ word, line }) => `${file.path}:${line} says ${word}, which only runtime/ may`);
    return [...findings, ...machineImports(file, room), ...(pureRooms.includes(room) ? waits(file) : [])];
  });
}

function machineImports(file: SourceFile, room: string): string[] {
  return importsOf(file)
    .filter(({ specifier }) => /^(node:|bun:|bun$)/.test(specifier))
    .filter(({ specifier }) => !(room === 'store' && specifier === 'bun:sqlite'))
    .map(({ specifier }) => `${file.path} imports ${specifier}, which only runtime/ may`);
}

function waits({ path, tokens }: SourceFile): string[] {
  const waiting = new Set([SyntaxKind.AwaitKeyword, SyntaxKind.AsyncKeyword]);
  return tokens
    .filter(
      ({ kind }, place) => waiting.has(kind) && tokens[place - 1]?.text !== '.' && tokens[place + 1]?.text !== ':',
    )
    .map(({ line, text }) => `${path}:${line} says ${text} in a pure room`);
}

export function defaultExports(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, tokens }) =>
    tokens
      .filter(({ text }, place) => text === 'default' && ['export', 'as'].includes(tokens[place - 1]?.text ?? ''))
      .map(({ line }) => `${path}:${line} has a default export: give it a name`),
  );
}

/** Also after a `#!` line. */
export function withoutOpening(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ text }) => !/^(#!.*\n)?\s*\/\*\*/.test(text))
    .map(({ path }) => `${path} does not open with a comment that says what it is`);
}

const notes = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'];

export function notesToSelf(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) =>
      notes.filter((note) => new RegExp(`\\b${note}\\b`).test(line)).map((note) => `${path}:${index + 1} says ${note}`),
    ),
  );
}

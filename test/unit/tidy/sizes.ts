/**
 * How long files and functions are. A function is measured from the line of its name or parameters to the line of its
 * closing brace, comments and empty lines included; callbacks of `describe` are sections of a file and not measured.
 */

import { SyntaxKind } from 'typescript/unstable/ast';
import type { SourceFile, Token } from './source.ts';

export const fileLinesMax = 400;
export const functionLinesMax = 70;

export function longFiles(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ lines }) => lines.length > fileLinesMax)
    .map(({ path, lines }) => `${path} has ${lines.length} lines, more than ${fileLinesMax}: split it`);
}

export function longFunctions(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, tokens }) =>
    functionsIn(tokens)
      .filter(({ from, to }) => to - from + 1 > functionLinesMax)
      .map(({ name, from, to }) => {
        return `${path}:${from} the function ${name} has ${to - from + 1} lines, more than ${functionLinesMax}: split it`;
      }),
  );
}

interface Measured {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** All functions, methods and arrows with a body in braces. */
export function functionsIn(tokens: readonly Token[]): Measured[] {
  const found: Measured[] = [];
  const open: ({ name: string; from: number } | null)[] = [];
  tokens.forEach(({ kind, line }, place) => {
    if (kind === SyntaxKind.OpenBraceToken) open.push(headOf(tokens, place));
    if (kind !== SyntaxKind.CloseBraceToken) return;
    const head = open.pop();
    if (head) found.push({ ...head, to: line });
  });
  return found;
}

/** The line of the parameters begins with `describe`: `describe(…`, `describe.skipIf(…)(…`. */
function isSection(tokens: readonly Token[], parameters: number): boolean {
  let first = parameters;
  while (first > 0 && tokens[first - 1]?.line === tokens[parameters]?.line) first -= 1;
  return tokens[first]?.text === 'describe';
}

const conditions = ['if', 'for', 'while', 'switch', 'catch', 'with', 'await'];
const opening = ['(', '[', '{'];
const closing = [')', ']', '}'];

/** The place of the bracket that the one at `place` closes. */
function partnerOf(tokens: readonly Token[], place: number): number {
  let depth = 0;
  for (let at = place; at >= 0; at--) {
    const text = tokens[at]?.text ?? '';
    if (closing.includes(text)) depth += 1;
    if (opening.includes(text)) depth -= 1;
    if (depth === 0) return at;
  }
  return 0;
}

/** Name and first line of the function whose body the brace at `place` opens; null when it opens something else. */
function headOf(tokens: readonly Token[], place: number): { name: string; from: number } | null {
  const before = tokens[place - 1];
  if (before === undefined) return null;
  if (before.text === '=>') {
    const parameters = tokens[place - 2]?.text === ')' ? partnerOf(tokens, place - 2) : place - 2;
    const from = tokens[parameters]?.line ?? before.line;
    return isSection(tokens, parameters) ? null : { name: 'without a name', from };
  }
  const close = before.text === ')' ? place - 1 : endOfParameters(tokens, place);
  if (close === null) return null;
  const name = tokens[partnerOf(tokens, close) - 1];
  if (name === undefined || conditions.includes(name.text)) return null;
  return { name: name.text, from: name.line };
}

/** Looks back over a return type to the parenthesis that closes the parameters. */
function endOfParameters(tokens: readonly Token[], place: number): number | null {
  const statement = [
    ';',
    '{',
    '=',
    '=>',
    'class',
    'interface',
    'else',
    'try',
    'do',
    'finally',
    'return',
    'extends',
    ',',
  ];
  for (let at = place - 1; at > 0; at--) {
    const { text } = tokens[at] as Token;
    if (text === ')' && tokens[at + 1]?.text === ':' && at + 2 < place) return at;
    if (text === '}' || text === ']' || text === ')') {
      at = partnerOf(tokens, at);
      continue;
    }
    if (text === ',' && isInAngles(tokens, at)) continue;
    if (statement.includes(text)) return null;
  }
  return null;
}

/** A comma between type arguments: an angle bracket opens before anything that could not stand in a type. */
function isInAngles(tokens: readonly Token[], place: number): boolean {
  for (let at = place - 1; at > 0; at--) {
    const text = tokens[at]?.text ?? '';
    if (text === '<') return true;
    if (['(', '{', ';', '='].includes(text)) return false;
  }
  return false;
}

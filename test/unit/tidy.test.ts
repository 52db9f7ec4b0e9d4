/**
 * The ratchet over the source tree: sizes, who may import whom, which words which room may say. Each rule is run over
 * the tree, and over a few lines that break it, so that a rule which finds nothing any more is noticed.
 */

import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { nodeFiles } from '../../scripts/release/node-bundle.ts';
import { deadFiles, forbiddenImports, importCycles, importsOf } from './tidy/imports.ts';
import { functionLinesMax, functionsIn, longFiles, longFunctions } from './tidy/sizes.ts';
import { readSources, sourceFile } from './tidy/source.ts';
import { defaultExports, impureWords, notesToSelf, withoutOpening } from './tidy/words.ts';

const root = join(import.meta.dir, '..', '..');
const all = readSources(root, ['src', 'tui', 'scripts', 'test']);
const product = all.filter(({ path }) => path.startsWith('src/') || path.startsWith('tui/'));

/** Where everything begins: the program, the script of the page it serves, the package for other programs, and on Node. */
const entries = ['src/main.ts', 'src/dashboard/main.tsx', 'src/library/main.ts', ...nodeFiles];

/** What exists for tests alone: the invariants, and the slow twin of the native ciphers. */
const forTests = ['src/core/invariants.ts', 'src/wire/crypto-portable.ts'];

describe('the tree', () => {
  test('has no file that is too long', () => expect(longFiles(all)).toEqual([]));
  test('has no function that is too long', () => expect(longFunctions(all)).toEqual([]));
  test('imports only what the table of rooms allows', () => expect(forbiddenImports(product)).toEqual([]));
  test('has no circle of imports, not through types either', () => expect(importCycles(all)).toEqual([]));
  test('has no file that nothing reaches', () => expect(deadFiles(product, entries, forTests)).toEqual([]));
  test('touches the machine in runtime/ alone, and waits nowhere in the pure rooms', () =>
    expect(impureWords(product)).toEqual([]));
  test('has no default export', () => expect(defaultExports(all)).toEqual([]));
  test('opens every file with a comment', () => expect(withoutOpening(product)).toEqual([]));
  test('holds no notes to self', () => expect(notesToSelf(all)).toEqual([]));
});

const file = sourceFile;

describe('the rules', () => {
  test('longFiles() finds a line too many', () => {
    expect(longFiles([file('a.ts', '\n'.repeat(400))])).toEqual([]);
    expect(longFiles([file('a.ts', '\n'.repeat(401))])).toHaveLength(1);
  });

  test.each([
    ['a function', 'function f(a: number) {', '}'],
    ['one with a return type', 'function f(a: { b: number }): Map<string, { c: 1 }> {', '}'],
    ['a method', 'class C { async m<T>(a = () => 1): Promise<T[]> {', '} }'],
    ['a private method', 'class C { #m(): void {', '} }'],
    ['a constructor', 'class C { constructor() {', '} }'],
    ['an accessor', 'class C { get x(): number {', '} }'],
    ['an arrow', 'const f = (a: number): void => {', '};'],
    ['an arrow without parentheses', 'const f = a => {', '};'],
    ['a test', "test('t', () => {", '});'],
  ])('longFunctions() measures %s', (_name, open, close) => {
    const body = (lines: number) => file('a.ts', `${open}\n${'x();\n'.repeat(lines)}${close}\n`);
    expect(longFunctions([body(functionLinesMax - 2)])).toEqual([]);
    expect(longFunctions([body(functionLinesMax - 1)])).toHaveLength(1);
  });

  test.each([
    ['a class', 'class C extends D {'],
    ['a condition', 'if (a) {'],
    ['a loop', 'for await (const a of b) {'],
    ['an object', 'const o = {'],
    ['a type', 'interface I {'],
    ['a case', 'switch (a) { case f(x): {'],
    ['a section of tests', "describe('d', () => {"],
  ])('longFunctions() does not take %s for a function', (_name, open) => {
    const close = open.startsWith('describe') ? '});' : '}'.repeat(open.split('{').length - 1);
    expect(functionsIn(file('a.ts', `${open}\n${close}\n`).tokens)).toEqual([]);
  });

  test('sourceFile() does not take strings, templates and regular expressions for code', () => {
    const text =
      'const a = `{$' + '{b({ c: `}` })}`;\nconst d = /[{/]{/.test(e) ? f / g : "{"; // {\nfunction h() {\n}\n';
    expect(functionsIn(file('a.ts', text).tokens)).toEqual([{ name: 'h', from: 3, to: 4 }]);
  });

  test('importsOf() sees every form, and which are types alone', () => {
    const text = [
      "import type { A } from './a.ts';",
      "import { type B, type C } from '../b.ts';",
      "import {\n  type D,\n  e,\n} from './c/d.ts';",
      "export { f } from './f.ts';",
      "import 'node:fs';",
      "const g = await import('./g.ts');",
      "import h from 'pkg';",
    ].join('\n');
    const seen = importsOf({ path: 'src/x/y.ts', text }).map(({ specifier, target, typesOnly }) => {
      return `${target ?? specifier}${typesOnly ? ' types' : ''}`;
    });
    expect(seen).toEqual([
      'src/x/a.ts types',
      'src/b.ts types',
      'src/x/c/d.ts',
      'src/x/f.ts',
      'node:fs',
      'pkg',
      'src/x/g.ts',
    ]);
  });

  test.each([
    ['src/core/a.ts', "import type { B } from '../wire/b.ts';"],
    ['src/worker/a.ts', "import type { B } from '../dispatcher/b.ts';"],
    ['src/dispatcher/a.ts', "import { b } from '../api/b.ts';"],
    ['src/cli/a.ts', "import type { B } from '../store/b.ts';"],
    ['src/base/a.ts', "import { b } from '../core/b.ts';"],
    ['src/api/a.ts', "import { b } from '../runtime/b.ts';"],
    ['src/cellar/a.ts', "import { b } from '../base/b.ts';"],
  ])('forbiddenImports() refuses that %s says %s', (path, text) => {
    expect(forbiddenImports([file(path, text)])).toHaveLength(1);
  });

  test.each([
    ['src/wire/a.ts', "import type { B } from '../core/b.ts';"],
    ['src/dispatcher/a.ts', "import type { B } from '../api/b.ts';"],
    ['src/roles/a.ts', "import { b } from '../dispatcher/b.ts';"],
    ['src/cli/a.ts', "import { limits } from '../api/limits.ts';"],
  ])('forbiddenImports() allows that %s says %s', (path, text) => {
    expect(forbiddenImports([file(path, text)])).toEqual([]);
  });

  test('importCycles() finds a circle through types, once', () => {
    const circle = [
      file('src/a.ts', "import type { B } from './b.ts';"),
      file('src/b.ts', "import { c } from './c.ts';"),
      file('src/c.ts', "import { a } from './a.ts';"),
    ];
    expect(importCycles(circle)).toEqual([
      'these files import each other in a circle: src/a.ts -> src/b.ts -> src/c.ts -> src/a.ts',
    ]);
  });

  test('deadFiles() finds what nothing imports, and what is on the list for tests without need', () => {
    const files = [file('src/main.ts', "import './core/a.ts';"), file('src/core/a.ts', ''), file('src/core/b.ts', '')];
    expect(deadFiles(files, ['src/main.ts'], [])).toHaveLength(1);
    expect(deadFiles(files, ['src/main.ts', 'src/core/b.ts'], [])).toEqual([]);
    expect(deadFiles(files, ['src/main.ts'], ['src/core/b.ts'])).toEqual([]);
    expect(deadFiles(files, ['src/main.ts'], ['src/core/b.ts', 'src/core/a.ts'])).toHaveLength(1);
  });

  test.each([
    ['src/core/a.ts', 'const now = Date.now();'],
    ['src/core/a.ts', 'const now = new Date();'],
    ['src/wire/a.ts', 'async function f() {}'],
    ['src/wire/a.ts', "import { x } from 'node:crypto';"],
    ['src/api/a.ts', 'setTimeout(() => 1, 2);'],
    ['src/worker/a.ts', "console.log('x');"],
    ['src/client/a.ts', 'const x = process.env;'],
    ['src/dispatcher/a.ts', "import { Database } from 'bun:sqlite';"],
  ])('impureWords() hears %s say %s', (path, text) => {
    expect(impureWords([file(path, text)])).toHaveLength(1);
  });

  test.each([
    ['src/core/a.ts', '// Date.now() and await are not said here\nconst a = { process: 1, await: 2 }; a.process;'],
    ['src/core/a.ts', 'const iso = new Date(5).toISOString(); const epochMs = Date.UTC(2026, 0, 1);'],
    ['src/runtime/a.ts', 'setTimeout(() => Math.random(), Date.now());'],
    ['src/client/a.ts', 'setTimeout(() => 1, 2);'],
    ['src/store/a.ts', "import { Database } from 'bun:sqlite';"],
  ])('impureWords() lets %s say %s', (path, text) => {
    expect(impureWords([file(path, text)])).toEqual([]);
  });

  test('defaultExports(), withoutOpening() and notesToSelf() find theirs', () => {
    expect(defaultExports([file('a.ts', 'export default 1;'), file('b.ts', 'export { x as default };')])).toHaveLength(
      2,
    );
    expect(withoutOpening([file('a.ts', 'const a = 1;'), file('b.ts', '/** What it is. */\n')])).toHaveLength(1);
    expect(notesToSelf([file('a.ts', `// ${'TO'}${'DO'} later`), file('b.ts', '// to do')])).toHaveLength(1);
  });
});

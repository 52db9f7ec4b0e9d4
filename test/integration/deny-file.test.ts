import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OctasklyError } from '../../src/base/errors.ts';
import { defaultRules } from '../../src/core/deny-defaults.ts';
import type { Log } from '../../src/ports/time.ts';
import { openDenyList, readRules, writeRules } from '../../src/runtime/deny-file.ts';

let directory: string;
let file: string;
let logged: string[];

const note = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
  logged.push(`${message} ${JSON.stringify(fields)}`);
};
const log: Log = { debug: note, info: note, warn: note, error: note };
const ask = (list: ReturnType<typeof openDenyList>, command: string): string | null =>
  list.denied({ command, argv: null });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-deny-'));
  file = join(directory, 'deny.toml');
  logged = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${condition}; logged: ${logged}`);
    await Bun.sleep(5);
  }
}

const rule = (program: string): string => `[[rules]]\nname = "mine"\nreason = "why"\nprogram = ["${program}"]\n`;

test('openDenyList() makes the file with the default rules, private to its owner', () => {
  const list = openDenyList({ file, log });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).toContain('guard against accidents');
  expect(ask(list, 'rm -rf /')).toStartWith('rule "remove-system" (');
  expect(ask(list, 'rm -rf build')).toBeNull();
});

test('readRules() gives back what writeRules() wrote', () => {
  expect(readRules(writeRules(defaultRules), file)).toEqual(defaultRules);
});

test('openDenyList() takes the file that is there', () => {
  writeFileSync(file, rule('a'));
  const list = openDenyList({ file, log });
  expect(ask(list, 'a x')).toBe('rule "mine" (why): a x');
  expect(ask(list, 'rm -rf /')).toBeNull();
  expect(readFileSync(file, 'utf8')).toBe(rule('a'));
});

test('openDenyList() is off with an empty list, and says so', () => {
  writeFileSync(file, 'rules = []');
  expect(ask(openDenyList({ file, log }), 'rm -rf /')).toBeNull();
  expect(logged.join()).toContain('no command is refused');
});

test('openDenyList() goes by an edited file from the next question on', async () => {
  writeFileSync(file, rule('a'));
  const list = openDenyList({ file, log });
  writeFileSync(file, rule('bb'));
  await until(() => ask(list, 'bb') !== null);
  expect(ask(list, 'a')).toBeNull();
  // Saved as editors do: by another file in its place, with the same size.
  const draft = join(directory, 'draft');
  writeFileSync(draft, rule('cc'));
  renameSync(draft, file);
  await until(() => ask(list, 'cc') !== null);
});

test('openDenyList() keeps the last good rules when the file breaks or goes, and logs it once', async () => {
  writeFileSync(file, rule('a'));
  const list = openDenyList({ file, log });
  const warnings = (): number => logged.filter((line) => line.includes('stay in force')).length;
  writeFileSync(file, 'rules = [');
  await until(() => ask(list, 'x') === null && warnings() === 1);
  const until200 = performance.now() + 200;
  await until(() => ask(list, 'a') !== null && performance.now() > until200);
  expect(warnings()).toBe(1);
  unlinkSync(file);
  await until(() => ask(list, 'a') !== null && warnings() === 2);
  writeFileSync(file, rule('b'));
  await until(() => ask(list, 'b') !== null);
});

test('openDenyList() looks at nothing any more once it is closed', async () => {
  writeFileSync(file, rule('a'));
  const list = openDenyList({ file, log });
  list.close();
  writeFileSync(file, rule('bb'));
  await Bun.sleep(100);
  expect([ask(list, 'a') !== null, ask(list, 'bb')]).toEqual([true, null]);
});

test.each([
  ['no TOML', 'rules = [', 'not valid TOML'],
  ['an empty file', '', '"rules"'],
  ['a key nobody knows', `${rule('a')}colour = 1`, 'rule 1 ("mine")'],
  ['another table', `${rule('a')}[other]\n`, 'other'],
  ['a wrong type', rule('a').replace('["a"]', '"a"'), 'rule 1 ("mine"), program'],
  ['a wrong item', rule('a').replace('["a"]', '["a", 2]'), 'rule 1 ("mine"), program 2'],
  ['a bad expression', `${rule('a')}arguments = "("`, 'rule 1 ("mine"), arguments: must be a regular expression'],
  ['nothing asked for', '[[rules]]\nname = "x"\nreason = "y"', 'rule 1 ("x"): must have either'],
  ['two kinds at once', `${rule('a')}pattern = "b"`, 'rule 1 ("mine"): must have either'],
  ['one name twice', rule('a') + rule('b'), 'rule 2 ("mine"), name: is taken already'],
  ['no reason', '[[rules]]\nname = "x"\nprogram = ["a"]', 'rule 1 ("x"), reason'],
])('openDenyList() refuses to begin with %s, and says where', (_name, toml, expected) => {
  writeFileSync(file, toml);
  try {
    openDenyList({ file, log });
    throw new Error('it was taken');
  } catch (error) {
    if (!(error instanceof OctasklyError)) throw error;
    expect(error.code).toBe('usage');
    expect(error.message).toContain(file);
    expect(error.message).toContain(expected);
  }
});

test('openDenyList() says when it may not read the file', () => {
  if (process.getuid?.() === 0) return;
  writeFileSync(file, rule('a'));
  chmodSync(file, 0);
  expect(() => openDenyList({ file, log })).toThrow('Cannot read the deny list');
});

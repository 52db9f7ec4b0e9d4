/**
 * What `-o json` really prints, held against docs/JSON.md: every field that is printed is documented, with its type, and
 * every documented field of an object that is there is printed.
 */

import { afterEach, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites);

type Fields = ReadonlyMap<string, string>;

/** The tables of the page by the command lines in their headings. */
function documented(): ReadonlyMap<string, Fields> {
  const page = readFileSync(join(import.meta.dir, '..', '..', 'docs', 'JSON.md'), 'utf8');
  const sections = page.split(/^## /m).slice(1);
  return new Map(
    sections.flatMap((section) => {
      const [title = '', ...lines] = section.split('\n');
      const rows = lines.flatMap((line) => {
        const cells = /^\| `([^`]+)` +\| (.*?) +\|/.exec(line);
        return cells === null ? [] : [[cells[1] ?? '', cells[2] ?? ''] as const];
      });
      return [...title.matchAll(/`([^`]+)`/g)].map(([, command = '']) => [command, new Map(rows)] as const);
    }),
  );
}

const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value);

function fits(value: unknown, type: string): boolean {
  if (type.includes('`')) return typeof value === 'string' || typeof value === 'number' || value === null;
  const words = { null: 'null', list: 'list of', object: '(object|map of)', number: '(number|integer)' };
  const word = words[typeOf(value) as keyof typeof words] ?? typeOf(value);
  return type === 'anything' || new RegExp(`(^| or )${word}`).test(type);
}

/** What is wrong with `value`, whose fields are documented below `path`. */
function faults(value: unknown, path: string, fields: Fields): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => faults(item, `${path}[]`, fields));
  if (typeof value !== 'object' || value === null) return [];
  const prefix = path === '' ? '' : `${path}.`;
  const named = [...fields.keys()].filter(
    (field) => field.startsWith(prefix) && !/[.[]/.test(field.slice(prefix.length)),
  );
  if (named.length === 0) return [];
  if (named.includes(`${prefix}*`)) return Object.values(value).flatMap((one) => faults(one, `${prefix}*`, fields));
  const missing = named.filter((field) => !(field.slice(prefix.length) in value));
  const wrong = Object.entries(value).flatMap(([key, one]) => {
    const field = `${prefix}${key}`;
    const type = fields.get(field);
    if (type === undefined) return [`${field} is not documented`];
    return fits(one, type) ? faults(one, field, fields) : [`${field} is ${typeOf(one)}, not ${type}`];
  });
  return [...missing.map((field) => `${field} is not there`), ...wrong];
}

async function printed(site: Site, line: readonly string[], form: readonly string[] = ['-o', 'json']): Promise<string> {
  const { stdout, stderr } = await site.run([...line, ...form]);
  if (stdout.length === 0) throw new Error(`${line.join(' ')} printed nothing: ${stderr}`);
  return stdout.toString();
}

test('docs/JSON.md describes what every command prints', async () => {
  const site = openSite();
  await site.dispatcher(['--no-discovery']);
  await site.worker('w1', ['--no-discovery']);
  const document = documented();
  const check = async (name: string, line: readonly string[], form?: readonly string[]): Promise<unknown> => {
    const fields = document.get(name);
    if (fields === undefined) throw new Error(`docs/JSON.md has no section for ${name}`);
    const value: unknown = JSON.parse(await printed(site, line, form));
    expect(faults(value, '', fields), name).toEqual([]);
    return value;
  };
  await check('submit', ['submit', 'true', '--tag', 'a=b', '--name', 'n']);
  await check('submit --wait', ['submit', '--wait', '--out', 'f', 'echo x > f']);
  await check('outputs', ['outputs', 'last']);
  await check('notify test', ['notify', 'test', 'http://127.0.0.1:1/']);
  await check('notify key', ['notify', 'key']);
  for (const name of ['status', 'ps', 'workers', 'stats', 'whoami', 'audit', 'invite', 'approve', 'version']) {
    await check(name, name.split(' '));
  }
  for (const name of ['show', 'explain', 'wait', 'retry']) await check(name, [name, 'last']);
  await check('cancel', ['cancel', 'all']);
  for (const name of ['invite list', 'token list', 'audit verify', 'secret rotate']) await check(name, name.split(' '));
  await check('token create', ['token', 'create', '--name', 'ci']);
  const [line = ''] = (await printed(site, ['export', '--format', 'jsonl'], [])).split('\n');
  expect(faults(JSON.parse(line), '', document.get('export --format jsonl') ?? new Map())).toEqual([]);
}, 60_000);

test('octaskly alone says how to begin, then how the dispatcher is doing', async () => {
  const site = openSite();
  const before = await site.run([]);
  expect([before.status, before.stdout.toString()]).toEqual([0, expect.stringContaining('octaskly up')]);
  await site.dispatcher(['--no-discovery']);
  const after = await site.run([]);
  expect([after.status, after.stdout.toString()]).toEqual([0, expect.stringContaining(site.url)]);
}, 30_000);

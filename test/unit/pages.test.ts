/** The pages of the documentation: the generated ones are as the tables are now, and the program holds them all. */

import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { generatedPages } from '../../scripts/pages.ts';
import { sectionOf } from '../../src/cli/commands/docs.ts';
import { commands } from '../../src/cli/commands.ts';
import { openLibrary } from '../../src/roles/library.ts';

const root = join(import.meta.dir, '..', '..');
const { pages } = openLibrary({});

test('generatedPages() are what the files say: bun scripts/pages.ts writes them', () => {
  for (const [file, text] of Object.entries(generatedPages())) {
    expect(readFileSync(join(root, file), 'utf8') === text, file).toBe(true);
  }
});

test('openLibrary() holds every page of docs/', () => {
  const all = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  const files = all.filter((file) => file.endsWith('.md') && file !== 'README.md').map((file) => basename(file));
  expect(pages.map(({ name }) => name).toSorted()).toEqual(
    files.map((file) => file.replace(/\.md$/, '').toLowerCase()).toSorted(),
  );
  for (const { name, text } of pages) expect(text, name).toMatch(/^# ./m);
});

test('sectionOf() finds what the guide says of every command', () => {
  const guide = pages.find(({ name }) => name === 'command-line')?.text ?? '';
  for (const { name } of commands) expect(sectionOf(guide, name) ?? '', name).toContain(`## octaskly ${name}\n\n`);
  expect(sectionOf(guide, 'nothing')).toBeNull();
});

test('render() leaves out what a page says to who tests its commands', () => {
  const { render } = openLibrary({});
  for (const { name, text } of pages) expect(render(text, { columns: 100, color: false }), name).not.toContain('<!--');
  expect(pages.some(({ text }) => text.includes('<!-- not run: '))).toBe(true);
});
